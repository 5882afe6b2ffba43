"""Projects and their members: made by operators, looked after by their owners."""

from datetime import date

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ids import check_name
from skerry.core.ownership import check_owner
from skerry.core.scopes import PROJECTS_GROUP
from skerry.core.settings import DEFAULT_PROJECT
from skerry.models.projects import Member, Role
from skerry.projects.tables import members, projects, requests

_RESERVED = frozenset({PROJECTS_GROUP, DEFAULT_PROJECT})


def make_project(
    connection: Connection, name: str, *, title: str, owner: str, listed: bool,
    last_day: date | None,
) -> None:  # fmt: skip
    """Make a project with its first owner.

    Raises
    ------
    InvalidInputError
        If its name cannot be a name.
    ConflictError
        If there is a project of this name.
    """
    check_name(name, what="project name")
    if name in _RESERVED:
        raise ConflictError(f"{name!r} is the platform's own.", remedy="Choose another name.")
    values = {"name": name, "title": title, "listed": listed, "last_day": write_day(last_day)}
    try:
        with connection.begin_nested():
            connection.execute(insert(projects).values(values))
    except IntegrityError:
        raise ConflictError(
            f"There is a project {name!r} already.", remedy="Choose another name."
        ) from None
    set_member(connection, name, owner, Role.OWNER, None)


def find_project(connection: Connection, name: str) -> Row[tuple[object, ...]]:
    """Return the row of a project.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = connection.execute(select(projects).where(projects.c.name == name)).first()
    if row is None:
        raise refuse_project(name)
    return row


def is_project(connection: Connection, holder: str) -> bool:
    """Return whether an owner's name (``project:lakes``) is that of a project of the platform."""
    kind, _, name = holder.partition(":")
    query = select(projects.c.name).where(projects.c.name == name)
    return kind == "project" and connection.execute(query).first() is not None


def refuse_project(name: str) -> NotFoundError:
    """Return the error for a project that is not there, or that the asker does not see."""
    return NotFoundError(
        f"There is no project {name[:140]!r}.", remedy="'skerry project list' shows all you see."
    )


def change_project(
    connection: Connection, name: str, *, title: str, listed: bool, last_day: date | None
) -> None:
    """Change a project."""
    find_project(connection, name)
    values = {"title": title, "listed": listed, "last_day": write_day(last_day)}
    connection.execute(update(projects).where(projects.c.name == name).values(values))


def list_members(connection: Connection, project: str) -> list[Member]:
    """Return all members of a project by name, also those whose last day is over."""
    query = select(members).where(members.c.project == project).order_by(members.c.person)
    return [
        Member(person=row.person, role=Role(row.role), last_day=read_day(row.last_day))
        for row in connection.execute(query)
    ]


def set_member(
    connection: Connection, project: str, person: str, role: Role, last_day: date | None
) -> None:
    """Give a person a role in a project, in place of the role that they have had.

    Raises
    ------
    InvalidInputError
        If it is not a person.
    ConflictError
        If the project would have no owner without an end.
    """
    person = check_person(person)
    if role is not Role.OWNER or last_day is not None:
        _keep_owner(connection, project, person)
    values = {"role": role.value, "last_day": write_day(last_day)}
    who = (members.c.project == project, members.c.person == person)
    changed = connection.execute(update(members).where(*who).values(values))
    if not changed.rowcount:
        connection.execute(insert(members).values(project=project, person=person, **values))
    _close_request(connection, project, person, role)


def remove_member(connection: Connection, project: str, person: str) -> None:
    """Take a person's role away.

    Raises
    ------
    NotFoundError
        If they have none.
    ConflictError
        If the project would have no owner.
    """
    person = check_person(person)
    _keep_owner(connection, project, person)
    who = (members.c.project == project, members.c.person == person)
    if not connection.execute(delete(members).where(*who)).rowcount:
        raise NotFoundError(
            f"{person} has no role in the project {project}.",
            remedy="'skerry project show' lists its members.",
        )


def check_person(text: str) -> str:
    """Return the name of a person as it is kept."""
    person = check_owner(text)
    if not person.startswith("person:"):
        raise InvalidInputError(f"{person} is no person.", remedy="Write person:<name>.")
    return person


def check_last_day(day: date | None, today: date) -> date | None:
    """Return the last day of something that is to begin, or refuse it if it has passed.

    Raises
    ------
    InvalidInputError
        If it is before today: what is given would never hold.
    """
    if day is not None and day < today:
        raise InvalidInputError(
            f"The last day {day} is over.",
            remedy=f"Give {today} (today, in UTC) or a later day, or no last day.",
        )
    return day


def write_day(day: date | None) -> str | None:
    """Return a day as tables have it."""
    return None if day is None else day.isoformat()


def read_day(text: str | None) -> date | None:
    """Return a day of a table."""
    return None if text is None else date.fromisoformat(text)


def _close_request(connection: Connection, project: str, person: str, role: Role) -> None:
    """Let nobody be asked for what a person has got: a reader may still ask to work there."""
    given = [Role.READER] if role is Role.READER else list(Role)
    connection.execute(
        update(requests)
        .where(requests.c.project == project, requests.c.person == person)
        .where(requests.c.status == "asked", requests.c.role.in_([each.value for each in given]))
        .values(status="granted")
    )


def _keep_owner(connection: Connection, project: str, person: str) -> None:
    """Refuse to let a project without an owner who stays."""
    owners = (
        members.c.project == project, members.c.role == Role.OWNER.value,
        members.c.last_day.is_(None),
    )  # fmt: skip
    others = select(func.count()).where(*owners, members.c.person != person)
    is_owner = connection.execute(select(members).where(*owners, members.c.person == person))
    if is_owner.first() is not None and not connection.execute(others).scalar():
        raise ConflictError(
            f"{person} is the last owner of the project {project}.",
            remedy="Give another person the role of owner first.",
        )
