"""The run history and the jobs from the api, prepared for display."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from skerry.client import production
from skerry.client.session import Session
from skerry.core.errors import NotFoundError
from skerry.core.time import format_time, utc_now
from skerry.models.jobs import ClockTrigger, Job
from skerry.models.runs import Attempt, Output, Run, RunDetails, RunStatus
from skerry.storage.run_folder import RunFile

RUNS_SHOWN = 25
STATUSES = tuple(status.value for status in RunStatus)

_TITLES = {RunFile.PAGE: "Notebook", RunFile.LOG: "Log", RunFile.MANIFEST: "Manifest"}


@dataclass(frozen=True)
class RunRow:
    """One run as a line of the table.

    Attributes
    ----------
    started, duration
        Text for people; empty while the run is waiting.
    epoch
        The number of the last execution; 0 while there was none.
    progress
        Cells done and cells in all, None when the run says nothing.
    address, job_address
        The run's own page, and the page of its job's runs.
    products
        Address of the map page and name of each published item.
    """

    id: str
    job: str
    release: str
    status: str
    occurrence: str
    started: str
    duration: str
    epoch: int
    self_approved: bool
    progress: tuple[int, int] | None
    cell: str
    detail: str
    products: tuple[tuple[str, str], ...]
    address: str
    job_address: str


@dataclass(frozen=True)
class AttemptRow:
    """One attempt of a run as a line of the table; `files` are addresses and names."""

    epoch: int
    status: str
    started: str
    duration: str
    detail: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class JobRow:
    """One job as a line of the table.

    Attributes
    ----------
    next_tick, local_tick
        In UTC, and in the job's own time zone where that is another; both empty for a job that
        is started by hand or paused.
    """

    name: str
    address: str
    release: str
    trigger: str
    next_tick: str
    local_tick: str
    paused: bool
    collection: str
    review: str


@dataclass(frozen=True)
class RunFilter:
    """The filter of a page of runs.

    Attributes
    ----------
    job, status
        Only runs with these values; all runs where empty.
    before
        Only runs older than the run with this id; the newest where empty.
    """

    job: str = ""
    status: str = ""
    before: str = ""

    def link(self, prefix: str, **changes: str) -> str:
        """Return the address of the page with this filter, or with a changed filter."""
        values = {**asdict(self), **changes}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{prefix}/runs?{query}" if query else f"{prefix}/runs"


@dataclass(frozen=True)
class RunList:
    """A page of runs, and the address of the page of older ones; empty for the last page."""

    rows: list[RunRow]
    older: str


def read_runs(session: Session, run_filter: RunFilter, *, prefix: str) -> RunList:
    """Ask the api for a page of runs, newest first."""
    runs = production.list_runs(
        session, job=run_filter.job or None, status=run_filter.status or None,
        before=run_filter.before or None, limit=RUNS_SHOWN + 1,
    )  # fmt: skip
    rows = [describe_run(run, prefix=prefix) for run in runs]
    page = rows[:RUNS_SHOWN]
    older = run_filter.link(prefix, before=page[-1].id) if len(rows) > RUNS_SHOWN else ""
    return RunList(page, older)


def read_run(session: Session, run: str) -> RunDetails:
    """Ask the api for one run, with its attempts."""
    if not run:
        raise NotFoundError(
            "This address names no run.", remedy="Choose a run on the page Runs: its id leads here."
        )
    return production.fetch_run(session, run)


def read_jobs(session: Session, *, prefix: str) -> list[JobRow]:
    """Ask the api for the jobs, those with a coming tick first."""
    rows = [describe_job(job, prefix=prefix) for job in production.list_jobs(session)]
    return sorted(rows, key=lambda row: (not row.next_tick, row.next_tick, row.name))


def describe_run(run: Run, *, prefix: str, now: datetime | None = None) -> RunRow:
    """Return the line of one run.

    Parameters
    ----------
    run
        The run as the api describes it.
    prefix
        The dashboards' path, for links to the map.
    now
        The present instant, up to which an active run has lasted.
    """
    return RunRow(
        id=run.id,
        job=run.job,
        release=run.release_name,
        status=run.status,
        occurrence=run.occurrence,
        started=show_time(run.started),
        duration=show_duration(run.started, run.ended, now or utc_now()),
        epoch=run.epoch,
        self_approved=run.self_approved,
        progress=_read_progress(run),
        cell=run.progress.cell or "",
        detail=run.detail or "",
        products=tuple(_link_product(output, prefix) for output in run.outputs),
        address=f"{prefix}/run?{urlencode({'id': run.id})}",
        job_address=RunFilter(job=run.job).link(prefix),
    )


def describe_attempts(run: RunDetails, *, now: datetime | None = None) -> list[AttemptRow]:
    """Return the lines of a run's attempts, newest first."""
    return [
        AttemptRow(
            epoch=attempt.epoch,
            status=attempt.status,
            started=show_time(attempt.started),
            duration=show_duration(attempt.started, attempt.ended, now or utc_now()),
            detail=attempt.detail or "",
            files=_link_files(attempt),
        )
        for attempt in reversed(run.attempts)
    ]


def describe_job(job: Job, *, prefix: str) -> JobRow:
    """Return the line of one job."""
    clock = job.trigger if isinstance(job.trigger, ClockTrigger) else None
    return JobRow(
        name=job.name,
        address=RunFilter(job=job.name).link(prefix),
        release=job.release_name,
        trigger=f"{clock.cron} ({clock.timezone})" if clock else "by hand",
        next_tick=show_time(job.next_tick),
        local_tick=show_local_time(job.next_tick, clock.timezone) if clock else "",
        paused=job.paused and clock is not None,
        collection=job.collection,
        review=job.policy.review,
    )


def show_time(moment: datetime | None) -> str:
    """Return an instant as ``2026-05-01 10:30:00 UTC``; empty for none."""
    if moment is None:
        return ""
    return format_time(moment.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")


def show_local_time(moment: datetime | None, timezone: str) -> str:
    """Return an instant as ``12:30 Europe/Berlin`` (with its day); empty for none, and for UTC."""
    if moment is None or timezone == "UTC":
        return ""
    try:
        local = moment.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError):
        return ""
    return f"{local:%Y-%m-%d %H:%M} {timezone}"


def show_duration(started: datetime | None, ended: datetime | None, now: datetime) -> str:
    """Return how long a run has lasted, in hours, minutes and seconds."""
    if started is None:
        return ""
    seconds = max(0, round(((ended or now) - started).total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _read_progress(run: Run) -> tuple[int, int] | None:
    total = run.progress.total
    if not total or run.status is not RunStatus.RUNNING:
        return None
    return min(run.progress.done, total), total


def _link_files(attempt: Attempt) -> tuple[tuple[str, str], ...]:
    """Return address and title of the files that the attempt has written, the page first."""
    addresses = {Path(urlsplit(address).path).name: address for address in attempt.files}
    return tuple((addresses[name], title) for name, title in _TITLES.items() if name in addresses)


def _link_product(output: Output, prefix: str) -> tuple[str, str]:
    return f"{prefix}/map?item={output.collection}/{output.item}", output.output
