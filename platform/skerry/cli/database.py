"""`skerry database`: bring a database up to date without starting the platform."""

from contextlib import nullcontext
from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import say
from skerry.cli.supervisor.lock import hold_folder
from skerry.core.settings import read_database_url
from skerry.storage.layout import DataFolder


@click.group("database")
def database_group() -> None:
    """Bring the database up to date without 'skerry up'.

    \b
    Example:
      skerry database upgrade
    """  # noqa: D301


@database_group.command("upgrade")
@data_option
def upgrade_database(data: Path) -> None:
    """Make the tables, or bring older ones to this Skerry's schema.

    'skerry up' does the same at its start. Of several at once on a server each waits for the one
    before. A file is copied beside itself first; make a backup of a server yourself.

    \b
    Example:
      skerry database upgrade
    """  # noqa: D301
    from skerry.storage.migrate import check_database, newest_revision, upgrade
    from skerry.storage.platform_mark import check_store, claim_store

    folder = DataFolder(data)
    check_database(folder)
    check_store(folder)
    folder.create()
    on_server = read_database_url() is not None
    with nullcontext() if on_server else hold_folder(folder):
        copy = upgrade(folder)
        claim_store(folder)
    say(f"The database has schema {newest_revision()}.")
    if copy is not None:
        say(f"The database as it was is {copy}.")
