"""Windows of time in which a place is searched, one after the other, until a page is full.

A place may have many items, of which a page shows the first few. The index over place and time
finds those of a window at once; to read and sort all would take longer, the more there are. How
wide a window should be is estimated from the number of items and their times: a wrong estimate
costs time, and changes no result.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, select

from skerry.catalog.spacetime import EARLIEST, LATEST, Span
from skerry.catalog.tables import items

_WORLD = 360.0 * 180.0
_ITEM = 1.0
"""The area of a typical item, in square degrees: a search is estimated for no smaller area."""
_EXPECTED = 2.0
"""The first window is chosen to hold this many times the number of items asked for."""
_FEW = 8.0
"""If at most this many times the number of items asked for is expected, no windows are used."""
_GROWTH = 8
_FRESH_S = 60.0


@dataclass(frozen=True)
class Extent:
    """How many items there are, and when the first and the last of them begin."""

    count: int
    first: int
    last: int


@dataclass(frozen=True)
class Window:
    """A span of time in which items begin.

    Attributes
    ----------
    begins, ends
        Its first and last microsecond.
    expected
        About how many items it has in the place that is searched.
    """

    begins: int = EARLIEST
    ends: int = LATEST
    expected: float = 0.0


_EXTENTS: WeakKeyDictionary[Engine, tuple[float, Extent]] = WeakKeyDictionary()


def find_extent(connection: Connection) -> Extent:
    """Return about how many items there are, and from when to when, as of a minute ago at most."""
    entry = _EXTENTS.get(connection.engine)
    now = time.monotonic()
    if entry is None or now - entry[0] > _FRESH_S:
        ends = (func.max(items.c.key), func.min(items.c.begins), func.max(items.c.begins))
        query = select(*(select(end).scalar_subquery() for end in ends))
        count, first, last = connection.execute(query).one()
        entry = now, Extent(count or 0, first or 0, last or 0)
        _EXTENTS[connection.engine] = entry
    return entry[1]


def plan_windows(
    extent: Extent, area: float, span: Span | None, count: int, *, down: bool
) -> Iterator[Window]:
    """Yield the windows to search in, in order; together they hold all times.

    Parameters
    ----------
    extent
        Of the catalogue.
    area
        Square degrees of the place.
    span
        The time that is searched.
    count
        How many items are asked for.
    down
        Whether the newest come first.
    """
    low, high = _clip(extent, span)
    expected = _estimate(extent, max(area, _ITEM), high - low)
    if expected <= _FEW * count:
        yield Window(expected=expected)
        return
    each = expected / (high - low)
    width = int(_EXPECTED * count / each) + 1
    edge = high - width if down else low + width
    rest = EARLIEST, LATEST
    while low < edge < high:
        ends = (edge, rest[1]) if down else (rest[0], edge)
        yield Window(*ends, expected=width * each)
        rest = (rest[0], edge - 1) if down else (edge + 1, rest[1])
        width *= _GROWTH
        edge += -width if down else width
    yield Window(*rest, expected=expected)


def expect(extent: Extent, area: float, span: Span | None) -> float:
    """Return about how many items there are in a place and a span of time."""
    low, high = _clip(extent, span)
    return _estimate(extent, max(area, _ITEM), high - low)


def _clip(extent: Extent, span: Span | None) -> Span:
    """Return the part of a span of time in which items begin."""
    low, high = span or (EARLIEST, LATEST)
    return max(low, extent.first), min(high, extent.last)


def _estimate(extent: Extent, area: float, length: int) -> float:
    """Return how many items are expected in a place and a length of time."""
    whole = extent.last - extent.first
    return extent.count * (area / _WORLD) * (length / whole) if whole > 0 else 0.0
