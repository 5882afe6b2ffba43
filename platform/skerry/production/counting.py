"""Counts of attempts and of waiting runs, for those who watch the platform."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from skerry.production.tables import attempts, runs


def count_attempts(connection: Connection) -> dict[str, int]:
    """Return how many attempts have each status, of all runs."""
    query = select(attempts.c.status, func.count()).group_by(attempts.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def find_longest_waiting(connection: Connection) -> datetime | None:
    """Return since when the run has waited that waits longest; None when no run waits."""
    query = select(func.min(runs.c.created_at)).where(runs.c.status == "queued")
    waiting: datetime | None = connection.scalar(query)
    return waiting
