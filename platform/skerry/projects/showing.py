"""Which projects somebody sees, and what of them: strangers no members, members no requests."""

from datetime import date

from sqlalchemy import Connection, Row, select

from skerry.models.projects import AccessRequest, Project, Role
from skerry.projects.membership import Belonging, list_belonging
from skerry.projects.requests import find_requests, list_requests
from skerry.projects.store import find_project, list_members, read_day, refuse_project
from skerry.projects.tables import projects


def list_projects(
    connection: Connection, person: str, today: date, *, sees_all: bool
) -> list[Project]:
    """Return the projects that a person sees, by name, without members and requests."""
    belonging = list_belonging(connection, person, today)
    asked = find_requests(connection, person)
    rows = connection.execute(select(projects).order_by(projects.c.name))
    return [
        _describe(row, belonging.get(row.name), asked.get(row.name), today)
        for row in rows
        if sees_all or row.listed or row.name in belonging
    ]


def show_project(
    connection: Connection, name: str, person: str, today: date, *, sees_all: bool = False
) -> Project:
    """Return a project as far as a person sees it.

    Raises
    ------
    NotFoundError
        If there is none, or it is neither listed nor theirs.
    """
    row = find_project(connection, name)
    own = list_belonging(connection, person, today).get(name)
    if not (sees_all or row.listed or own):
        raise refuse_project(name)
    shown = _describe(row, own, find_requests(connection, person).get(name), today)
    if not (sees_all or own):
        return shown
    decides = sees_all or (own is not None and own.role is Role.OWNER)
    return shown.model_copy(
        update={
            "members": list_members(connection, name),
            "requests": list_requests(connection, name) if decides else [],
        }
    )


def _describe(
    row: Row[tuple[object, ...]], own: Belonging | None, asked: AccessRequest | None, today: date
) -> Project:
    last_day = read_day(row.last_day)
    has_all = own is not None and own.role is not Role.READER
    return Project(
        name=row.name, title=row.title, listed=row.listed, last_day=last_day,
        is_over=last_day is not None and last_day < today, role=own and own.role,
        notice=own.word_notice(today) if own else "",
        request=None if has_all else asked,
    )  # fmt: skip
