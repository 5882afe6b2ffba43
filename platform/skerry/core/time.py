"""Time: always with a time zone, UTC inside Skerry, RFC 3339 in text."""

import re
from datetime import UTC, date, datetime, timedelta

from skerry.core.errors import InvalidInputError

# RFC 3339, section 5.6; the calendar and the seconds are checked when it is read
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])",
    re.IGNORECASE | re.ASCII,
)


def utc_now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """Return `moment` as RFC 3339 in UTC with a trailing Z; microseconds only when not zero.

    Raises
    ------
    InvalidInputError
        If `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidInputError(
            f"The time {moment.isoformat()} has no time zone.", remedy="Give it one, such as Z."
        )
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_optional_time(moment: datetime | None) -> str | None:
    """Return `moment` as `format_time` does, None for what has not happened."""
    return None if moment is None else format_time(moment)


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 instant.

    Digits beyond microseconds are dropped. A leap second (23:59:60 UTC) is the first second of the
    next day, as in POSIX.

    Raises
    ------
    InvalidInputError
        If `text` is not an RFC 3339 date and time with a time zone.
    """
    if _INSTANT.fullmatch(text):
        try:
            return _read_instant(text.upper())
        except (ValueError, OverflowError):  # no such day, or it leaves the calendar in UTC
            pass
    raise InvalidInputError(
        f"{text[:140]!r} is not an RFC 3339 time with a time zone.",
        remedy="Write it as 2026-05-01T10:30:00Z.",
    )


def _read_instant(text: str) -> datetime:
    leap = text[17:19] == "60"
    plain = f"{text[:17]}59{text[19:]}" if leap else text
    moment = datetime.fromisoformat(plain).astimezone(UTC)
    if not leap:
        return moment
    if (moment.hour, moment.minute) != (23, 59):
        raise ValueError(text)
    return moment + timedelta(seconds=1)


def find_middle(start: str, end: str) -> str:
    """Return the instant in the middle between two instants, all in RFC 3339.

    Raises
    ------
    InvalidInputError
        If one of them is not an RFC 3339 time with a time zone.
    """
    first, last = parse_time(start), parse_time(end)
    return format_time(first + (last - first) / 2)


def parse_day(text: str) -> date:
    """Read a calendar day written YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(
            f"{text!r} is not a calendar day.", remedy="Write it as 2026-05-01."
        ) from None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def count_microseconds(moment: datetime) -> int:
    """Return the whole microseconds from 1970-01-01T00:00:00Z to `moment`, for databases."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Return the UTC instant that is `count` microseconds after 1970-01-01T00:00:00Z."""
    return _EPOCH + timedelta(microseconds=count)
