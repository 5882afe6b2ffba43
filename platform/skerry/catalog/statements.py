"""The SQL statements of searches: searches of one form share a statement, with other values.

They are kept, because writing a statement takes as long as running it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    bindparam,
    literal_column,
    select,
    union_all,
)

from skerry.catalog.items import select_items
from skerry.catalog.ordering import Order
from skerry.catalog.sight import Visible
from skerry.catalog.spacetime import Box, Span, name_boxes, select_overlapping
from skerry.catalog.tables import items, items_index
from skerry.catalog.versions import is_published, is_shown, is_shown_to_owner
from skerry.core.ownership import Viewer

_FORMS = 256


class Way(Enum):
    """Where a search begins: where it has the fewest items to look at."""

    ORDER = auto()
    """It goes through all items in order."""
    PLACE = auto()
    """It asks the spatial index first, and sorts what that gives."""
    COLLECTIONS = auto()
    """It goes through each of a few collections in order, and sorts the first items of each."""
    FEW = auto()
    """It looks at all items of collections that have few, and sorts them."""


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
    way
        Where it begins.
    own, others
        How many collections it goes through that belong to the viewer, and that do not.
    in_window
        Whether it keeps to a window of time.
    goes_on
        Whether it begins after a place in the order.
    """

    viewer: Viewer
    order: Order
    by_collection: bool = False
    by_id: bool = False
    by_time: bool = False
    boxes: int = 0
    way: Way = Way.ORDER
    own: int = 0
    others: int = 0
    in_window: bool = False
    goes_on: bool = False


@lru_cache(maxsize=_FORMS)
def write_statement(form: Form) -> Select[Any]:
    """Return the statement of a form; `name_values` gives its values."""
    if form.way is Way.COLLECTIONS:
        statement = select_items().where(items.c.key.in_(_select_first_of_each(form)))
    else:
        statement = select_items().where(is_shown(form.viewer), *_list_conditions(form))
        if form.by_collection:
            statement = statement.where(items.c.collection.in_(_many("collections")))
    sorting = form.order.sort(indexed=form.way is Way.ORDER)
    return statement.order_by(*sorting).limit(_COUNT)


def _select_first_of_each(form: Form) -> Select[tuple[int]]:
    """Return the query for the first items of each collection; the first of all are among them."""
    shown = [is_shown_to_owner(form.viewer)] * form.own + [is_published()] * form.others
    conditions, sorting = _list_conditions(form), form.order.sort(indexed=True)
    parts = [
        select(items.c.key)
        .where(items.c.collection == bindparam(f"collection_{number}"), condition, *conditions)
        .order_by(*sorting)
        .limit(_COUNT)
        .correlate(None)
        .subquery(f"part_{number}")
        for number, condition in enumerate(shown)
    ]
    return select(union_all(*(select(part.c.key) for part in parts)).subquery("parts").c.key)


def _list_conditions(form: Form) -> list[ColumnElement[bool]]:
    """Return all conditions except those on collections and versions."""
    conditions: list[ColumnElement[bool]] = []
    if form.by_id:
        conditions.append(items.c.id.in_(_many("ids")))
    if form.by_time:
        span = items.c.begins <= _moment("span_ends"), items.c.ends >= _moment("span_begins")
        conditions += span
    if form.boxes:
        conditions += _meet_boxes(form)
    if form.in_window:
        # written so that no index on this column is used: the spatial index is searched first
        begins = literal_column("+items.begins", BigInteger)
        column: ColumnElement[int] = begins if form.way is Way.PLACE else items.c.begins
        conditions += [column >= _moment("window_begins"), column <= _moment("window_ends")]
    if form.goes_on:
        places = [_moment(f"place_{rank}") for rank in range(form.order.length)]
        conditions.append(form.order.continue_after(places))
    return conditions


def name_values(
    *, count: int, visible: Visible | None, ids: Sequence[str] | None, span: Span | None,
    boxes: Sequence[Box], window: Span, place: Sequence[int] | None,
) -> Mapping[str, Any]:  # fmt: skip
    """Return the values of a statement by name.

    Parameters
    ----------
    visible
        The collections that are searched; None if all are.
    window
        Span in which the items begin, if the form keeps to one.
    """
    values: dict[str, Any] = {"count": count}
    values |= {"window_begins": window[0], "window_ends": window[1]}
    if visible is not None:
        values["collections"] = visible.names
        values |= {f"collection_{rank}": name for rank, name in enumerate(visible.names)}
    if ids is not None:
        values["ids"] = ids
    if span is not None:
        values |= {"span_begins": span[0], "span_ends": span[1]}
    if boxes:
        begins, ends = span or window
        times = max(begins, window[0]), min(ends, window[1])
        values |= name_boxes(boxes, times)
    return values | {f"place_{rank}": number for rank, number in enumerate(place or ())}


def _meet_boxes(form: Form) -> list[ColumnElement[bool]]:
    """Return the condition on place: search the index first, or look up item by item."""
    if form.way is Way.PLACE:
        return [items.c.key.in_(select_overlapping(form.boxes))]
    candidates = select_overlapping(form.boxes, indexed=False)
    sides = items_index.c.id.in_((2 * items.c.key, 2 * items.c.key + 1))
    return [candidates.where(sides).correlate(items).exists()]


_COUNT = bindparam("count", type_=BigInteger)


def _moment(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


def _many(name: str) -> Any:
    return bindparam(name, expanding=True)
