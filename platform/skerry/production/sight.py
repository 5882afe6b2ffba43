"""Which releases, jobs and runs a viewer sees: the table of rules as conditions.

Of a public release, everybody sees it once it is approved; of a public job, its runs that
succeeded.
"""

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from skerry.core.ownership import Viewer
from skerry.models.releases import ReleaseStatus
from skerry.models.runs import RunStatus
from skerry.production.tables import JOB_SHARES, RELEASE_SHARES, jobs, releases, runs


def sees_release(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a viewer sees a row of `releases`."""
    if viewer.is_keeper:
        return true()
    return or_(
        releases.c.owner.in_(sorted(viewer.seen)),
        releases.c.id.in_(RELEASE_SHARES.select_given(viewer)),
        and_(releases.c.public, releases.c.status == ReleaseStatus.APPROVED.value),
    )


def sees_job(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a viewer sees a row of `jobs`."""
    if viewer.is_keeper:
        return true()
    return or_(
        jobs.c.owner.in_(sorted(viewer.seen)),
        jobs.c.name.in_(JOB_SHARES.select_given(viewer)),
        jobs.c.public,
    )


def sees_run(connection: Connection, viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a viewer sees a row of `runs`."""
    if viewer.is_keeper:
        return true()
    own = runs.c.owner.in_(sorted(viewer.seen))
    others = _sees_run_of_others(connection, viewer)
    return own if others is None else or_(own, others)


def divide_runs(connection: Connection, viewer: Viewer) -> list[ColumnElement[bool]]:
    """Return conditions of which each run that a viewer sees meets exactly one.

    The database has an index of the runs of each owner: a viewer who has few runs does not wait for
    the many runs of others.
    """
    if viewer.is_keeper:
        return [true()]
    owners = sorted(viewer.seen)
    others = _sees_run_of_others(connection, viewer)
    parts: list[ColumnElement[bool]] = [runs.c.owner == owner for owner in owners]
    return parts if others is None else [*parts, and_(runs.c.owner.not_in(owners), others)]


def _sees_run_of_others(connection: Connection, viewer: Viewer) -> ColumnElement[bool] | None:
    """Return the condition under which a viewer sees a run that they do not own; None if never.

    The jobs are looked up first: if there are none, the search among all runs is left out. Only the
    owner sees the runs of a deleted job: its shares are gone, and it is no longer public.
    """
    given_jobs = connection.scalars(
        select(jobs.c.id).where(jobs.c.name.in_(JOB_SHARES.select_given(viewer)))
    ).all()
    public_jobs = connection.scalars(select(jobs.c.id).where(jobs.c.public)).all()
    conditions: list[ColumnElement[bool]] = []
    if given_jobs:
        conditions.append(runs.c.job_id.in_(given_jobs))
    if public_jobs:
        conditions.append(
            and_(runs.c.status == RunStatus.SUCCEEDED.value, runs.c.job_id.in_(public_jobs))
        )
    return or_(*conditions) if conditions else None
