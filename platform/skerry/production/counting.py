"""Counts of runs, attempts and waiting runs, for those who watch the platform."""

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from skerry.core.ownership import Viewer
from skerry.models.runs import RunStatus
from skerry.production.sight import sees_run_of_others
from skerry.production.tables import attempts, runs


def count_runs(
    connection: Connection, *, viewer: Viewer, job: str | None = None
) -> dict[RunStatus, int]:
    """Return how many runs have each status, of all jobs that the viewer may see or of one."""
    query = select(runs.c.status, func.count()).group_by(runs.c.status)
    if job is not None:
        query = query.where(runs.c.job_name == job)
    counted: Counter[str] = Counter()
    for part in _divide(connection, viewer):  # an index has the runs of each owner by status
        for status, count in connection.execute(query.where(part)):
            counted[status] += count
    return {status: counted.get(status, 0) for status in RunStatus}


def _divide(connection: Connection, viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return conditions of which each run that a viewer sees meets one."""
    if viewer.is_keeper:
        return [true()]
    owners = sorted(viewer.owners)
    others = sees_run_of_others(connection, viewer)
    parts: list[ColumnElement[bool]] = [runs.c.owner == owner for owner in owners]
    return parts if others is None else [*parts, and_(runs.c.owner.not_in(owners), others)]


def count_attempts(connection: Connection) -> dict[str, int]:
    """Return how many attempts have each status, of all runs."""
    query = select(attempts.c.status, func.count()).group_by(attempts.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def find_longest_waiting(connection: Connection) -> datetime | None:
    """Return since when the run has waited that waits longest; None when no run waits."""
    query = select(func.min(runs.c.created_at)).where(runs.c.status == "queued")
    waiting: datetime | None = connection.scalar(query)
    return waiting
