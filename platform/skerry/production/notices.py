"""What everybody is told of the platform: planned maintenance, the last end-to-end run.

Both are rows of the table of upkeep, whose changes the audit tells.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.time import format_time, utc_now
from skerry.models.notices import LastEndToEnd, Maintenance, Notices
from skerry.production.tables import upkeep

_MAINTENANCE, _END_TO_END = "maintenance", "end-to-end"


def announce_maintenance(connection: Connection, maintenance: Maintenance) -> None:
    """Announce maintenance, in place of what was announced before.

    Raises
    ------
    InvalidInputError
        If it is over: nobody would ever see it.
    """
    now = utc_now()
    if maintenance.ends <= now:
        raise InvalidInputError(
            f"The maintenance ended at {format_time(maintenance.ends)}, before now.",
            remedy="Give a time to come; times are in UTC unless they say otherwise.",
        )
    _write(connection, _MAINTENANCE, now, maintenance.model_dump(mode="json"))


def withdraw_maintenance(connection: Connection) -> None:
    """Withdraw what was announced.

    Raises
    ------
    NotFoundError
        If nothing was.
    """
    removed = connection.execute(delete(upkeep).where(upkeep.c.task == _MAINTENANCE))
    if removed.rowcount == 0:
        raise NotFoundError(
            "No maintenance is announced.", remedy="'skerry maintenance announce' does it."
        )


def record_end_to_end(connection: Connection, seconds: float) -> None:
    """Record that an end-to-end run has succeeded now."""
    now = utc_now()
    last = LastEndToEnd(ended=now, seconds=round(seconds, 1))
    _write(connection, _END_TO_END, now, last.model_dump(mode="json"))


def find_notices(connection: Connection) -> Notices:
    """Return what everybody is told; maintenance that is over is not told any more."""
    query = select(upkeep.c.task, upkeep.c.report).where(
        upkeep.c.task.in_([_MAINTENANCE, _END_TO_END])
    )
    found = {row.task: row.report for row in connection.execute(query)}
    planned, last = found.get(_MAINTENANCE), found.get(_END_TO_END)
    maintenance = None if planned is None else Maintenance.model_validate(planned)
    if maintenance is not None and maintenance.ends <= utc_now():
        maintenance = None
    return Notices(
        maintenance=maintenance,
        end_to_end=None if last is None else LastEndToEnd.model_validate(last),
    )


def _write(connection: Connection, task: str, now: datetime, report: dict[str, Any]) -> None:
    values = {"begun_at": now, "ended_at": now, "report": report}
    changed = connection.execute(update(upkeep).where(upkeep.c.task == task).values(values))
    if changed.rowcount == 0:
        connection.execute(insert(upkeep).values(task=task, **values))
