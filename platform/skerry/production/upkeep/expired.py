"""Bytes of expired grants that no item took over, and of items that were deleted."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import Engine, exists, select

from skerry.catalog.deletions import finish_deletions, overlaps, release_expired
from skerry.catalog.tables import deletions, items
from skerry.models.grants import Purpose
from skerry.models.upkeep import Kind
from skerry.production.upkeep.removable import Removable, list_whole
from skerry.storage.database import reading
from skerry.storage.grants import list_expired
from skerry.storage.objects import Objects


def list_expired_bytes(engine: Engine, objects: Objects) -> Iterator[Removable]:
    """List the prefixes whose bytes nobody owns any more."""
    with reading(engine) as connection:
        prefixes = set(connection.execute(select(deletions.c.prefix)).scalars())
        for grant in list_expired(connection):
            used = connection.execute(select(exists().where(overlaps(items, grant.prefix))))
            if grant.purpose != Purpose.RUN and not used.scalar():
                prefixes.add(grant.prefix)
    for prefix in sorted(prefixes):
        size = sum(file.size for file in list_whole(objects, prefix))
        yield Removable(Kind.GRANT, prefix, size, partial(_finish, engine, objects, prefix))


def _finish(engine: Engine, objects: Objects, prefix: str) -> bool:
    """End expired grants and remove what was deleted; return whether this prefix is gone."""
    release_expired(engine)
    finish_deletions(engine, objects)
    with reading(engine) as connection:
        left = select(deletions.c.prefix).where(deletions.c.prefix == prefix)
        return connection.execute(left).first() is None
