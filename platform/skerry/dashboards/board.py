"""The run history and the jobs from the api, prepared for display."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from skerry.client import Session
from skerry.client.session import join_address
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.settings import API_PREFIX
from skerry.core.time import format_time, parse_time, utc_now
from skerry.storage.run_folder import RunFile

RUNS_SHOWN = 25
STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "passed")
ENDED = frozenset({"succeeded", "failed", "cancelled", "passed"})


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
    query = {name: value or None for name, value in asdict(run_filter).items()}
    answer = session.request("GET", "production/runs", params={"limit": RUNS_SHOWN + 1, **query})
    rows = [describe_run(run, prefix=prefix) for run in answer["runs"]]
    page = rows[:RUNS_SHOWN]
    older = run_filter.link(prefix, before=page[-1].id) if len(rows) > RUNS_SHOWN else ""
    return RunList(page, older)


def read_run(session: Session, run: str) -> dict[str, Any]:
    """Ask the api for one run, with its attempts."""
    if not run:
        raise NotFoundError(
            "This address names no run.", remedy="Choose a run on the page Runs: its id leads here."
        )
    return dict(session.request("GET", join_address("production", "runs", run)))


def count_runs(session: Session, job: str = "") -> dict[str, int]:
    """Ask the api how many runs have each status."""
    answer = session.request("GET", "production/runs/counts", params={"job": job or None})
    return dict(answer["counts"])


def read_jobs(session: Session, *, prefix: str) -> list[JobRow]:
    """Ask the api for the jobs, those with a coming tick first."""
    answer = session.request("GET", "production/jobs")
    rows = [describe_job(job, prefix=prefix) for job in answer["jobs"]]
    return sorted(rows, key=lambda row: (not row.next_tick, row.next_tick, row.name))


def describe_run(run: dict[str, Any], *, prefix: str, now: datetime | None = None) -> RunRow:
    """Return the line of one run.

    Parameters
    ----------
    run
        The run's JSON from the api.
    prefix
        The dashboards' path, for links to the map.
    now
        The present instant, up to which an active run has lasted.
    """
    started = run.get("started")
    status = str(run["status"])
    progress = run.get("progress") or {}
    return RunRow(
        id=str(run["id"]),
        job=str(run["job"]),
        release=str(run.get("release_name") or run.get("release") or ""),
        status=status,
        occurrence=str(run.get("occurrence") or ""),
        started=show_time(started),
        duration=show_duration(started, run.get("ended"), now or utc_now()),
        epoch=int(run.get("epoch") or 0),
        self_approved=bool(run.get("self_approved")),
        progress=_read_progress(progress, running=status == "running"),
        cell=str(progress.get("cell") or ""),
        detail=str(run.get("detail") or ""),
        products=tuple(_link_product(output, prefix) for output in run.get("outputs") or []),
        address=f"{prefix}/run?{urlencode({'id': run['id']})}",
        job_address=RunFilter(job=str(run["job"])).link(prefix),
    )


def describe_attempts(run: dict[str, Any], *, now: datetime | None = None) -> list[AttemptRow]:
    """Return the lines of a run's attempts, newest first."""
    return [
        AttemptRow(
            epoch=int(attempt["epoch"]),
            status=str(attempt["status"]),
            started=show_time(attempt.get("started")),
            duration=show_duration(attempt.get("started"), attempt.get("ended"), now or utc_now()),
            detail=str(attempt.get("detail") or ""),
            files=_link_files(str(run["id"]), attempt),
        )
        for attempt in reversed(run.get("attempts") or [])
    ]


def describe_job(job: dict[str, Any], *, prefix: str) -> JobRow:
    """Return the line of one job."""
    trigger = job.get("trigger") or {}
    policy = job.get("policy") or {}
    by_clock = trigger.get("kind") == "clock"
    return JobRow(
        name=str(job["name"]),
        address=RunFilter(job=str(job["name"])).link(prefix),
        release=str(job.get("release_name") or job.get("release") or ""),
        trigger=f"{trigger.get('cron')} ({trigger.get('timezone') or 'UTC'})"
        if by_clock
        else "by hand",
        next_tick=show_time(job.get("next_tick")),
        local_tick=show_local_time(job.get("next_tick"), trigger.get("timezone") or "UTC"),
        paused=bool(job.get("paused")),
        collection=str(job.get("collection") or ""),
        review=str(policy.get("review") or "none"),
    )


def show_time(text: Any) -> str:
    """Return an instant as ``2026-05-01 10:30:00 UTC``; empty for none, as it is if unreadable."""
    if not isinstance(text, str):
        return ""
    try:
        moment = parse_time(text)
    except InvalidInputError:
        return text
    return format_time(moment.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")


def show_local_time(text: str | None, timezone: str) -> str:
    """Return an instant as ``12:30 Europe/Berlin`` (with its day); empty for none, and for UTC."""
    if not text or timezone == "UTC":
        return ""
    try:
        moment = parse_time(text).astimezone(ZoneInfo(timezone))
    except (InvalidInputError, ZoneInfoNotFoundError, ValueError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M} {timezone}"


def show_duration(started: str | None, ended: str | None, now: datetime) -> str:
    """Return how long a run has lasted, in hours, minutes and seconds."""
    if not started:
        return ""
    seconds = max(
        0, round(((parse_time(ended) if ended else now) - parse_time(started)).total_seconds())
    )
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _read_progress(progress: dict[str, Any], *, running: bool) -> tuple[int, int] | None:
    total = int(progress.get("total") or 0)
    if not total or not running:
        return None
    return min(int(progress.get("done") or 0), total), total


def _link_files(run: str, attempt: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    folder = f"{API_PREFIX}/production/runs/{quote(run)}/files"
    names = [(RunFile.LOG, "Log")]
    if attempt.get("ended"):
        names = [(RunFile.PAGE, "Notebook"), *names]
    if attempt["status"] == "published":
        names.append((RunFile.MANIFEST, "Manifest"))
    return tuple((f"{folder}/{name}?epoch={attempt['epoch']}", title) for name, title in names)


def _link_product(output: dict[str, Any], prefix: str) -> tuple[str, str]:
    return f"{prefix}/map?item={output['collection']}/{output['item']}", str(output["output"])
