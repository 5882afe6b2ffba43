"""A platform's whole state: its tables, and the bytes that their records name."""

import heapq
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from itertools import batched
from pathlib import PurePosixPath

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    exists,
    func,
    not_,
    select,
    true,
)

from skerry.catalog.tables import deletions, items, items_index
from skerry.production.environments import name_ingredients
from skerry.production.runs import ACTIVE
from skerry.production.tables import releases, runs, upkeep, workers
from skerry.storage.columns import METADATA
from skerry.storage.homes import HOMES
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RUNS, list_run_folders
from skerry.storage.tables import grants, platform

type Opening = Callable[[], AbstractContextManager[Connection]]
"""Opens a transaction that reads."""

FAMILIES = ("imports/", "sandbox/", HOMES, RUNS, "releases/", "environments/")
"""The prefixes of all bytes that records name."""

_PAGE = 500
"""How many rows, or folders of runs, are asked for at a time."""


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


def list_units(
    opening: Opening, objects: Objects, *, stopped: bool = False, after: str = ""
) -> Iterator[str]:
    """Yield the prefixes whose bytes the records name, in order, each of them whole and unchanging.

    However many there are, few are in memory at a time, beside the names of the runs' folders. No
    transaction is open while the caller works on a prefix.

    Parameters
    ----------
    opening
        Opens the records for reading, as often as it is called.
    objects
        The object store.
    stopped
        Whether no run is at work, even if records say so: then the folders of all runs are
        complete. Otherwise the folders of running runs are left out, because they still grow; their
        published products are not left out.
    after
        The prefix after which to begin.
    """
    whole = true() if stopped else runs.c.status.not_in(ACTIVE)
    listed = heapq.merge(
        _list_products(opening, whole, after),
        _list_releases(opening, objects),
        _list_attempts(opening, objects, whole, after),
    )
    for unit in listed:
        if unit > after:
            yield unit
            after = unit


def estimate_units(connection: Connection) -> int:
    """Return about how many prefixes `list_units` yields: it does not look into the store."""
    tables = (items, releases, runs)
    counts = [select(func.count()).select_from(table).scalar_subquery() for table in tables]
    return sum(connection.execute(select(*counts)).one())


def _list_products(opening: Opening, whole: ColumnElement[bool], after: str) -> Iterator[str]:
    """Yield the prefixes of items, sorted, but for those in the folder of a run that is whole."""
    in_run = and_(items.c.prefix >= RUNS, items.c.prefix < f"{RUNS[:-1]}0")  # '0' follows '/'
    query = (
        select(items.c.prefix)
        .where(
            items.c.bytes_deleted.is_(None),
            not_(exists().where(deletions.c.prefix == items.c.prefix)),
            not_(and_(in_run, exists().where(runs.c.id == items.c.run, whole))),
        )
        .order_by(items.c.prefix)
        .limit(_PAGE)
    )
    while True:
        with opening() as connection:
            page = connection.execute(query.where(items.c.prefix > after)).scalars().all()
        if not page:
            return
        yield from page
        after = page[-1]


def _list_releases(opening: Opening, objects: Objects) -> Iterator[str]:
    """Yield the prefixes of notebooks and of what environments are built from, sorted."""
    with opening() as connection:
        notebooks = connection.execute(select(releases.c.notebook_key)).scalars().all()
        digests = connection.execute(select(releases.c.environment_digest)).scalars().all()
    ingredients = {name_ingredients(digest) for digest in digests}
    for unit in sorted(ingredients | {f"{PurePosixPath(key).parent}/" for key in notebooks}):
        if unit not in ingredients or objects.exists(unit):
            yield unit


def _list_attempts(
    opening: Opening, objects: Objects, whole: ColumnElement[bool], after: str
) -> Iterator[str]:
    """Yield the folders of the attempts of runs that are whole, sorted."""
    names = (name for name in objects.list_names(RUNS) if name.endswith("/"))
    left = (name[:-1] for name in names if max(f"{RUNS}{name}", after).startswith(RUNS + name))
    for some in batched(left, _PAGE):
        with opening() as connection:
            query = select(runs.c.id).where(whole, runs.c.id.in_(some))
            present = set(connection.execute(query).scalars())
        for run in some:
            if run in present:
                yield from (folder.prefix for folder in list_run_folders(objects, run))
