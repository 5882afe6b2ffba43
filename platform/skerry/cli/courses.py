"""`skerry course`: keep seats for a project in a time, and say what the platform can take."""

from datetime import UTC, datetime

import click

from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.client.courses import fetch_courses, keep_seats, release_seats, set_capacity
from skerry.client.session import connect
from skerry.core.time import format_time
from skerry.core.wording import describe_size
from skerry.models.courses import MOST_SEATS, CapacityOrder, CourseList, CourseOrder

_TIME = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ"])


@click.group("course", invoke_without_command=True)
@json_option
@click.pass_context
def course_group(ctx: click.Context, *, as_json: bool) -> None:
    """Keep places on user servers for a course.

    \b
    Example:
      skerry course capacity --cores 200 --memory-gib 800
      skerry course create sar --project project:sar-course --profile small --seats 25 \\
          --from 2026-12-01T08:00Z --until 2026-12-01T17:00Z
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _print(fetch_courses(connect()), as_json=as_json)


@course_group.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the courses of your projects, and as an operator all.

    Example: skerry course list
    """
    _print(fetch_courses(connect()), as_json=as_json)


@course_group.command("create")
@click.argument("name")
@click.option("--project", metavar="project:NAME", required=True, help="Whose members come.")
@click.option("--profile", required=True, help="The profile of their servers.")
@click.option("--seats", type=click.IntRange(1, MOST_SEATS), required=True, help="How many.")
@click.option("--from", "begins", type=_TIME, required=True, help="Day, or time in UTC.")
@click.option("--until", "ends", type=_TIME, required=True, help="Day, or time in UTC.")
@json_option
def create(
    *, name: str, project: str, profile: str, seats: int, begins: datetime, ends: datetime,
    as_json: bool,
) -> None:  # fmt: skip
    """Keep seats for the course NAME.

    \b
    Example:
      skerry course create sar --project project:sar-course --profile small --seats 25 \\
          --from 2026-12-01T08:00Z --until 2026-12-01T17:00Z
    """  # noqa: D301
    order = CourseOrder(
        name=name, project=project, profile=profile, seats=seats,
        begins=begins.replace(tzinfo=UTC), ends=ends.replace(tzinfo=UTC),
    )  # fmt: skip
    _print(keep_seats(connect(), order), as_json=as_json)


@course_group.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Keep the seats of the course NAME no more. Servers that run go on.

    Example: skerry course delete sar
    """
    release_seats(connect(), name)
    say(f"No seats are kept for {name} any more.")


@course_group.command("capacity")
@click.option("--cores", type=click.FloatRange(0, 1e7), required=True, help="Processors.")
@click.option("--memory-gib", type=click.FloatRange(0, 1e8), required=True, help="GiB of memory.")
@json_option
def capacity(*, cores: float, memory_gib: float, as_json: bool) -> None:
    """Say what all user servers and Dask clusters may take together.

    Example: skerry course capacity --cores 200 --memory-gib 800
    """
    order = CapacityOrder(cores=cores, memory_gib=memory_gib)
    _print(set_capacity(connect(), order), as_json=as_json)


def _print(found: CourseList, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    head = ("COURSE", "PROJECT", "PROFILE", "SEATS", "TAKEN", "FROM", "UNTIL")
    rows = [
        (
            each.name, each.project, each.profile, str(each.seats), str(each.taken),
            format_time(each.begins), format_time(each.ends),
        )
        for each in found.courses
    ]  # fmt: skip
    print_table(head, rows)
    if found.capacity is not None:
        whole = found.capacity
        say(f"All together: {describe_size(whole.cores, whole.memory_gib)}")
