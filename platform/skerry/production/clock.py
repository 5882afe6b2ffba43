"""A clock's ticks: cron expressions in a time zone, with daylight saving as in Debian's cron.

A tick in the hour that spring skips comes right after the gap; a tick at a fixed hour in the
hour that autumn repeats comes once.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from skerry.core.errors import InvalidInputError

_FIELDS = 5
_SPANS = (timedelta(hours=2), timedelta(days=2), timedelta(days=62))


def check_clock(cron: str, timezone: str) -> None:
    """Refuse a cron expression or a time zone that cannot be used.

    Raises
    ------
    InvalidInputError
        If the expression is not a five-field cron, never ticks, or the zone is unknown.
    """
    if len(cron.split()) != _FIELDS:  # a sixth would mean seconds
        raise _refuse(cron)
    next_tick(cron, timezone, datetime.now(UTC))


def next_tick(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first tick strictly after an instant, in UTC."""
    zone = _zone(timezone)
    try:
        ticks = (tick.astimezone(UTC) for tick in CronSim(cron, after.astimezone(zone)))
        # within the hour that autumn repeats, it begins with the ticks of the hour's first pass
        return next(tick for tick in ticks if tick > after)
    except (CronSimError, StopIteration):
        raise _refuse(cron) from None


def list_latest(
    cron: str, timezone: str, after: datetime, until: datetime, *, most: int
) -> list[datetime]:
    """Return the latest ticks in ``(after, until]`` in UTC, the latest first."""
    for span in (*_SPANS, until - after):  # short spans first: they hold few ticks
        start = max(after, until - span)
        ticks: deque[datetime] = deque(maxlen=most)
        tick = next_tick(cron, timezone, start)
        while tick <= until:
            ticks.append(tick)
            tick = next_tick(cron, timezone, tick)
        if start == after or len(ticks) == most:
            break
    return list(reversed(ticks))


def _refuse(cron: str) -> InvalidInputError:
    return InvalidInputError(
        f"{cron[:140]!r} is not a cron expression that ever ticks.",
        remedy="Write five fields, such as '30 5 * * *' for every day at 05:30.",
    )


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"The time zone {timezone!r} is unknown.",
            remedy="Use a name of the tz database, such as 'UTC' or 'Europe/Helsinki'.",
        ) from None
