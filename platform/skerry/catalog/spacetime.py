"""When and where an item's data are: spans of time (UTC) and boxes of longitude and latitude.

Times are microseconds since 1970, places are in degrees (WGS 84). The catalogue's index over both
has two forms, an R*Tree on SQLite and a GiST index on PostgreSQL; `select_overlapping` searches
either.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Float, Select, bindparam, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from skerry.catalog.tables import items_index
from skerry.core.errors import InvalidInputError
from skerry.core.time import count_microseconds, parse_time

EARLIEST, LATEST = -(2**62), 2**62
HOUR_US = 3_600_000_000

Span = tuple[int, int]
"""First and last microsecond, both included."""
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees, west <= east."""


def parse_interval(text: str) -> Span:
    """Read STAC's ``datetime`` parameter: an instant, or two with a slash, open as ``..`` or empty.

    Raises
    ------
    InvalidInputError
        If an end is not an RFC 3339 time, both are open, or the first comes after the last.
    """
    first, slash, last = text.partition("/")
    if not slash:
        instant = count_microseconds(parse_time(first))
        return instant, instant
    if first in ("", "..") and last in ("", ".."):
        raise _refuse_interval(text, "is open at both ends")
    begins = EARLIEST if first in ("", "..") else count_microseconds(parse_time(first))
    ends = LATEST if last in ("", "..") else count_microseconds(parse_time(last))
    if begins > ends:
        raise _refuse_interval(text, "ends before it begins")
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
        raise _refuse_interval(f"{texts[0]}/{texts[1]}", "ends before it begins")
    return begins, ends


def _refuse_interval(text: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The time interval {text!r} {why}.",
        remedy="Write it as 2026-05-01T00:00:00Z/2026-05-31T23:59:59Z, or with '..' at one end.",
    )


def split_bbox(bbox: Sequence[float]) -> list[Box]:
    """Return a bounding box as one box, or as two if it crosses the antimeridian.

    Parameters
    ----------
    bbox
        West, south, east, north in degrees; six values have heights too, which are ignored.
        West greater than east means: across the antimeridian.

    Raises
    ------
    InvalidInputError
        If it has another length, is not finite, leaves the world, or south exceeds north.

    Notes
    -----
    Source: RFC 7946, section 5.2.
    """
    values = list(bbox)
    if len(values) == 6:  # noqa: PLR2004  (x, y, z twice)
        values = [*values[0:2], *values[3:5]]
    if len(values) != 4 or not all(math.isfinite(value) for value in values):  # noqa: PLR2004
        raise _refuse_bbox(bbox, "does not have four finite numbers")
    west, south, east, north = values
    if not (-180 <= west <= 180 and -180 <= east <= 180):  # noqa: PLR2004
        raise _refuse_bbox(bbox, "leaves the longitudes from -180 to 180")
    if not (-90 <= south <= 90 and -90 <= north <= 90):  # noqa: PLR2004
        raise _refuse_bbox(bbox, "leaves the latitudes from -90 to 90")
    if south > north:
        raise _refuse_bbox(bbox, "has its south above its north")
    if west <= east:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def join_boxes(boxes: Sequence[Box]) -> BaseGeometry:
    """Return the area of boxes as one geometry."""
    return shapely.union_all([box(*item) for item in boxes])


def read_geometry(document: Mapping[str, Any], *, what: str) -> BaseGeometry:
    """Check a GeoJSON geometry, which must be valid and in the world, and return it.

    Raises
    ------
    InvalidInputError
        If it is not a GeoJSON geometry, is empty, crosses itself, or leaves the world.
    """
    try:
        geometry = shape(dict(document))
    except (KeyError, ValueError, TypeError, AttributeError, shapely.errors.ShapelyError):
        raise InvalidInputError(
            f"The {what} is not a GeoJSON geometry: {str(document)[:140]}.",
            remedy="Give a Point, LineString, Polygon or their Multi forms with coordinates.",
        ) from None
    if not geometry.is_empty:  # of coordinates beyond the world no validity can be computed
        _check_bounds(geometry.bounds, what)
    if geometry.is_empty or not shapely.is_valid(geometry):
        reason = "it is empty" if geometry.is_empty else shapely.is_valid_reason(geometry)
        raise InvalidInputError(
            f"The {what} is not a valid geometry: {reason}.",
            remedy="Repair it, for example with shapely.make_valid.",
        )
    return geometry


