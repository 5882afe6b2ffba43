"""`skerry job`: create, list and delete jobs."""

import click

from skerry.cli.parameters import parameter_option, parse_pairs
from skerry.cli.presenting import json_option, name_readers, print_json, print_table, say
from skerry.client.production import (
    create_job,
    fetch_job,
    fetch_release,
    give_job,
    list_jobs,
    open_job,
    pause_job,
    plan_job,
)
from skerry.client.session import connect, join_address
from skerry.core.errors import InvalidInputError
from skerry.core.time import format_optional_time, format_time
from skerry.core.worker_settings import LONGEST_KEPT_DAYS, MOST_KEPT_RUNS
from skerry.models.jobs import (
    LONGEST_S,
    MOST_RETRIES,
    ClockTrigger,
    Job,
    JobOrder,
    Keep,
    ManualTrigger,
    PlannedRun,
    Policy,
    Review,
)


@click.group()
def job() -> None:
    """Create, list, pause and delete jobs.

    \b
    Example:
      skerry job create lakes --release water-quality --cron '30 5 * * *' \\
          --timezone Europe/Helsinki -p workers=2
    """  # noqa: D301


@job.command("create")
@click.argument("name")
@click.option(
    "--release", "release_name", required=True, help="Id, or name of an approved release."
)
@parameter_option
@click.option("--cron", help="Five fields, such as '30 5 * * *'.")
@click.option("--timezone", help="The cron's time zone.  [default: UTC]")
@click.option("--collection", help="Where products go; the job's name if left out.")
@click.option(
    "--owner", metavar="person:NAME|project:NAME",
    help="To whom it belongs; if left out, to whom the collection belongs, or else the release.",
)  # fmt: skip
@click.option(
    "--review",
    type=click.Choice([review.value for review in Review]),
    default=Review.REQUIRED.value,
    show_default=True,
    help="Whether products wait for a person's review.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, LONGEST_S),
    default=3600,
    show_default=True,
    help="Seconds after which the platform ends an attempt.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, MOST_RETRIES),
    default=0,
    show_default=True,
    help="How often a failed notebook starts again automatically.",
)
@click.option(
    "--keep-days",
    type=click.IntRange(0, LONGEST_KEPT_DAYS),
    help="Days that files of ended runs are kept.  [default: SKERRY_KEEP_RUN_DAYS]",
)
@click.option(
    "--keep-runs",
    type=click.IntRange(1, MOST_KEPT_RUNS),
    help="Of how many ended runs they are kept.  [default: SKERRY_KEEP_RUNS]",
)
@json_option
def create(
    *,
    name: str,
    release_name: str,
    pairs: tuple[str, ...],
    cron: str | None,
    timezone: str | None,
    collection: str | None,
    owner: str | None,
    review: str,
    timeout_s: int,
    retries: int,
    keep_days: int | None,
    keep_runs: int | None,
    as_json: bool,
) -> None:
    """Create the job NAME.

    Example: skerry job create lakes --release water-quality --review none
    """
    if timezone and not cron:
        raise InvalidInputError(
            f"The time zone {timezone!r} needs a clock, and --cron is missing.",
            remedy="Add --cron, such as --cron '30 5 * * *'.",
        )
    session = connect()
    order = JobOrder(
        name=name,
        release=release_name,
        parameters=parse_pairs(pairs, fetch_release(session, release_name).schema_),
        trigger=ClockTrigger(kind="clock", cron=cron, timezone=timezone or "UTC")
        if cron is not None
        else ManualTrigger(),
        collection=collection,
        owner=owner,
        policy=Policy(
            review=Review(review),
            timeout_s=timeout_s,
            retries=retries,
            keep=Keep(days=keep_days, count=keep_runs),
        ),
    )
    _show_job(create_job(session, order), as_json=as_json)
    if order.policy.review is Review.REQUIRED and not as_json:
        say("Its products stay preliminary until 'skerry item publish'; see --review.")


