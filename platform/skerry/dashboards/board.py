"""The run history and the standing orders as the api tells them, made ready to be shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from skerry.client import Session
from skerry.core.errors import InvalidInputError
from skerry.core.settings import API_PREFIX
from skerry.core.time import format_time, parse_time, utc_now

RUNS_SHOWN = 50
STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
_FILES = (
    ("executed.html", "Notebook"),
    ("log.txt", "Log"),
    ("manifest.json", "Manifest"),
)


@dataclass(frozen=True)
class RunRow:
    """One run as a line of the table.

    Attributes
    ----------
    started, duration
        For people; empty while the run is waiting.
    epoch
        The number of the last execution; 0 while there was none.
    progress
        Cells done and cells in all, None when the run says nothing.
    files
        Address and name of each file the run has left.
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
    files: tuple[tuple[str, str], ...]
    products: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class JobRow:
    """One job as a line of the table; `next_tick` is empty for a job started by hand."""

    name: str
    release: str
    trigger: str
    next_tick: str
    collection: str
    review: str


def read_runs(session: Session, *, prefix: str, job: str = "", status: str = "") -> list[RunRow]:
    """Ask the api for the newest runs, of one job or status where one is named."""
    answer = session.request(
        "GET",
        "production/runs",
        params={"limit": RUNS_SHOWN, "job": job or None, "status": status or None},
    )
    return [describe_run(run, prefix=prefix) for run in answer["runs"]]


def read_jobs(session: Session) -> list[JobRow]:
    """Ask the api for the jobs, those with a coming tick first."""
    answer = session.request("GET", "production/jobs")
    rows = [describe_job(job) for job in answer["jobs"]]
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
        The instant up to which a run that goes on has lasted.
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
        files=_link_files(run),
        products=tuple(_link_product(output, prefix) for output in run.get("outputs") or []),
    )


def describe_job(job: dict[str, Any]) -> JobRow:
    """Return the line of one job."""
    trigger = job.get("trigger") or {}
    policy = job.get("policy") or {}
    by_clock = trigger.get("kind") == "clock"
    return JobRow(
        name=str(job["name"]),
        release=str(job.get("release_name") or job.get("release") or ""),
        trigger=f"{trigger.get('cron')} ({trigger.get('timezone') or 'UTC'})"
        if by_clock
        else "by hand",
        next_tick=show_time(job.get("next_tick")),
        collection=str(job.get("collection") or ""),
        review=str(policy.get("review") or "none"),
    )


def show_time(text: str | None) -> str:
    """Return an instant as ``2026-05-01 10:30:00 UTC``; empty for none, as it is if unreadable."""
    if not text:
        return ""
    try:
        moment = parse_time(text)
    except InvalidInputError:
        return text
    return format_time(moment.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")


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


def _link_files(run: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    if not run.get("started"):
        return ()
    folder = f"{API_PREFIX}/production/runs/{run['id']}/files"
    shown = _FILES if run["status"] == "succeeded" else _FILES[1:2]
    return tuple((f"{folder}/{name}", title) for name, title in shown)


def _link_product(output: dict[str, Any], prefix: str) -> tuple[str, str]:
    return f"{prefix}/map?item={output['collection']}/{output['item']}", str(output["output"])
