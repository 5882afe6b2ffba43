"""What is reserved and does not live any more is settled, whoever was killed before it could."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from skerry.budgets.ledger import Reservation, list_open, settle
from skerry.budgets.tables import reservations

LOST_AFTER = timedelta(seconds=120)
"""How long something may be unseen: it is starting, or who lists it has just started itself."""


def note_living(
    connection: Connection, kind: str, living: Collection[str], now: datetime
) -> list[Reservation]:
    """Note what of a kind lives; settle what has not been seen for long, and return it.

    It is counted up to the moment when it was last seen. What was never seen has never lived, and
    used nothing.

    Parameters
    ----------
    living
        The things of this kind that live now: all of them.
    """
    now = now.replace(microsecond=0)
    seen, lost = [], []
    for reservation in list_open(connection, kind=kind):
        if reservation.thing in living:
            seen.append(reservation.id)
        elif now - (reservation.seen or reservation.begun) > LOST_AFTER:
            lost.append(reservation)
    if seen:
        connection.execute(
            update(reservations).where(reservations.c.id.in_(seen)).values(seen_at=now)
        )
    for reservation in lost:
        settle(
            connection, reservation.id, [(reservation.begun, reservation.seen or reservation.begun)]
        )
    return lost
