"""Grants: permission to read or write below one prefix, for a limited time."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, delete, insert, select

from skerry.core.errors import ConflictError, ForbiddenError
from skerry.core.ids import check_name, new_id
from skerry.core.time import count_microseconds, utc_now
from skerry.models.grants import Purpose
from skerry.storage.objects import check_prefix
from skerry.storage.run_folder import name_prefix
from skerry.storage.tables import grants

WRITE_LIFE_S = 12 * 3600
"""How long a write grant is valid: more than a slow import of a large product takes."""


@dataclass(frozen=True)
class Grant:
    """Permission to write below `prefix` until `expires` (microseconds since 1970)."""

    id: str
    mode: str
    purpose: str
    prefix: str
    owner: str
    expires: int
    run: str | None = None
    epoch: int | None = None


def create_grant(
    connection: Connection,
    purpose: Purpose,
    owner: str,
    *,
    run: str | None = None,
    epoch: int | None = None,
    life_s: float = WRITE_LIFE_S,
) -> Grant:
    """Record a new write grant and return it.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    purpose, owner
        Its purpose and its owner.
    run, epoch
        The attempt, for `Purpose.RUN`; the caller has checked that it is the owner's.
    life_s
        Seconds until it ends.
    """
    identifier, now = new_id(), count_microseconds(utc_now())
    prefix = check_prefix(_place(purpose, owner, identifier, run, epoch))
    grant = Grant(
        identifier, "write", purpose.value, prefix, owner, now + int(life_s * 1e6), run, epoch
    )
    _insert(connection, grant, now)
    return grant


def hold_home(connection: Connection, home: str, owner: str) -> Grant:
    """Record that the platform copies bytes to a prefix, for an item that is registered next.

    The mode is to read, because nobody else may write there. When the record expires, the bytes
    are removed unless an item names them.
    """
    now = count_microseconds(utc_now())
    expires = now + int(WRITE_LIFE_S * 1e6)
    grant = Grant(new_id(), "read", Purpose.IMPORT.value, home, owner, expires)
    _insert(connection, grant, now)
    return grant


def take_home(connection: Connection, home: str) -> None:
    """End what `hold_home` recorded, because an item has the prefix from now on.

    Raises
    ------
    ConflictError
        If it has expired: the bytes may be on their way out.
    """
    is_valid = and_(
        grants.c.prefix == home, grants.c.mode == "read",
        grants.c.expires > count_microseconds(utc_now()),
    )  # fmt: skip
    if connection.execute(delete(grants).where(is_valid)).rowcount != 1:
        raise ConflictError(
            f"Copying the bytes to {home!r} took longer than {WRITE_LIFE_S // 3600} hours.",
            remedy="Find out why the object store is so slow, and register the product again.",
        )


def _insert(connection: Connection, grant: Grant, now: int) -> None:
    connection.execute(
        insert(grants).values(
            id=grant.id, mode=grant.mode, purpose=grant.purpose, prefix=grant.prefix,
            owner=grant.owner, run=grant.run, epoch=grant.epoch, created=now,
            expires=grant.expires,
        )
    )  # fmt: skip


def check_write_grant(connection: Connection, prefix: str, owner: str) -> Grant:
    """Return the valid write grant of `owner` for `prefix`.

    A grant is for one item. If an item took only a part of its prefix, the grant would stay valid,
    and the item's bytes could be changed.

    Raises
    ------
    ForbiddenError
        If there is none.
    """
    row = connection.execute(
        select(grants).where(
            grants.c.prefix == check_prefix(prefix),
            grants.c.owner == owner,
            grants.c.mode == "write",
            grants.c.expires > count_microseconds(utc_now()),
        )
    ).first()
    if row is None:
        raise ForbiddenError(
            f"No write grant of {owner!r} is for {prefix!r} now.",
            remedy="Ask for one with POST /services/api/grants for each item, and write the item "
            "below its prefix.",
        )
    return _read(row)


def find_grant(connection: Connection, identifier: str) -> Grant | None:
    """Return a write grant, or None."""
    is_it = and_(grants.c.id == identifier, grants.c.mode == "write")
    row = connection.execute(select(grants).where(is_it)).first()
    return _read(row) if row else None


def list_expired(connection: Connection) -> list[Grant]:
    """Return the expired grants."""
    now = count_microseconds(utc_now())
    return [_read(row) for row in connection.execute(select(grants).where(grants.c.expires <= now))]


def end_run_grants(connection: Connection, run: str, *, up_to: int) -> None:
    """End the grants of a run's attempts up to an epoch; their files belong to production."""
    connection.execute(delete(grants).where(grants.c.run == run, grants.c.epoch <= up_to))


def forget_grant(connection: Connection, identifier: str) -> None:
    """Remove the record of a grant; the caller looks after its files."""
    connection.execute(delete(grants).where(grants.c.id == identifier))


def _place(
    purpose: Purpose, owner: str, identifier: str, run: str | None, epoch: int | None
) -> str:
    if purpose is Purpose.IMPORT:
        return f"imports/{identifier}/"
    if purpose is Purpose.SANDBOX:
        return f"sandbox/{check_name(owner, what='user name')}/{identifier}/"
    return name_prefix(check_name(run or "", what="run id"), epoch or 0)


def _read(row: Row[tuple[object, ...]]) -> Grant:
    return Grant(
        row.id, row.mode, row.purpose, row.prefix, row.owner, row.expires, row.run, row.epoch
    )
