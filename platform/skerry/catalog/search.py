"""Search: candidates from the R*Tree or the time index, then an exact check, in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, Row

from skerry.catalog.items import StoredItem, read_item
from skerry.catalog.ordering import NEWEST_FIRST, Order, parse_order
from skerry.catalog.sight import Visible, have_fewer, list_visible
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
from skerry.catalog.statements import Form, Way, name_values, write_statement
from skerry.catalog.windows import Window, expect, find_extent, plan_windows
from skerry.core.errors import InvalidInputError
from skerry.core.ownership import Viewer

LARGEST_PAGE = 1000
_MOST_ROWS = 4000
_MOST_NAMES = 10_000  # SQLite binds 250,000 values at most
_MOST_COLLECTIONS = 32
"""Up to this number, collections are searched one after the other."""
_FEW_ITEMS = 20_000
"""This number of items is sorted faster than a person notices."""
_MANY = 500
"""If a place has more items than this, the items of the visible collections are counted too."""
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
    visible = list_visible(connection, viewer, query.collections)
    if visible is not None and not visible.names:
        return
    if query.area is not None:
        shapely.prepare(query.area)
    for way, window in _plan(connection, query, visible):
        form = _describe(query, visible, way, window, viewer=viewer)
        for row in _iterate_window(connection, query, form, visible, window):
            if query.area is None or query.area.intersects(shape(row.document["geometry"])):
                yield read_item(row)


def _plan(
    connection: Connection, query: SearchQuery, visible: Visible | None
) -> Iterator[tuple[Way, Window]]:
    """Return the windows of time to search, one after the other, each with the way to do it.

    If the visible collections have fewer items than the place, those items are searched instead:
    nobody waits for the many items that others have there.
    """
    if not _is_small(query):
        yield _choose_way(connection, query, visible), Window()
        return
    for window in _plan_windows(connection, query):
        many = window.expected
        if visible and many > _MANY and have_fewer(connection, visible, int(many)):
            whole = replace(window, begins=EARLIEST) if query.order.is_down else (
                replace(window, ends=LATEST)
            )  # fmt: skip
            yield _choose_way(connection, query, visible, are_few=True), whole
            return
        yield Way.PLACE, window


def _choose_way(
    connection: Connection, query: SearchQuery, visible: Visible | None, *, are_few: bool = False
) -> Way:
    """Return the way of a search that does not begin with the spatial index."""
    if visible is None or query.ids is not None:
        return Way.ORDER
    if query.order.is_by_time and len(visible.names) <= _MOST_COLLECTIONS:
        return Way.COLLECTIONS
    are_few = are_few or have_fewer(connection, visible, _FEW_ITEMS)
    return Way.FEW if are_few else Way.ORDER


def _plan_windows(connection: Connection, query: SearchQuery) -> Iterator[Window]:
    """Return the spans in which the spatial index is searched one after the other."""
    extent, area = find_extent(connection), _measure(query)
    if not query.order.is_by_time:
        return iter([Window(expected=expect(extent, area, query.span))])
    down, span = query.order.is_down, query.span
    if query.after is not None:
        begins, ends = span or (EARLIEST, LATEST)
        reached = query.after[0]
        span = (begins, min(ends, reached)) if down else (max(begins, reached), ends)
    return plan_windows(extent, area, span, query.limit + 1, down=down)


def _iterate_window(
    connection: Connection, query: SearchQuery, form: Form, visible: Visible | None, window: Window
) -> Iterator[Row[Any]]:
    """Return the rows of a window, in order.

    Each statement asks for a limited number of rows, and the next continues after its last row.
    From the limit, both databases know that they need not sort all rows.
    """
    after, count = query.after, query.limit + 1
    while True:
        values = name_values(
            count=count, visible=visible, ids=query.ids, span=query.span, boxes=query.boxes,
            window=(window.begins, window.ends), place=after,
        )  # fmt: skip
        rows = connection.execute(write_statement(form), values).all()
        yield from rows
        if len(rows) < count:
            return
        after, count = query.order.find_place(read_item(rows[-1])), min(2 * count, _MOST_ROWS)
        form = replace(form, goes_on=True)


def _describe(
    query: SearchQuery, visible: Visible | None, way: Way, window: Window, *, viewer: Viewer
) -> Form:
    form = Form(
        viewer, query.order, way=way, by_id=query.ids is not None,
        by_collection=query.collections is not None or way is Way.FEW,
        by_time=query.span is not None, boxes=len(query.boxes),
        in_window=way is Way.PLACE or (window.begins, window.ends) != (EARLIEST, LATEST),
        goes_on=query.after is not None,
    )  # fmt: skip
    if way is not Way.COLLECTIONS or visible is None:
        return form
    # searches of all viewers share a statement: the collections are values of it
    anybody = replace(viewer, owners=frozenset())
    own, others = len(visible.own), len(visible.others)
    return replace(form, viewer=anybody, own=own, others=others, by_collection=False)


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
