"""`skerry database`: bring a database up to date without starting the platform."""

import time
from contextlib import nullcontext
from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import say
from skerry.cli.supervisor.lock import hold_folder
from skerry.core.errors import SkerryError
from skerry.core.settings import read_database_url
from skerry.storage.layout import DataFolder

_PAUSE_S = 1.0


@click.group("database")
def database_group() -> None:
    """Bring the database up to date without 'skerry up'.

    \b
    Example:
      skerry database upgrade
    """  # noqa: D301


@database_group.command("upgrade")
@data_option
@click.option(
    "--wait",
    "wait_s",
    type=click.IntRange(min=0),
    default=0,
    metavar="SECONDS",
    help="Wait so long for a database and an object store that cannot be used yet.",
)
def upgrade_database(data: Path, wait_s: int) -> None:
    """Make the tables, or bring older ones to this Skerry's schema.

    'skerry up' does the same at its start. Of several at once on a server each waits for the one
    before. A file is copied beside itself first; make a backup of a server yourself.

    \b
    Example:
      skerry database upgrade
    """  # noqa: D301
    from skerry.storage.migrate import newest_revision, upgrade
    from skerry.storage.platform_mark import claim_store

    folder = DataFolder(data)
    _wait_until_usable(folder, wait_s)
    folder.create()
    on_server = read_database_url() is not None
    with nullcontext() if on_server else hold_folder(folder):
        copy = upgrade(folder)
        claim_store(folder)
    say(f"The database has schema {newest_revision()}.")
    if copy is not None:
        say(f"The database as it was is {copy}.")


def _wait_until_usable(folder: DataFolder, wait_s: float) -> None:
    """Return when database and object store can be used.

    A new installation starts both beside the command: there the command is early, and not wrong.

    Raises
    ------
    SkerryError
        If they cannot be used after `wait_s` seconds: the last reason.
    """
    from skerry.storage.migrate import check_database
    from skerry.storage.platform_mark import check_store

    ends, told = time.monotonic() + wait_s, ""
    while True:
        try:
            check_database(folder)
            check_store(folder)
        except SkerryError as error:
            if time.monotonic() >= ends:
                raise
            if str(error) != told:
                told = str(error)
                say(f"Waiting: {told}", err=True)
            time.sleep(_PAUSE_S)
        else:
            return
