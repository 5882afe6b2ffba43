"""Search: candidates from the R*Tree or the time index, then an exact check, in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Row

from skerry.catalog.items import StoredItem, read_item
from skerry.catalog.ordering import NEWEST_FIRST, Order, parse_order
from skerry.catalog.spacetime import (
    EARLIEST,
    LATEST,
    Box,
    Span,
    join_boxes,
    parse_interval,
    read_geometry,
    split_bbox,
)
from skerry.catalog.statements import Form, name_values, write_statement
from skerry.catalog.windows import find_extent, plan_windows
from skerry.core.errors import InvalidInputError
from skerry.core.ownership import Viewer

LARGEST_PAGE = 1000
_MOST_ROWS = 4000
_MOST_NAMES = 10_000  # SQLite binds 250,000 values at most
_LARGE_AREA = 0.25 * 360 * 180  # square degrees


@dataclass(frozen=True)
class SearchQuery:
    """The conditions of a search.

    Attributes
    ----------
    collections, ids
        Names; any one of them must match. An empty tuple matches nothing, None everything.
    area
        Geometry in degrees that the item's geometry must meet.
    boxes
        Boxes that cover `area`, for the index.
    span
        Time that the item's time must overlap.
    limit
        Most items on a page, 1 to 1000.
    order
        The order of the items.
    after
        Place in that order after which the page begins: that of the last item before.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    area: BaseGeometry | None = None
    boxes: tuple[Box, ...] = ()
    span: Span | None = None
    limit: int = 10
    order: Order = NEWEST_FIRST
    after: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Page:
    """One page of results, and the token of the next page; None on the last page."""

    items: list[StoredItem]
    next_token: str | None


def parse_query(
    *,
    collections: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    bbox: Sequence[float] | None = None,
    intersects: Mapping[str, Any] | None = None,
    datetime: str | None = None,
    limit: int | None = None,
    sortby: Sequence[str | Mapping[str, str]] | None = None,
    token: str | None = None,
) -> SearchQuery:
    """Read the parameters of STAC's item search.

    Raises
    ------
    InvalidInputError
        Naming the parameter that is wrong; also if both bbox and intersects are given.
    """
    boxes, area = _read_area(bbox, intersects)
    order = parse_order(sortby)
    count = 10 if limit is None else limit
    if count < 1:
        raise InvalidInputError(f"limit is {count}.", remedy="Ask for 1 to 1000 items a page.")
    return SearchQuery(
        collections=_read_names(collections, "collections"),
        ids=_read_names(ids, "ids"),
        area=area,
        boxes=tuple(boxes),
        span=parse_interval(datetime) if datetime else None,
        limit=min(count, LARGEST_PAGE),
        order=order,
        after=order.read_token(token) if token else None,
    )


def search_items(connection: Connection, query: SearchQuery, *, viewer: Viewer) -> Page:
    """Return one page of the matching items that the asker may see, in the query's order.

    Pages neither repeat nor lose an item when others are registered between them.

    Parameters
    ----------
    connection
        Any.
    query
        The conditions.
    viewer
        Who asks.
    """
    items_page: list[StoredItem] = []
    for item in _iterate(connection, query, viewer=viewer):
        if len(items_page) == query.limit:
            return Page(items_page, query.order.write_token(items_page[-1]))
        items_page.append(item)
    return Page(items_page, None)


def _iterate(connection: Connection, query: SearchQuery, *, viewer: Viewer) -> Iterator[StoredItem]:
    """Return the items that fit, in order, reading no more rows than the caller asks for."""
    if query.area is not None:
        shapely.prepare(query.area)
    for window in _plan_windows(connection, query):
        for row in _iterate_window(connection, query, window, viewer=viewer):
            if query.area is None or query.area.intersects(shape(row.document["geometry"])):
                yield read_item(row)


def _plan_windows(connection: Connection, query: SearchQuery) -> Iterator[Span]:
    """Return the spans in which the items begin that are searched one after the other."""
    if not _is_small(query) or not query.order.is_by_time:
        return iter([(EARLIEST, LATEST)])
    down, span = query.order.is_down, query.span
    if query.after is not None:
        begins, ends = span or (EARLIEST, LATEST)
        reached = query.after[0]
        span = (begins, min(ends, reached)) if down else (max(begins, reached), ends)
    extent = find_extent(connection)
    return plan_windows(extent, _measure(query), span, query.limit + 1, down=down)


def _iterate_window(
    connection: Connection, query: SearchQuery, window: Span, *, viewer: Viewer
) -> Iterator[Row[Any]]:
    """Return the rows of a window, in order.

    Each question has a limit, and the next goes on after its last row: so both databases know
    that a few rows are enough, and choose their way accordingly.
    """
    after, count = query.after, query.limit + 1
    while True:
        statement = write_statement(_describe(query, after, viewer=viewer))
        values = name_values(
            count=count, collections=query.collections, ids=query.ids, span=query.span,
            boxes=query.boxes, window=window, place=after,
        )  # fmt: skip
        rows = connection.execute(statement, values).all()
        yield from rows
        if len(rows) < count:
            return
        after, count = query.order.find_place(read_item(rows[-1])), min(2 * count, _MOST_ROWS)


def _describe(query: SearchQuery, after: tuple[int, ...] | None, *, viewer: Viewer) -> Form:
    return Form(
        viewer, query.order, by_collection=query.collections is not None,
        by_id=query.ids is not None, by_time=query.span is not None, boxes=len(query.boxes),
        is_small=_is_small(query), goes_on=after is not None,
    )  # fmt: skip


def _is_small(query: SearchQuery) -> bool:
    return bool(query.boxes) and _measure(query) < _LARGE_AREA


def _measure(query: SearchQuery) -> float:
    """Return the square degrees of the boxes."""
    return sum((east - west) * (north - south) for west, south, east, north in query.boxes)


def _read_area(
    bbox: Sequence[float] | None, intersects: Mapping[str, Any] | None
) -> tuple[list[Box], BaseGeometry | None]:
    if bbox is not None and intersects is not None:
        raise InvalidInputError(
            "Both bbox and intersects are given.", remedy="Search with one of them."
        )
    if bbox is not None:
        boxes = split_bbox(bbox)
        return boxes, join_boxes(boxes)
    if intersects is not None:
        area = read_geometry(intersects, what="intersects geometry")
        return [area.bounds], area
    return [], None


def _read_names(names: Sequence[str] | None, what: str) -> tuple[str, ...] | None:
    if names and len(names) > _MOST_NAMES:
        raise InvalidInputError(
            f"{what} has {len(names)} names.",
            remedy=f"Ask for at most {_MOST_NAMES} at a time.",
        )
    return None if names is None else tuple(names)
