"""Products whose bytes were written again after they were registered.

In a folder the owner of the files can do that, in a bucket anybody who has the platform's own key.
Each prune looks at the items of the last days: where a file is younger than its item, the bytes
must still have the item's digest.
"""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Engine, select

from skerry.catalog.tables import items
from skerry.core.errors import SkerryError
from skerry.core.time import count_microseconds, utc_now
from skerry.models.upkeep import Lost
from skerry.storage.database import reading
from skerry.storage.objects import Objects

_LOOKED_AT = timedelta(days=8)
"""Items of this age: prunes are daily, and a platform may stand still over a week's end."""

_SECOND_US = 1_000_000


def list_changed(engine: Engine, objects: Objects) -> Iterator[Lost]:
    """List the items whose bytes have changed since they were registered."""
    since = count_microseconds(utc_now() - _LOOKED_AT)
    query = select(items.c.id, items.c.collection, items.c.version, items.c.prefix,
                   items.c.digest, items.c.created)  # fmt: skip
    query = query.where(items.c.created >= since, items.c.status != "withdrawn")
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    for row in rows:
        if _is_changed(objects, row.prefix, row.digest, row.created // _SECOND_US):
            name = f"item {row.id} of {row.collection}, version {row.version}"
            yield Lost(record=name, prefix=row.prefix)


def _is_changed(objects: Objects, prefix: str, digest: str, registered_s: int) -> bool:
    """Return whether the bytes below a prefix are younger than their item, and differ from it.

    S3 tells times in whole seconds, so a file of the same second counts as younger.
    """
    if all(int(file.modified) < registered_s for file in objects.list_files(prefix)):
        return False
    try:
        now = objects.digest(prefix)
    except SkerryError:  # they change at this moment, or the store is away: the next prune looks
        return False
    return now is not None and now != digest
