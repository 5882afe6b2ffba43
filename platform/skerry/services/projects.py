"""HTTP routes of projects: operators make them, owners decide about members, people ask."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from skerry.core.errors import ConflictError, ForbiddenError, UnavailableError
from skerry.core.scopes import Scope
from skerry.core.time import utc_now
from skerry.models.projects import (
    AccessAnswer,
    AccessOrder,
    MemberOrder,
    Memberships,
    Project,
    ProjectChange,
    ProjectList,
    ProjectOrder,
    Role,
)
from skerry.projects.membership import Belonging, list_belonging
from skerry.projects.requests import answer_request, ask_access
from skerry.projects.showing import list_projects, show_project
from skerry.projects.store import (
    change_project,
    check_last_day,
    check_person,
    find_project,
    make_project,
    refuse_project,
    remove_member,
    set_member,
)
from skerry.services.guarded_route import create_router
from skerry.services.hub_access import HubAccess
from skerry.services.hub_names import check_holder, knows_group
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores

Anybody = Annotated[Identity, Depends(require())]
Decider = Annotated[Identity, Depends(require(Scope.PROJECTS_DECIDE, Scope.PROJECTS_MANAGE))]
Keeper = Annotated[Identity, Depends(require(Scope.PROJECTS_MANAGE))]
Hub = Annotated[Identity, Depends(require(Scope.PROJECTS_LOOK_UP))]
Forget = Callable[[], None]


def create_projects_router(stores: Stores, hub: HubAccess, forget: Forget) -> APIRouter:
    """Return the routes under ``/projects``, and ``/memberships``.

    Parameters
    ----------
    forget
        Is called after each change of a membership.
    """
    router = create_router(tags=["projects"])
    _add_projects(router, stores, hub, forget)
    _add_members(router, stores, hub, forget)
    _add_requests(router, stores, forget)
    return router


def _add_projects(router: APIRouter, stores: Stores, hub: HubAccess, forget: Forget) -> None:
    @router.get("/projects")
    def list_seen(who: Anybody) -> ProjectList:
        """List the asker's projects, and those that can be asked for; for operators all."""
        with stores.reader.connect() as connection:
            found = list_projects(connection, who.owner, _today(), sees_all=_sees_all(who))
        return ProjectList(projects=found)

    @router.post("/projects", status_code=201)
    def create_project(order: ProjectOrder, who: Keeper) -> Project:
        """Make a project, with a person who decides about its members."""
        check_last_day(order.last_day, _today())
        _refuse_group(hub, order.name)
        check_holder(hub, check_person(order.owner))
        facts = order.model_dump(exclude={"name"})
        with stores.change(who) as connection:
            make_project(connection, order.name, **facts)
            made = show_project(connection, order.name, who.owner, _today(), sees_all=True)
        forget()
        return made

    @router.get("/projects/{project}")
    def get_project(project: str, who: Anybody) -> Project:
        """Show a project that is listed, or the asker's own."""
        with stores.reader.connect() as connection:
            return show_project(connection, project, who.owner, _today(), sees_all=_sees_all(who))

    @router.put("/projects/{project}")
    def update_project(project: str, order: ProjectChange, who: Keeper) -> Project:
        """Change the title of a project, whether it is listed, and its last day."""
        with stores.change(who) as connection:
            change_project(connection, project, **order.model_dump())
            changed = show_project(connection, project, who.owner, _today(), sees_all=True)
        forget()
        return changed

    @router.get("/memberships/{person}")
    def get_memberships(person: str, _who: Hub) -> Memberships:
        """Tell the hub to which projects a person belongs today."""
        with stores.reader.connect() as connection:
            found = list_belonging(connection, check_person(person), _today())
        reads = [name for name, one in found.items() if one.role is Role.READER]
        return Memberships(works_in=sorted(found.keys() - set(reads)), reads=reads)


