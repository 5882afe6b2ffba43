"""Which collections a viewer sees: the table of rules of `skerry.core.ownership` as conditions."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from skerry.catalog.tables import SHARES, collections, items
from skerry.core.ownership import Viewer

_ALL = collections.alias("all_collections")


@dataclass(frozen=True)
class Visible:
    """The names of collections that a viewer sees.

    Attributes
    ----------
    own
        Those that belong or are given to them.
    others
        Other public collections.
    """

    own: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.own, *self.others)


def list_visible(
    connection: Connection, viewer: Viewer, choice: Collection[str] | None
) -> Visible | None:
    """Return the collections that a viewer sees, of those that are asked for; None means all."""
    if choice is None and viewer.is_keeper:
        return None
    values = {} if choice is None else {"choice": tuple(choice)}
    rows = connection.execute(_ask_visible(viewer, of_some=choice is not None), values).all()
    own = tuple(row.id for row in rows if row.own)
    return Visible(own, tuple(row.id for row in rows if not row.own))


def have_fewer(connection: Connection, visible: Visible, count: int) -> bool:
    """Return whether collections have fewer items than `count`; counting stops there."""
    rows = select(items.c.key).where(items.c.collection.in_(visible.names)).limit(count)
    counted = connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
    return counted < count


@lru_cache(1024)
def _ask_visible(viewer: Viewer, *, of_some: bool) -> Select[Any]:
    own: ColumnElement[bool] = true() if viewer.is_keeper else false()
    if viewer.owners and not viewer.is_keeper:
        own = collections.c.id.in_(select_belonging(viewer))
    query = select(collections.c.id, own.label("own")).where(is_visible(viewer))
    if of_some:
        query = query.where(collections.c.id.in_(bindparam("choice", expanding=True)))
    return query.order_by(collections.c.id)


def is_visible(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a viewer sees a row of `collections`."""
    if viewer.is_keeper:
        return true()
    if not viewer.owners:
        return collections.c.public
    return or_(collections.c.public, collections.c.id.in_(select_belonging(viewer)))


def select_belonging(viewer: Viewer) -> Select[tuple[str]]:
    """Return the query for the collections that belong or are given to a viewer."""
    return select(_ALL.c.id).where(_belongs(viewer))


def select_hidden(viewer: Viewer) -> Select[tuple[str]]:
    """Return the query for the collections that a viewer does not see."""
    return select(_ALL.c.id).where(not_(or_(_ALL.c.public, _belongs(viewer))))


def _belongs(viewer: Viewer) -> ColumnElement[bool]:
    names = sorted(viewer.seen)
    return or_(_ALL.c.owner.in_(names), _ALL.c.id.in_(SHARES.select_given(viewer)))
