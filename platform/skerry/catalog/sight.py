"""Which collections a viewer sees: the table of rules of `skerry.core.ownership` as conditions."""

from sqlalchemy import ColumnElement, Select, not_, or_, select, true

from skerry.catalog.tables import SHARES, collections
from skerry.core.ownership import Viewer

_ALL = collections.alias("all_collections")


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
    names = sorted(viewer.owners)
    return or_(_ALL.c.owner.in_(names), _ALL.c.id.in_(SHARES.select_given(viewer)))
