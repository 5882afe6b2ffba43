"""Requests for access to a project: a person asks, an owner answers."""

from datetime import date

from sqlalchemy import Connection, Row, insert, select, update

from skerry.core.errors import ConflictError, NotFoundError
from skerry.models.projects import AccessRequest, Role
from skerry.projects.store import set_member
from skerry.projects.tables import requests


def ask_access(connection: Connection, project: str, person: str, role: Role, reason: str) -> None:
    """Ask for a role; who was answered may ask anew.

    Raises
    ------
    ConflictError
        If nobody has answered yet: an owner grants what they have seen, and nothing else.
    """
    values = {"role": role.value, "reason": reason, "status": "asked"}
    who = (requests.c.project == project, requests.c.person == person)
    present = connection.execute(select(requests.c.status).where(*who)).scalar()
    if present == "asked":
        raise ConflictError(
            f"You have asked for access to the project {project} already.",
            remedy="Wait until one of its owners answers.",
        )
    changed = connection.execute(update(requests).where(*who).values(values))
    if not changed.rowcount:
        connection.execute(insert(requests).values(project=project, person=person, **values))


def list_requests(connection: Connection, project: str) -> list[AccessRequest]:
    """Return the requests that nobody has answered yet, by person."""
    query = select(requests).where(requests.c.project == project, requests.c.status == "asked")
    return [_read(row) for row in connection.execute(query.order_by(requests.c.person))]


def find_requests(connection: Connection, person: str) -> dict[str, AccessRequest]:
    """Return the last requests of a person, with their answers, by project."""
    query = select(requests).where(requests.c.person == person)
    return {row.project: _read(row) for row in connection.execute(query)}


def answer_request(
    connection: Connection, project: str, person: str, *, grant: bool, last_day: date | None
) -> None:
    """Grant a request, which gives the person the role, or refuse it.

    Raises
    ------
    NotFoundError
        If the person has not asked.
    ConflictError
        If somebody has answered already.
    """
    who = (requests.c.project == project, requests.c.person == person)
    asked = connection.execute(select(requests).where(*who)).first()
    if asked is None:
        raise NotFoundError(
            f"{person} has not asked for access to the project {project}.",
            remedy="'skerry project show' lists who asks.",
        )
    if asked.status != "asked":
        raise ConflictError(
            f"The request of {person} is {asked.status} already.",
            remedy="Change the member's role, or wait until they ask again.",
        )
    status = "granted" if grant else "refused"
    connection.execute(update(requests).where(*who).values(status=status))
    if grant:
        set_member(connection, project, person, Role(asked.role), last_day)


def _read(row: Row[tuple[object, ...]]) -> AccessRequest:
    return AccessRequest(
        person=row.person, role=Role(row.role), reason=row.reason, status=row.status
    )
