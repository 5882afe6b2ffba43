"""Freeing bytes: first the record goes, then the bytes; a crash in between is made good later."""

from sqlalchemy import Connection, Engine, delete, exists, select

from skerry.catalog.items import note_deletion, overlaps
from skerry.catalog.tables import deletions, items
from skerry.storage.grants import Grant, Purpose, forget_grant, list_expired
from skerry.storage.objects import ObjectFolder


def finish_deletions(engine: Engine, objects: ObjectFolder) -> int:
    """Remove the bytes of everything that was deleted; return how many prefixes that were.

    It is called after each deletion and at the api's start.
    """
    with engine.connect() as connection:
        prefixes = list(connection.execute(select(deletions.c.prefix)).scalars())
    for prefix in prefixes:
        objects.remove(prefix)
        with engine.begin() as connection:
            connection.execute(delete(deletions).where(deletions.c.prefix == prefix))
    return len(prefixes)


def release_grant(connection: Connection, grant: Grant) -> None:
    """End a write grant; if no item came of it, note its bytes for removal.

    A run's folder is production's to keep: it stays.
    """
    forget_grant(connection, grant.id)
    used = connection.execute(select(exists().where(overlaps(items, grant.prefix)))).scalar()
    if not used and grant.purpose != Purpose.RUN:
        note_deletion(connection, grant.prefix)


def release_expired(engine: Engine) -> int:
    """End the grants whose time is over; return how many."""
    with engine.begin() as connection:
        expired = list_expired(connection)
        for grant in expired:
            release_grant(connection, grant)
    return len(expired)
