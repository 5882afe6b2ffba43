"""A platform's whole state: its tables, and the bytes that their records name."""

from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy import Connection, FromClause, Table, select

from skerry.catalog.tables import deletions, items, items_index
from skerry.production.environments import name_ingredients
from skerry.production.runs import ACTIVE
from skerry.production.tables import releases, runs, upkeep, workers
from skerry.storage.columns import METADATA
from skerry.storage.homes import HOMES
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RUNS, list_run_folders
from skerry.storage.tables import grants, platform

FAMILIES = ("imports/", "sandbox/", HOMES, RUNS, "releases/", "environments/")
"""The prefixes of all bytes that records name."""


def state_tables() -> list[FromClause]:
    """Return the tables of a platform's state, those that others refer to first.

    Grants, workers and upkeep are left out: permissions and signs of life are of the moment. The
    platform's own name is left out, because a copy is another platform.
    """
    return _list_tables(without=(grants, workers, upkeep, platform))


def platform_tables() -> list[FromClause]:
    """Return all tables of a platform, those that others refer to first.

    Left out are workers, because each enters itself, and the platform's own name, because every
    database has one from the beginning.
    """
    return _list_tables(without=(workers, platform))


def _list_tables(without: Collection[Table]) -> list[FromClause]:
    return [*(table for table in METADATA.sorted_tables if table not in without), items_index]


def list_units(connection: Connection, objects: Objects, *, stopped: bool = False) -> Iterator[str]:
    """Yield the prefixes whose bytes the records name, each of them whole and unchanging.

    Parameters
    ----------
    connection
        A transaction that reads.
    objects
        The object store.
    stopped
        Whether no run is at work, even if records say so: then the folders of all runs are
        complete. Otherwise the folders of running runs are left out, because they still grow; their
        published products are not left out.
    """
    whole = select(runs.c.id)
    if not stopped:
        whole = whole.where(runs.c.status.not_in(ACTIVE))
    ended = set(connection.execute(whole).scalars())
    leaving = set(connection.execute(select(deletions.c.prefix)).scalars())
    present = select(items.c.prefix, items.c.run).where(items.c.bytes_deleted.is_(None))
    for item in connection.execute(present):
        # The folder of a run at work still grows beside its published products.
        in_whole_folder = item.run in ended and item.prefix.startswith(RUNS)
        if item.prefix not in leaving and not in_whole_folder:
            yield item.prefix
    for release in connection.execute(select(releases)).mappings():
        yield f"{Path(release['notebook_key']).parent.as_posix()}/"
        ingredients = name_ingredients(release["environment_digest"])
        if objects.exists(ingredients):
            yield ingredients
    for folder in list_run_folders(objects):
        if folder.run in ended:
            yield folder.prefix
