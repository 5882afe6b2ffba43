"""The statements of searches: searches of one form share a statement and differ in its values.

To write a statement takes as long as to answer it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, literal_column

from skerry.catalog.items import select_items
from skerry.catalog.ordering import Order
from skerry.catalog.spacetime import Box, Span, name_boxes, select_overlapping
from skerry.catalog.tables import items, items_index
from skerry.catalog.versions import is_shown
from skerry.core.ownership import Viewer

_FORMS = 256


@dataclass(frozen=True)
class Form:
    """What a search asks for.

    Attributes
    ----------
    viewer
        Who asks.
    order
        The order of the items.
    by_collection, by_id, by_time
        Whether it has such conditions.
    boxes
        How many boxes its area has.
    is_small
        Whether the index is searched first, and what it gives is sorted. A search of a large part
        of the world has too many candidates for that: it goes through the items in order instead.
    goes_on
        Whether it begins after a place in the order.
    """

    viewer: Viewer
    order: Order
    by_collection: bool = False
    by_id: bool = False
    by_time: bool = False
    boxes: int = 0
    is_small: bool = False
    goes_on: bool = False


@lru_cache(maxsize=_FORMS)
def write_statement(form: Form) -> Select[Any]:
    """Return the statement of a form; `name_values` gives its values."""
    statement = select_items().where(is_shown(form.viewer))
    if form.by_collection:
        statement = statement.where(items.c.collection.in_(_many("collections")))
    if form.by_id:
        statement = statement.where(items.c.id.in_(_many("ids")))
    if form.by_time:
        statement = statement.where(
            items.c.begins <= _moment("span_ends"), items.c.ends >= _moment("span_begins")
        )
    if form.boxes:
        statement = statement.where(*_meet_boxes(form))
    if form.goes_on:
        places = [_moment(f"place_{rank}") for rank in range(form.order.length)]
        statement = statement.where(form.order.continue_after(places))
    sorting = form.order.sort(indexed=not form.is_small)
    return statement.order_by(*sorting).limit(bindparam("count", type_=BigInteger))


def name_values(
    *, count: int, collections: Sequence[str] | None, ids: Sequence[str] | None, span: Span | None,
    boxes: Sequence[Box], window: Span, place: Sequence[int] | None,
) -> Mapping[str, Any]:  # fmt: skip
    """Return the values of a statement by name.

    Parameters
    ----------
    window
        Span in which the items begin, where the index is searched first.
    """
    values: dict[str, Any] = {"count": count}
    if collections is not None:
        values["collections"] = collections
    if ids is not None:
        values["ids"] = ids
    if span is not None:
        values |= {"span_begins": span[0], "span_ends": span[1]}
    if boxes:
        begins, ends = span or window
        times = max(begins, window[0]), min(ends, window[1])
        values |= name_boxes(boxes, times)
        values |= {"window_begins": window[0], "window_ends": window[1]}
    return values | {f"place_{rank}": number for rank, number in enumerate(place or ())}


def _meet_boxes(form: Form) -> list[ColumnElement[bool]]:
    """Return the conditions on place: search the index first, or look up item by item."""
    candidates = select_overlapping(form.boxes)
    if not form.is_small:
        sides = items_index.c.id.in_((2 * items.c.key, 2 * items.c.key + 1))
        return [candidates.where(sides).correlate(items).exists()]
    # a column that no index has: the spatial index knows the window, and is to be searched first
    begins: ColumnElement[int] = literal_column("+items.begins", BigInteger)
    return [
        items.c.key.in_(candidates),
        begins >= _moment("window_begins"),
        begins <= _moment("window_ends"),
    ]


def _moment(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _many(name: str) -> Any:
    return bindparam(name, expanding=True)