def _check_bounds(bounds: Sequence[float], what: str) -> None:
    """Refuse a geometry, called `what`, that leaves the world."""
    west, south, east, north = bounds
    if not all(math.isfinite(bound) for bound in bounds):
        raise InvalidInputError(
            f"The {what} has coordinates that are not finite numbers.",
            remedy="Give longitude and latitude in degrees.",
        )
    if west < -180 or east > 180 or south < -90 or north > 90:  # noqa: PLR2004
        raise InvalidInputError(
            f"The {what} reaches from {west:g}, {south:g} to {east:g}, {north:g}, beyond"
            " longitude 180 or latitude 90.",
            remedy="Give degrees; cut it in two at the antimeridian (RFC 7946, section 3.1.9).",
        )


def _refuse_bbox(bbox: Sequence[float], why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The bbox {list(bbox)} {why}.",
        remedy="Write west, south, east, north in degrees, such as 13.0, 54.0, 15.0, 55.0.",
    )


class _Meets(FunctionElement[bool]):
    """Whether a row of `items_index` meets a box and hours: numbers in the order of `_SIDES`.

    It has no type: SQLAlchemy would compare a boolean with 1 on SQLite, and an R*Tree does not
    understand that.
    """

    inherit_cache = True


class _Overlaps(_Meets):
    """The same, asked of the index."""

    inherit_cache = True


_SIDES = ("west", "east", "south", "north", "first_hour", "last_hour")
_MONTH_HOURS = 720
_HOURS = ("span_first_hour", "span_last_hour")


@compiles(_Meets)
def _compare_sides(element: _Meets, compiler: SQLCompiler, **more: Any) -> str:
    """Return the comparisons, which SQLite's R*Tree answers, and no index of PostgreSQL."""
    west, east, south, north, first, last = (
        compiler.process(number, **more) for number in element.clauses
    )
    return (
        f"(items_index.west <= {east} AND items_index.east >= {west}"
        f" AND items_index.south <= {north} AND items_index.north >= {south}"
        f" AND items_index.first_hour <= {last} AND items_index.last_hour >= {first})"
    )


@compiles(_Overlaps, "postgresql")
def _meet_ranges(element: _Overlaps, compiler: SQLCompiler, **more: Any) -> str:
    """Return the comparisons that PostgreSQL's GiST index answers: months, a box, and hours."""
    placeholders = [compiler.process(number, **more) for number in element.clauses]
    columns = [f"items_index.{name}" for name in _SIDES]
    pairs = zip(_write_entry(columns), _write_entry(placeholders), strict=True)
    return "({})".format(" AND ".join(f"{own} && {other}" for own, other in pairs))


def _write_entry(numbers: Sequence[str]) -> tuple[str, str, str]:
    """Return what the index has of a row, the same to the letter as when it was made."""
    west, east, south, north, first, last = numbers
    return (
        _write_range(f"{first} / {_MONTH_HOURS}", f"{last} / {_MONTH_HOURS}"),
        f"box(point({west}, {south}), point({east}, {north}))",
        _write_range(first, last),
    )


def _write_range(first: str, last: str) -> str:
    return f"int4range(CAST(floor({first}) AS integer), CAST(floor({last}) AS integer), '[]')"


def select_overlapping(count: int, *, indexed: bool = True) -> Select[tuple[int]]:
    """Return the query for the keys of items that meet one of some boxes, and a span of time.

    The index has numbers of 32 bits, rounded outwards: these are candidates for an exact check.
    An item across the antimeridian may come twice.

    Parameters
    ----------
    count
        How many boxes; `name_boxes` gives the values.
    indexed
        Whether the index is searched; else it is for rows that are looked up by other conditions.
    """
    meets = _Overlaps if indexed else _Meets
    conditions = [
        meets(*(bindparam(name, type_=Float(53)) for name in (*_name_sides(box), *_HOURS)))
        for box in range(count)
    ]
    return select(items_index.c.item).where(or_(*conditions))


def name_boxes(boxes: Sequence[Box], span: Span) -> dict[str, float]:
    """Return the values of `select_overlapping` by name."""
    values = dict(zip(_HOURS, (moment / HOUR_US for moment in span), strict=True))
    for number, (west, south, east, north) in enumerate(boxes):
        sides = (west, east, south, north)
        values |= dict(zip(_name_sides(number), sides, strict=True))
    return values


def _name_sides(box: int) -> list[str]:
    return [f"box_{box}_{side}" for side in _SIDES[:4]]
