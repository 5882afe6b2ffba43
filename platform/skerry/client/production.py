"""Releases, jobs and runs over HTTP, in the models that the api answers with."""

from collections.abc import Sequence

from skerry.client.session import Session, join_address
from skerry.models.jobs import Job, JobList, JobOrder, JobPlan, PlannedRun
from skerry.models.releases import Approval, Proposal, Release, ReleaseList
from skerry.models.runs import Run, RunCounts, RunDetails, RunList, RunOrder, RunStatus
from skerry.models.shares import OwnerOrder, PublicOrder


def list_releases(session: Session) -> Sequence[Release]:
    """Return the releases that the account sees, newest first."""
    return session.fetch(ReleaseList, "GET", _name_release()).releases


def fetch_release(session: Session, name: str) -> Release:
    """Return a release by id, or the newest release of a name, an approved release if possible."""
    return session.fetch(Release, "GET", _name_release(name))


def propose_release(session: Session, proposal: Proposal) -> Release:
    """Propose a notebook as a release."""
    return session.fetch(Release, "POST", _name_release(), json=proposal)


def approve_release(session: Session, seen: Release, *, own: bool) -> Release:
    """Approve a proposal with the content that `seen` has.

    Parameters
    ----------
    session
        The session of the account that approves.
    seen
        The proposal as the approver has seen it.
    own
        The approver knows that the proposal is their own.
    """
    approval = Approval(
        self=own,
        notebook_digest=seen.notebook_digest,
        environment_digest=seen.environment_digest,
    )
    return session.fetch(Release, "POST", _name_release(seen.id, "approve"), json=approval)


def reject_release(session: Session, release: str) -> Release:
    """Refuse a proposal, by id."""
    return session.fetch(Release, "POST", _name_release(release, "reject"))


def give_release(session: Session, release: str, owner: str) -> Release:
    """Let a release belong to ``person:<name>`` or ``project:<name>``."""
    body = OwnerOrder(owner=owner)
    return session.fetch(Release, "PUT", _name_release(release, "owner"), json=body)


def open_release(session: Session, release: str, *, public: bool) -> Release:
    """Open a release to everybody without login, once it is approved, or close it again."""
    body = PublicOrder(public=public)
    return session.fetch(Release, "PUT", _name_release(release, "public"), json=body)


def list_jobs(session: Session) -> Sequence[Job]:
    """Return the jobs that the account sees, by name."""
    return session.fetch(JobList, "GET", _name_job()).jobs


def fetch_job(session: Session, name: str) -> Job:
    """Return a job by name."""
    return session.fetch(Job, "GET", _name_job(name))


def plan_job(session: Session, name: str, count: int) -> Sequence[PlannedRun]:
    """Return the next runs of a job's clock, or the run that would start by hand now."""
    return session.fetch(JobPlan, "GET", _name_job(name, "plan"), params={"count": count}).runs


def create_job(session: Session, order: JobOrder) -> Job:
    """Create a job."""
    return session.fetch(Job, "POST", _name_job(), json=order)


def pause_job(session: Session, name: str, *, paused: bool) -> Job:
    """Pause a job's clock, or let it go on from now."""
    return session.fetch(Job, "POST", _name_job(name, "pause" if paused else "resume"))


def give_job(session: Session, job: str, owner: str) -> Job:
    """Let a job and its runs belong to ``person:<name>`` or ``project:<name>``."""
    return session.fetch(Job, "PUT", _name_job(job, "owner"), json=OwnerOrder(owner=owner))


def open_job(session: Session, job: str, *, public: bool) -> Job:
    """Open a job and its successful runs to everybody without login, or close them again."""
    body = PublicOrder(public=public)
    return session.fetch(Job, "PUT", _name_job(job, "public"), json=body)


def list_runs(
    session: Session,
    *,
    job: str | None = None,
    status: str | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> Sequence[Run]:
    """Return runs, newest first.

    Parameters
    ----------
    session
        The session of the account that asks.
    job, status
        Only runs of this job, or with this status.
    before
        Only runs older than the run with this id.
    limit
        How many at most; the api's own limit if it is left out.
    """
    query = {"job": job, "status": status, "before": before, "limit": limit}
    return session.fetch(RunList, "GET", _name_run(), params=query).runs


def count_runs(session: Session, job: str | None = None) -> dict[RunStatus, int]:
    """Return how many runs that the account sees have each status, of all jobs or of one job."""
    return session.fetch(RunCounts, "GET", _name_run("counts"), params={"job": job}).counts


def fetch_run(session: Session, run: str) -> RunDetails:
    """Return a run by id, or by a beginning that only it has."""
    return session.fetch(RunDetails, "GET", _name_run(run))


def start_run(session: Session, job: str, order: RunOrder) -> RunDetails:
    """Start a run of a job."""
    return session.fetch(RunDetails, "POST", _name_job(job, "runs"), json=order)


def cancel_run(session: Session, run: str) -> RunDetails:
    """Cancel a run; a running run ends shortly afterwards."""
    return session.fetch(RunDetails, "POST", _name_run(run, "cancel"))


def retry_run(session: Session, run: str) -> RunDetails:
    """Queue a failed, cancelled or passed run again."""
    return session.fetch(RunDetails, "POST", _name_run(run, "retry"))


def _name_release(*words: str) -> str:
    return join_address("production", "releases", *words)


def _name_job(*words: str) -> str:
    return join_address("production", "jobs", *words)


def _name_run(*words: str) -> str:
    return join_address("production", "runs", *words)