@job.command("own")
@click.argument("name")
@click.argument("owner", metavar="person:NAME|project:NAME")
def own_job(name: str, owner: str) -> None:
    """Say to whom the job NAME and its runs belong: to you or to a project of yours.

    Example: skerry job own lakes project:lakes
    """
    given = give_job(connect(), name, owner)
    say(f"The job {given.name} and its runs belong to {given.owner}.")


@job.command("publish")
@click.argument("name")
@click.option("--private", is_flag=True, help="Take it back.")
def publish_job(name: str, *, private: bool) -> None:
    """Show the job NAME, its parameters and its successful runs to everybody, without login.

    Logs and notebooks of its runs stay private, and so does its collection.

    Example: skerry job publish lakes
    """
    opened = open_job(connect(), name, public=not private)
    say(f"The job {opened.name} is {'public' if opened.public else 'private'}.")


@job.command("list")
@json_option
def show_jobs(*, as_json: bool) -> None:
    """List jobs, with their next ticks.

    Example: skerry job list
    """
    jobs = list_jobs(connect())
    if as_json:
        print_json(jobs)
        return
    head = ("NAME", "RELEASE", "TRIGGER", "NEXT TICK", "COLLECTION", "REVIEW")
    print_table(head, [_job_row(item) for item in jobs])


@job.command("show")
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show the job NAME.

    Example: skerry job show lakes
    """
    _show_job(fetch_job(connect(), name), as_json=as_json)


@job.command("plan")
@click.argument("name")
@click.option(
    "-n", "--count", type=click.IntRange(1, 100), default=10, show_default=True,
    help="How many runs.",
)  # fmt: skip
@json_option
def show_plan(name: str, *, count: int, as_json: bool) -> None:
    """Show the next runs of the job NAME: when, for which day, with which parameters.

    Example: skerry job plan lakes --count 3
    """
    runs = plan_job(connect(), name, count)
    if as_json:
        print_json(runs)
        return
    head = ("TICK", "DATA DAY", "PARAMETERS")
    print_table(head, [_plan_row(run) for run in runs])


@job.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Pause the clock of the job NAME; active runs go on.

    Example: skerry job pause lakes
    """
    pause_job(connect(), name, paused=True)
    say(f"The job {name} starts nothing by itself until 'skerry job resume {name}'.")


@job.command("resume")
@click.argument("name")
@json_option
def resume(name: str, *, as_json: bool) -> None:
    """Continue the clock of the job NAME.

    Example: skerry job resume lakes
    """
    _show_job(pause_job(connect(), name, paused=False), as_json=as_json)


@job.command("delete")
@click.argument("name")
@click.option("--history", is_flag=True, help="Remove its runs' history and logs too.")
def delete_job(name: str, *, history: bool) -> None:
    """Delete the job NAME. Its catalogued products stay.

    Example: skerry job delete lakes --history
    """
    connect().request(
        "DELETE", join_address("production", "jobs", name), params={"history": history}
    )
    say(f"Deleted the job {name}.")


def _say_trigger(job: Job) -> str:
    if not isinstance(job.trigger, ClockTrigger):
        return "by hand"
    return f"{job.trigger.cron} {job.trigger.timezone}{', paused' if job.paused else ''}"


def _job_row(job: Job) -> tuple[str, ...]:
    return (
        job.name,
        job.release_name,
        _say_trigger(job),
        format_optional_time(job.next_tick) or "",
        job.collection,
        job.policy.review,
    )


def _plan_row(run: PlannedRun) -> tuple[str, ...]:
    tick = format_time(run.tick) if run.tick else "by hand, now"
    parameters = " ".join(f"{name}={value}" for name, value in run.parameters.items())
    return (tick, run.data_day.isoformat(), parameters)


def _show_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    own = " (approved by its own proposer)" if job.self_approved else ""
    say(job.name)
    say(f"  release     {job.release_name} {job.release}{own}")
    say(f"  trigger     {_say_trigger(job)}")
    if job.next_tick:
        say(f"  next tick   {format_time(job.next_tick)}")
    say(f"  owner       {job.owner}")
    say(f"  readers     {name_readers(public=job.public)}")
    say(f"  collection  {job.collection}, review {job.policy.review}")
    for name, value in job.parameters.items():
        say(f"  -p {name}={value}")
