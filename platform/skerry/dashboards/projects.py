"""The page of projects: one's own and those to ask for; and one project with its people."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import panel as pn

from skerry.client.projects import fetch_project, fetch_projects
from skerry.client.session import join_address
from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.core.time import utc_now
from skerry.dashboards.project_forms import ProjectForms
from skerry.dashboards.shell import lay_page, show_error, show_html
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.platform import Holder
from skerry.models.projects import Project, Role

_REFRESH_MS = 15_000

ROLE_WORDS = {
    Role.OWNER: "owner: works here, and decides who else does",
    Role.MEMBER: "member: works here",
    Role.READER: "reader: sees what belongs to the project",
}


@dataclass(frozen=True)
class ProjectRow:
    """A project as a line of a table.

    Attributes
    ----------
    address
        The page of the project.
    you
        What the viewer is there, or how far their request is.
    last_day
        In words; ``none`` where it has no end.
    """

    name: str
    title: str
    address: str
    you: str
    last_day: str
    notice: str
    is_over: bool
    is_hidden: bool


class ProjectsPage:
    """The page of projects for one viewer.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    name
        The project to show, from the page's address; all that the viewer sees where empty.
    """

    def __init__(self, visit: Visit, name: str = "") -> None:
        self._visit = visit
        self._name = name
        self._pane = show_html(render("loading.html"))
        self._forms = ProjectForms(visit, name, self._renew) if name else None

    def show(self) -> pn.Template:
        """Build the page and renew it while it is open."""
        pn.state.onload(self._renew)
        pn.state.add_periodic_callback(self._renew, period=_REFRESH_MS)
        parts = [self._pane] if self._forms is None else [self._pane, self._forms.panel]
        main = pn.Column(*parts, sizing_mode="stretch_width", margin=0)
        return lay_page(
            page="projects", title="Projects", viewer=self._visit.viewer, parts={"main": main}
        )

    async def _renew(self) -> None:
        try:
            if self._forms is None:
                self._pane.object = draw_projects(*await asyncio.to_thread(self._read_all))
            else:
                project = await asyncio.to_thread(fetch_project, self._visit.session, self._name)
                self._pane.object = draw_project(project)
                self._forms.fill(project)
        except SkerryError as error:
            self._pane.object = show_error(error)
            if self._forms is not None:
                self._pane.object += render("all_projects.html", prefix=DASHBOARDS_PREFIX)
                self._forms.hide()

    def _read_all(self) -> tuple[Sequence[Project], list[str]]:
        session = self._visit.session
        holder = session.fetch(Holder, "GET", join_address("me"))
        return fetch_projects(session), holder.projects


def draw_projects(projects: Sequence[Project], groups: list[str]) -> str:
    """Return the tables of projects as HTML.

    Parameters
    ----------
    groups
        All projects for which the viewer speaks; those that are not among the others are groups
        of the sign-on.
    """
    own = [describe_project(each) for each in projects if each.role is not None]
    others = [describe_project(each) for each in projects if each.role is None]
    known = {each.name for each in projects}
    return render(
        "projects.html", own=own, others=others,
        groups=[name for name in groups if name not in known],
    )  # fmt: skip


def draw_project(project: Project) -> str:
    """Return one project with its people as HTML."""
    today = utc_now().date()
    return render(
        "project.html", project=project, row=describe_project(project),
        role=ROLE_WORDS[project.role] if project.role else "",
        members=[
            (_name(each.person), each, each.last_day is not None and each.last_day < today)
            for each in project.members
        ],
        requests=[(_name(each.person), each) for each in project.requests],
        prefix=DASHBOARDS_PREFIX,
    )  # fmt: skip


def describe_project(project: Project) -> ProjectRow:
    """Return the line of a project."""
    asked = project.request.status if project.request is not None else ""
    return ProjectRow(
        name=project.name,
        title=project.title,
        address=f"{DASHBOARDS_PREFIX}/projects?{urlencode({'name': project.name})}",
        you=project.role or asked,
        last_day=str(project.last_day or "none"),
        notice=project.notice,
        is_over=project.is_over,
        is_hidden=not project.listed,
    )


def _name(person: str) -> str:
    return person.partition(":")[2]