def _add_members(router: APIRouter, stores: Stores, hub: HubAccess, forget: Forget) -> None:
    path = "/projects/{project}/members/{person}"

    @router.put(path)
    def give_role(project: str, person: str, order: MemberOrder, who: Decider) -> Project:
        """Give a person a role in a project; for its owners."""
        with stores.reader.connect() as connection:
            _check_owner(connection, who, project)  # before the hub is asked for names
        check_holder(hub, check_person(person))
        check_last_day(order.last_day, _today())
        with stores.change(who) as connection:
            _check_owner(connection, who, project)
            set_member(connection, project, person, order.role, order.last_day)
            changed = show_project(
                connection, project, who.owner, _today(), sees_all=_sees_all(who)
            )
        forget()
        return changed

    @router.delete(path, status_code=204)
    def take_role(project: str, person: str, who: Decider) -> Response:
        """Take a person's role away; for owners of the project, and for oneself."""
        with stores.change(who) as connection:
            if check_person(person) != who.owner:
                _check_owner(connection, who, project)
            remove_member(connection, project, person)
        forget()
        return Response(status_code=204)


def _add_requests(router: APIRouter, stores: Stores, forget: Forget) -> None:
    @router.post("/projects/{project}/requests", status_code=202)
    def ask(project: str, order: AccessOrder, who: Anybody) -> Project:
        """Ask the owners of a listed project for access."""
        with stores.change(who) as connection:
            seen = show_project(connection, project, check_person(who.owner), _today())
            _check_request(seen, order)
            ask_access(connection, project, who.owner, order.role, order.reason)
            return show_project(connection, project, who.owner, _today())

    @router.post("/projects/{project}/requests/{person}")
    def answer(project: str, person: str, order: AccessAnswer, who: Decider) -> Project:
        """Grant or refuse a request; for owners of the project."""
        with stores.change(who) as connection:
            _check_owner(connection, who, project)
            day = check_last_day(order.last_day, _today())
            answer_request(
                connection, project, check_person(person), grant=order.grant, last_day=day
            )
            changed = show_project(
                connection, project, who.owner, _today(), sees_all=_sees_all(who)
            )
        forget()
        return changed


def _today() -> date:
    return utc_now().date()


def _sees_all(who: Identity) -> bool:
    return who.may(Scope.PROJECTS_READ, Scope.PROJECTS_MANAGE)


def _keeps(who: Identity) -> bool:
    return who.may(Scope.PROJECTS_MANAGE)


def _check_owner(connection: Connection, who: Identity, project: str) -> None:
    """Refuse who is no owner of a project: to those who do not see it, it is not there."""
    if _keeps(who):
        find_project(connection, project)
        return
    belonging: Belonging | None = list_belonging(connection, who.owner, _today()).get(project)
    if belonging is None and not find_project(connection, project).listed:
        raise refuse_project(project)
    if belonging is None or belonging.role is not Role.OWNER:
        raise ForbiddenError(
            f"{who.account!r} is no owner of the project {project}.",
            remedy="Ask an owner: 'skerry project show' names them to members.",
        )


def _check_request(seen: Project, order: AccessOrder) -> None:
    """Refuse to ask for what somebody has, and of whom nobody could answer."""
    if seen.is_over:
        raise ConflictError(
            f"The project {seen.name} ended on {seen.last_day}.",
            remedy="Ask an operator of the platform to give it another last day.",
        )
    if seen.role not in (None, Role.READER) or seen.role is order.role:
        raise ConflictError(
            f"You are {seen.role} of the project {seen.name} already.",
            remedy="An owner changes roles and last days.",
        )


def _refuse_group(hub: HubAccess, name: str) -> None:
    """Refuse the name of a hub group: who is in it, is decided where people sign on."""
    known = knows_group(hub, name)
    if known is None:
        raise UnavailableError(
            "The hub does not answer, so nobody knows whether it has a group of this name.",
            remedy="Try again shortly.",
        )
    if known:
        raise ConflictError(
            f"The hub has a group {name!r}: its members come from the sign-on.",
            remedy="Choose another name, or change the group at the provider.",
        )
