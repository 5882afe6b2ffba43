"""Whether records and bytes agree: bytes that no record names, records whose bytes are gone.

Bytes are listed first, records are read afterwards. A writer has a grant before the first byte, and
an item before the grant ends, so a record names everything that is being written. In addition,
files younger than a day are passed over.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from itertools import batched

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, select

from skerry.catalog.tables import deletions, items
from skerry.core.errors import ConflictError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.models.upkeep import Kind, Lost
from skerry.production.records import FAMILIES
from skerry.production.tables import releases, runs
from skerry.production.upkeep.removable import Removable, is_old, list_whole
from skerry.storage.database import reading
from skerry.storage.homes import HOMES
from skerry.storage.layout import DataFolder
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RUNS, find_attempt, name_prefix
from skerry.storage.tables import grants

_BATCH = 500


def list_unnamed(engine: Engine, objects: Objects) -> Iterator[Removable]:
    """List the largest prefixes and files that no record names."""
    prefixes = list(reversed(FAMILIES))
    while prefixes:
        prefix = prefixes.pop()
        for batch in batched(objects.list_names(prefix), _BATCH):
            keys = [prefix + name for name in batch]
            with reading(engine) as connection:
                names = _list_named(connection, keys[0], keys[-1])
            for key in keys:
                if _covers(names, key):
                    continue
                if _reaches(names, key):
                    prefixes.append(key)
                elif (files := list_whole(objects, key)) and all(
                    is_old(file.modified) for file in files
                ):
                    size = sum(file.size for file in files)
                    yield Removable(Kind.UNNAMED, key, size, partial(_remove, engine, objects, key))


def _remove(engine: Engine, objects: Objects, key: str) -> bool:
    """Remove a prefix or file, unless a record names it by now."""
    with reading(engine) as connection:
        names = _list_named(connection, key, key)
    if _covers(names, key) or _reaches(names, key):
        return False
    objects.remove(key)
    return True


def check_records(engine: Engine, data: DataFolder) -> None:
    """Refuse a database without records: all bytes would count as bytes that no record names.

    Raises
    ------
    ConflictError
        If it has neither items nor releases nor runs.
    """
    with reading(engine) as connection:
        rows = [connection.execute(select(table).limit(1)).first()
                for table in (items, releases, runs)]  # fmt: skip
    if not any(rows):
        raise ConflictError(
            f"The database of {data.root} has no records, so all bytes would go.",
            remedy=f"Check {DATABASE_VARIABLE} and --data. If the platform is really empty, "
            "remove its object store by hand.",
        )


def list_lost(engine: Engine, objects: Objects) -> Iterator[Lost]:
    """List the records whose bytes are gone.

    Versions that were withdrawn, or whose bytes were deleted, may be without bytes. Records that
    went meanwhile are not reported.
    """
    last = 0
    while True:
        with reading(engine) as connection:
            query = select(items).where(items.c.key > last, _has_bytes())
            rows = connection.execute(query.order_by(items.c.key).limit(_BATCH)).all()
        if not rows:
            break
        last = rows[-1].key
        for row in rows:
            if not objects.exists(row.prefix) and _is_item(engine, row.key):
                name = f"item {row.id} of {row.collection}, version {row.version}"
                yield Lost(record=name, prefix=row.prefix)
    with reading(engine) as connection:
        query = select(releases.c.id, releases.c.name, releases.c.notebook_key)
        notebooks = connection.execute(query.where(releases.c.status != "rejected")).all()
    for row in notebooks:
        if not objects.exists(row.notebook_key):
            yield Lost(record=f"notebook of the release {row.name}", prefix=row.notebook_key)


def _is_item(engine: Engine, key: int) -> bool:
    with reading(engine) as connection:
        query = select(items.c.key).where(items.c.key == key, _has_bytes())
        return connection.execute(query).first() is not None


def _has_bytes() -> ColumnElement[bool]:
    """Return the condition of the items whose bytes must be there."""
    return and_(items.c.status != "withdrawn", items.c.bytes_deleted.is_(None))


def _covers(names: list[str], key: str) -> bool:
    """Return whether a record names a key itself; `list_unnamed` has looked above it already."""
    place = bisect_left(names, key)
    return place < len(names) and names[place] == key


def _reaches(names: list[str], key: str) -> bool:
    """Return whether a record names something below a prefix."""
    place = bisect_left(names, key)
    return place < len(names) and names[place].startswith(key) and key.endswith("/")


def _list_named(connection: Connection, first: str, last: str) -> list[str]:
    """Return all that records name from a key to another and below it, sorted."""
    family = first.split("/", 1)[0]
    names = {
        prefix
        for table in (items, grants, deletions)
        for prefix in _list_prefixes(connection, table, first, last)
    }
    if family == "runs":
        names |= set(_list_prefixes(connection, items, HOMES + first, HOMES + last))
        names = {name_prefix(*find_attempt(prefix)) for prefix in names} | names
        begin, end = (key.split("/")[1] for key in (first, last))
        query = select(runs.c.id).where(runs.c.id >= begin, runs.c.id <= end)
        names |= {f"{RUNS}{run}/" for run in connection.execute(query).scalars()}
    elif family == "releases":
        keys = connection.execute(select(releases.c.notebook_key)).scalars()
        names |= {f"{key.rpartition('/')[0]}/" for key in keys}
    elif family == "environments":
        digests = connection.execute(select(releases.c.environment_digest)).scalars()
        names |= {f"environments/{digest}/" for digest in digests}
    return sorted(names)


def _list_prefixes(connection: Connection, table: Table, first: str, last: str) -> list[str]:
    column = table.c.prefix
    end = f"{last.removesuffix('/')}0"  # '0' follows '/'
    query = select(column).where(column >= first, column < end)
    return list(connection.execute(query).scalars())
