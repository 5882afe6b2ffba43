"""Times of items and of searches, in microseconds since 1970 (UTC)."""

from collections.abc import Mapping
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.time import count_microseconds, parse_time

EARLIEST, LATEST = -(2**62), 2**62
HOUR_US = 3_600_000_000

Span = tuple[int, int]
"""First and last microsecond, both included."""


def parse_interval(text: str) -> Span:
    """Read STAC's ``datetime`` parameter: an instant, or two with a slash, open as ``..`` or empty.

    Raises
    ------
    InvalidInputError
        If an end is no RFC 3339 time, both are open, or the first comes after the last.
    """
    first, slash, last = text.partition("/")
    if not slash:
        instant = count_microseconds(parse_time(first))
        return instant, instant
    if first in ("", "..") and last in ("", ".."):
        raise _refuse(text, "is open at both ends")
    begins = EARLIEST if first in ("", "..") else count_microseconds(parse_time(first))
    ends = LATEST if last in ("", "..") else count_microseconds(parse_time(last))
    if begins > ends:
        raise _refuse(text, "ends before it begins")
    return begins, ends


def read_span(properties: Mapping[str, Any]) -> Span:
    """Return the time of an item's data: its start and end, else its ``datetime``.

    Raises
    ------
    InvalidInputError
        If there is no time, or the end precedes the start.
    """
    names = ("start_datetime", "end_datetime")
    if any(properties.get(name) for name in names):
        texts = [properties.get(name) for name in names]
    else:
        texts = [properties.get("datetime")] * 2
    if not all(isinstance(text, str) for text in texts):
        raise InvalidInputError(
            "The item has no time.",
            remedy="Give it 'datetime', or 'start_datetime' with 'end_datetime'.",
        )
    begins, ends = (count_microseconds(parse_time(str(text))) for text in texts)
    if begins > ends:
        raise _refuse(f"{texts[0]}/{texts[1]}", "ends before it begins")
    return begins, ends


def _refuse(text: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The time interval {text!r} {why}.",
        remedy="Write it as 2026-05-01T00:00:00Z/2026-05-31T23:59:59Z, or with '..' at one end.",
    )
