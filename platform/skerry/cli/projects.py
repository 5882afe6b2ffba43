"""`skerry project`: projects, their members, and requests for access."""

from datetime import date, datetime

import click

from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.client import projects as client
from skerry.client.session import connect
from skerry.models.projects import (
    AccessAnswer,
    AccessOrder,
    MemberOrder,
    Project,
    ProjectChange,
    ProjectOrder,
    Role,
)

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_last_day = click.option("--last-day", type=_DAY, help="The last day that it holds.")


@click.group("project", invoke_without_command=True)
@json_option
@click.pass_context
def project_group(ctx: click.Context, *, as_json: bool) -> None:
    """List projects, ask for access, and decide who has it.

    \b
    Example:
      skerry project ask lakes --reason 'I work on the Vättern data.'
      skerry project answer lakes person:ann --grant --last-day 2027-06-30
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _show_all(as_json=as_json)


@project_group.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List your projects, and those that you may ask for.

    Example: skerry project list
    """
    _show_all(as_json=as_json)


@project_group.command("show")
@click.argument("project")
@json_option
def show(project: str, *, as_json: bool) -> None:
    """Show PROJECT with its members, and to its owners who asks for access.

    Example: skerry project show lakes
    """
    _show(client.fetch_project(connect(), project), as_json=as_json)


@project_group.command("create")
@click.argument("project")
@click.option("--title", required=True, help="What it is about.")
@click.option("--owner", metavar="person:NAME", required=True, help="Who decides about members.")
@click.option("--hidden", is_flag=True, help="Nobody else finds it, to ask for access.")
@_last_day
def create(
    *, project: str, title: str, owner: str, hidden: bool, last_day: datetime | None
) -> None:
    """Make PROJECT; for operators.

    Example: skerry project create lakes --title 'Lakes of the north' --owner person:ann
    """
    order = ProjectOrder(
        name=project, title=title, owner=owner, listed=not hidden, last_day=_read(last_day)
    )
    made = client.make_project(connect(), order)
    say(f"The project {made.name} belongs to {owner}.")


@project_group.command("change")
@click.argument("project")
@click.option("--title", help="Another title.")
@click.option("--listed/--hidden", default=None, help="Whether others find it.")
@click.option("--no-end", is_flag=True, help="It has no last day any more.")
@_last_day
def change(
    *, project: str, title: str | None, listed: bool | None, no_end: bool,
    last_day: datetime | None,
) -> None:  # fmt: skip
    """Change title or last day of PROJECT, and who finds it; for operators.

    Example: skerry project change lakes --last-day 2028-12-31
    """
    if no_end and last_day is not None:
        raise click.UsageError("Give --last-day or --no-end, not both.")
    if (title, listed, last_day, no_end) == (None, None, None, False):
        raise click.UsageError("Nothing is to change: give --title, --last-day, or who finds it.")
    session = connect()
    known = client.fetch_project(session, project)
    day = None if no_end else _read(last_day) or known.last_day
    order = ProjectChange(
        title=known.title if title is None else title,
        listed=known.listed if listed is None else listed,
        last_day=day,
    )  # fmt: skip
    client.change_project(session, project, order)
    say(f"The project {project} is changed.")


@project_group.command("add")
@click.argument("project")
@click.argument("person", metavar="person:NAME")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.MEMBER.value,
    show_default=True, help="Members work there, readers see it, owners decide too.",
)  # fmt: skip
@_last_day
def add(*, project: str, person: str, role: str, last_day: datetime | None) -> None:
    """Give a person a role in PROJECT, or another; for its owners.

    Example: skerry project add lakes person:bob --role reader --last-day 2027-06-30
    """
    order = MemberOrder(role=Role(role), last_day=_read(last_day))
    client.give_role(connect(), project, person, order)
    say(f"{person} is {role} of {project}{_until(order.last_day)}.")


@project_group.command("remove")
@click.argument("project")
@click.argument("person", metavar="person:NAME")
def remove(project: str, person: str) -> None:
    """Take a person's role in PROJECT away; for its owners, or for yourself.

    Example: skerry project remove lakes person:bob
    """
    client.take_role(connect(), project, person)
    say(f"{person} has no role in {project} any more.")


@project_group.command("ask")
@click.argument("project")
@click.option("--reason", required=True, help="Why, in words for the owners.")
@click.option("--read-only", is_flag=True, help="Ask to see it only.")
def ask(project: str, reason: str, *, read_only: bool) -> None:
    """Ask the owners of PROJECT for access.

    Example: skerry project ask lakes --reason 'I work on the Vättern data.'
    """
    role = Role.READER if read_only else Role.MEMBER
    client.ask_access(connect(), project, AccessOrder(role=role, reason=reason))
    say(f"The owners of {project} see your request. 'skerry project list' shows their answer.")


@project_group.command("answer")
@click.argument("project")
@click.argument("person", metavar="person:NAME")
@click.option("--grant/--refuse", default=None, help="What you decide; give either.")
@_last_day
def answer(*, project: str, person: str, grant: bool | None, last_day: datetime | None) -> None:
    """Answer the request of a person for access to PROJECT; for its owners.

    Example: skerry project answer lakes person:ann --grant --last-day 2027-06-30
    """
    if grant is None:
        raise click.UsageError("Say what you decide: --grant or --refuse.")
    order = AccessAnswer(grant=grant, last_day=_read(last_day))
    client.answer_request(connect(), project, person, order)
    say(f"The request of {person} is {'granted' if grant else 'refused'}.")


def _show_all(*, as_json: bool) -> None:
    found = client.fetch_projects(connect())
    if as_json:
        print_json(list(found))
        return
    rows = [(each.name, _describe_role(each), _describe_end(each), each.title) for each in found]
    print_table(("PROJECT", "YOU", "LAST DAY", "TITLE"), rows)
    for each in found:
        if each.notice:
            say(each.notice, err=True)


def _show(project: Project, *, as_json: bool) -> None:
    if as_json:
        print_json(project)
        return
    say(f"{project.name}: {project.title}")
    if project.last_day:
        say(f"Last day: {_describe_end(project)}")
    rows = [(each.person, each.role, str(each.last_day or "-")) for each in project.members]
    if rows:
        print_table(("PERSON", "ROLE", "LAST DAY"), rows)
    if project.requests:
        asking = [(each.person, each.role, each.reason) for each in project.requests]
        print_table(("WHO ASKS", "TO BE", "REASON"), asking)
    if project.request:
        say(f"You have asked to be {project.request.role}: {project.request.status}")
    if project.notice:
        say(project.notice, err=True)


def _describe_role(project: Project) -> str:
    """Return what the account is in a project, or how far its request is: ``asked``."""
    if project.role is not None:
        return project.role
    return "-" if project.request is None else project.request.status


def _describe_end(project: Project) -> str:
    return f"{project.last_day or '-'}{' (over)' if project.is_over else ''}"


def _read(day: datetime | None) -> date | None:
    return None if day is None else day.date()


def _until(day: date | None) -> str:
    return "" if day is None else f" until {day}"
