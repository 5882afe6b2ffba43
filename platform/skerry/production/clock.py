"""A clock's ticks: cron expressions in a time zone, daylight saving as Debian's cron has it.

A tick in the hour that spring skips comes right after the gap; a tick at a fixed hour in the
hour that autumn repeats comes once.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from skerry.core.errors import InvalidInputError

_FIELDS = 5


def check_clock(cron: str, timezone: str) -> None:
    """Refuse a cron expression or a time zone that cannot be used.

    Raises
    ------
    InvalidInputError
        If the expression is no five-field cron, never ticks, or the zone is unknown.
    """
    if len(cron.split()) != _FIELDS:  # a sixth would mean seconds
        raise _refuse(cron)
    next_tick(cron, timezone, datetime.now(UTC))


def next_tick(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first tick strictly after an instant, in UTC."""
    zone = _zone(timezone)
    try:
        tick: datetime = next(CronSim(cron, after.astimezone(zone)))
    except (CronSimError, StopIteration):
        raise _refuse(cron) from None
    return tick.astimezone(UTC)


def latest_tick(cron: str, timezone: str, after: datetime, until: datetime) -> datetime | None:
    """Return the latest tick in ``(after, until]``, in UTC, or None.

    Ticks that lie between are passed over on purpose: a platform that was down for a week does
    the newest work once.
    """
    found: datetime | None = None
    start = after
    for window in _windows(after, until):
        if next_tick(cron, timezone, window) <= until:
            start = window
            break
    tick = next_tick(cron, timezone, start)
    while tick <= until:
        found = tick
        tick = next_tick(cron, timezone, tick)
    return found


def _refuse(cron: str) -> InvalidInputError:
    return InvalidInputError(
        f"{cron[:140]!r} is no cron expression that ever ticks.",
        remedy="Write five fields, such as '30 5 * * *' for every day at 05:30.",
    )


def _windows(after: datetime, until: datetime) -> list[datetime]:
    """Return starting points ever farther before `until`, so that few ticks are walked."""
    spans = (timedelta(minutes=2), timedelta(hours=2), timedelta(days=2), timedelta(days=62))
    return [until - span for span in spans if until - span > after]


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"The time zone {timezone!r} is unknown.",
            remedy="Use a name of the tz database, such as 'UTC' or 'Europe/Helsinki'.",
        ) from None
