"""`skerry run`: start, list, follow, cancel and retry."""

import time
from typing import Any

import click

from skerry.cli.parameters import parameter_option, parse_pairs
from skerry.cli.presenting import json_option, print_json, print_table, say, show_progress
from skerry.client.production import (
    cancel_run,
    fetch_job,
    fetch_release,
    fetch_run,
    list_runs,
    retry_run,
    start_run,
)
from skerry.client.session import Session, connect
from skerry.core.errors import ForbiddenError
from skerry.core.ownership import Verb, decide
from skerry.core.patience import ask_patiently
from skerry.core.time import format_optional_time, parse_day
from skerry.models.runs import Run, RunDetails, RunOrder, RunStatus

_POLL_S = 0.5
_PATIENCE_S = 60.0


@click.group()
def run() -> None:
    """Start, list, show, cancel and retry runs.

    \b
    Example:
      skerry run start lakes -p item=sentinel-2-l2a/S2B_T33UVV_20260501 --wait
    """  # noqa: D301


@run.command("start")
@click.argument("job_name", metavar="JOB")
@parameter_option
@click.option("--key", help="Idempotency key: the same key starts no second run.")
@click.option("--partition", default="", help="The part of the work, such as a tile.")
@click.option("--day", "data_day", help="The day of the data.  [default: today, UTC]")
@click.option("--wait", "wait_for_it", is_flag=True, help="Wait for its end; exit 1 if it failed.")
@json_option
@click.pass_context
def start(
    ctx: click.Context,
    *,
    job_name: str,
    pairs: tuple[str, ...],
    key: str | None,
    partition: str,
    data_day: str | None,
    wait_for_it: bool,
    as_json: bool,
) -> None:
    """Start a run of JOB.

    Example: skerry run start lakes -p item=sentinel-2-l2a/S2B_T33UVV_20260501 --wait
    """
    session = connect()
    order = RunOrder(
        parameters=_read_parameters(session, job_name, pairs) if pairs else {},
        idempotency_key=key,
        partition=partition,
        data_day=parse_day(data_day) if data_day is not None else None,
    )
    started = start_run(session, job_name, order)
    if wait_for_it:
        started = wait_for_run(session, started.id)
    _show_run(started, as_json=as_json)
    if wait_for_it and started.status is not RunStatus.SUCCEEDED:
        ctx.exit(1)


def _read_parameters(session: Session, job_name: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of a run's own parameters; only the job's owner may choose them."""
    job = fetch_job(session, job_name)
    if job.relation is not None and not decide(job.relation, Verb.CHOOSE):
        raise ForbiddenError(
            f"You may not choose the parameters of the job {job_name!r}: it is {job.relation}.",
            remedy="Start it without -p: then it takes its own; or ask its owner.",
        )
    return parse_pairs(pairs, fetch_release(session, job.release).schema_)


@run.command("show")
@click.argument("run_id", metavar="RUN")
@json_option
def show(run_id: str, *, as_json: bool) -> None:
    """Show RUN with its attempts and products.

    Example: skerry run show 019c2f
    """
    _show_run(fetch_run(connect(), run_id), as_json=as_json)


@run.command("cancel")
@click.argument("run_id", metavar="RUN")
@json_option
def cancel(run_id: str, *, as_json: bool) -> None:
    """Cancel RUN, and wait until its process has ended: about a second.

    Example: skerry run cancel 019c2f
    """
    session = connect()
    cancelled = cancel_run(session, run_id)
    deadline = time.monotonic() + _PATIENCE_S
    while not cancelled.status.has_ended and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        cancelled = _fetch(session, cancelled.id)
    _show_run(cancelled, as_json=as_json)


@run.command("retry")
@click.argument("run_id", metavar="RUN")
@click.option("--wait", "wait_for_it", is_flag=True, help="Wait for its end; exit 1 if it failed.")
@json_option
@click.pass_context
def retry(ctx: click.Context, run_id: str, *, wait_for_it: bool, as_json: bool) -> None:
    """Try a failed or cancelled RUN again, or carry out a passed one.

    Example: skerry run retry 019c2f --wait
    """
    session = connect()
    queued = retry_run(session, run_id)
    if wait_for_it:
        queued = wait_for_run(session, queued.id)
    _show_run(queued, as_json=as_json)
    if wait_for_it and queued.status is not RunStatus.SUCCEEDED:
        ctx.exit(1)


@run.command("list")
@click.option("--job", "job_name", help="Only this job's.")
@click.option("--status", type=click.Choice([status.value for status in RunStatus]))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def show_runs(job_name: str | None, status: str | None, limit: int, *, as_json: bool) -> None:
    """List runs, newest first.

    Example: skerry run list --job lakes --status failed
    """
    runs = list_runs(connect(), job=job_name, status=status, limit=limit)
    if as_json:
        print_json(runs)
        return
    head = ("ID", "JOB", "OCCURRENCE", "STATUS", "CELLS", "STARTED", "DETAIL")
    print_table(head, [_run_row(item) for item in runs])


def wait_for_run(session: Session, run_id: str) -> RunDetails:
    """Show a run's progress until it has ended, and return it."""
    with show_progress(f"run {run_id}") as report:
        while True:
            run = _fetch(session, run_id)
            progress = run.progress
            if run.status.has_ended:
                report(1.0, run.status)
                return run
            cells = f" {progress.done}/{progress.total} cells" if progress.total else ""
            report(progress.done / (progress.total or 1), f"{run.status}{cells}")
            time.sleep(_POLL_S)


def _fetch(session: Session, run_id: str) -> RunDetails:
    """Return a run; wait while a part of the platform is being started again."""
    return ask_patiently(lambda: fetch_run(session, run_id), _PATIENCE_S)


def _run_row(run: Run) -> tuple[str, ...]:
    progress = run.progress
    return (
        run.id,
        run.job,
        run.occurrence,
        run.status,
        f"{progress.done}/{progress.total}" if progress.total else "",
        format_optional_time(run.started) or "",
        " ".join((run.detail or "").split())[:80],
    )


def _show_run(run: RunDetails, *, as_json: bool) -> None:
    if as_json:
        print_json(run)
        return
    own = " (approved by its own proposer)" if run.self_approved else ""
    say(f"{run.id}  {run.job}  {run.status}")
    say(f"  release     {run.release_name} {run.release}{own}")
    say(f"  occurrence  {run.occurrence} {run.partition}".rstrip())
    say(f"  owner       {run.owner}")
    say(f"  data day    {run.data_day}")
    for name, value in run.parameters.items():
        say(f"  -p {name}={value}")
    for item in run.attempts:
        adopted = f" the outcome of attempt {item.adopted_epoch}" if item.adopted_epoch else ""
        detail = f": {item.detail}" if item.detail else ""
        say(f"  attempt {item.epoch}   {item.status}{adopted}{detail}")
        for address in item.files:
            say(f"    {address}")
    for output in run.outputs:
        say(f"  product     {output.collection}/{output.item}")
    if run.detail:
        say(f"  {run.detail}")
