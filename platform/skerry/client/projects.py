"""Projects over HTTP."""

from collections.abc import Sequence

from skerry.client.session import Session, join_address
from skerry.models.projects import (
    AccessAnswer,
    AccessOrder,
    MemberOrder,
    Project,
    ProjectChange,
    ProjectList,
    ProjectOrder,
)


def fetch_projects(session: Session) -> Sequence[Project]:
    """Return the account's projects, and those that it may ask for."""
    return session.fetch(ProjectList, "GET", _name()).projects


def fetch_project(session: Session, project: str) -> Project:
    """Return a project with what the account may see of it."""
    return session.fetch(Project, "GET", _name(project))


def make_project(session: Session, order: ProjectOrder) -> Project:
    """Make a project."""
    return session.fetch(Project, "POST", _name(), json=order)


def change_project(session: Session, project: str, order: ProjectChange) -> Project:
    """Change a project."""
    return session.fetch(Project, "PUT", _name(project), json=order)


def give_role(session: Session, project: str, person: str, order: MemberOrder) -> Project:
    """Give a person a role."""
    return session.fetch(Project, "PUT", _name(project, "members", person), json=order)


def take_role(session: Session, project: str, person: str) -> None:
    """Take a person's role away."""
    session.request("DELETE", _name(project, "members", person))


def ask_access(session: Session, project: str, order: AccessOrder) -> Project:
    """Ask for access."""
    return session.fetch(Project, "POST", _name(project, "requests"), json=order)


def answer_request(session: Session, project: str, person: str, order: AccessAnswer) -> Project:
    """Grant or refuse somebody's request."""
    return session.fetch(Project, "POST", _name(project, "requests", person), json=order)


def _name(*words: str) -> str:
    return join_address("projects", *words)
