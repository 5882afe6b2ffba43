"""Counts of runs, attempts and waiting runs, for those who watch the platform."""

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, func, select

from skerry.core.ownership import Viewer
from skerry.models.runs import RunStatus
from skerry.production.sight import divide_runs
from skerry.production.tables import attempts, runs


def count_runs(
    connection: Connection, *, viewer: Viewer, job: str | None = None
) -> dict[RunStatus, int]:
    """Return how many runs have each status, of all jobs that the viewer may see or of one."""
    query = select(runs.c.status, func.count()).group_by(runs.c.status)
    if job is not None:
        query = query.where(runs.c.job_name == job)
    counted: Counter[str] = Counter()
    for part in divide_runs(connection, viewer):
        for status, count in connection.execute(query.where(part)):
            counted[status] += count
    return {status: counted.get(status, 0) for status in RunStatus}


def count_attempts(connection: Connection) -> dict[str, int]:
    """Return how many attempts have each status, of all runs."""
    query = select(attempts.c.status, func.count()).group_by(attempts.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def find_longest_waiting(connection: Connection) -> datetime | None:
    """Return since when the longest waiting run has waited; None when no run waits."""
    query = select(func.min(runs.c.created_at)).where(runs.c.status == "queued")
    waiting: datetime | None = connection.scalar(query)
    return waiting
