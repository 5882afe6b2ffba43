"""Which releases, jobs and runs a viewer sees: the table of rules as a condition."""

from sqlalchemy import ColumnElement, Table, true

from skerry.core.ownership import Viewer


def is_visible(viewer: Viewer, table: Table) -> ColumnElement[bool]:
    """Return the condition under which a viewer sees a row of `table`, which has an owner."""
    if viewer.is_keeper:
        return true()
    return table.c.owner.in_(sorted(viewer.owners))
