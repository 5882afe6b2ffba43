"""HTTP routes that give collections, releases and jobs to others, open them, and take them back."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from skerry.catalog.tables import SHARES
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.models.jobs import Job
from skerry.models.releases import Release
from skerry.models.shares import PublicOrder, ShareList, ShareOrder
from skerry.production.jobs import open_job, read_job
from skerry.production.releases import open_release
from skerry.production.tables import JOB_SHARES, RELEASE_SHARES
from skerry.projects.store import is_project
from skerry.services.access import check_seen
from skerry.services.guarded_route import create_router
from skerry.services.hub_access import HubAccess
from skerry.services.hub_names import check_holder
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores
from skerry.services.work_access import check_job, check_release
from skerry.storage.sharing import Shares


@dataclass(frozen=True)
class _Kind:
    """A kind of thing that can be given.

    Attributes
    ----------
    name, path
        The word for it, and the path of its shares.
    scope
        Who gives it holds this.
    shares
        Its table.
    find
        Returns the key of a thing that the asker may give, by its name; else refuses.
    """

    name: str
    path: str
    scope: Scope
    shares: Shares
    find: Callable[[Connection, Identity, str], str]


def create_shares_router(stores: Stores, hub: HubAccess) -> APIRouter:
    """Return the routes of shares: ``/shares`` for collections, for others below ``/production``.

    Only those who may give a thing see to whom it is given.
    """
    router = create_router(tags=["shares"])
    for kind in (
        _Kind("collection", "/shares/{thing}", Scope.CATALOG_WRITE, SHARES, _find_collection),
        _Kind(
            "release", "/production/releases/{thing}/shares", Scope.PRODUCTION_PROPOSE,
            RELEASE_SHARES, _find_release,
        ),
        _Kind(
            "job", "/production/jobs/{thing}/shares", Scope.PRODUCTION_OPERATE, JOB_SHARES,
            _find_job,
        ),
    ):  # fmt: skip
        _add_shares(router, stores, kind, hub)
    _add_openings(router, stores)
    return router


def _find_collection(connection: Connection, who: Identity, name: str) -> str:
    return check_seen(connection, who, name, Verb.GIVE).id


def _find_release(connection: Connection, who: Identity, name: str) -> str:
    return check_release(connection, who, name, Verb.GIVE).id


def _find_job(connection: Connection, who: Identity, name: str) -> str:
    return str(check_job(connection, who, name, Verb.GIVE)["name"])


def _add_shares(router: APIRouter, stores: Stores, kind: _Kind, hub: HubAccess) -> None:
    guard = Depends(require(kind.scope))
    name, holder_path = kind.name, f"{kind.path}/{{holder}}"

    @router.get(
        kind.path, name=f"list_{name}_shares", description=f"List to whom a {name} is given."
    )
    def list_shares(thing: str, who: Identity = guard) -> ShareList:
        with stores.reader.connect() as connection:
            return _list(connection, kind, kind.find(connection, who, thing))

    @router.put(
        holder_path, name=f"give_{name}_to",
        description=f"Give a {name} to ``person:<name>`` or ``project:<name>``.",
    )  # fmt: skip
    def give(thing: str, holder: str, order: ShareOrder, who: Identity = guard) -> ShareList:
        with stores.reader.connect() as connection:
            kind.find(
                connection, who, thing
            )  # before the hub is asked: others must not learn which accounts exist
            is_ours = is_project(connection, holder)
        remark = None if is_ours else check_holder(hub, holder)
        with stores.change(who) as connection:
            key = kind.find(connection, who, thing)
            kind.shares.give(connection, key, holder, Verb(order.verb))
            return _list(connection, kind, key).model_copy(update={"remark": remark or ""})

    @router.delete(
        holder_path, name=f"take_back_{name}", status_code=204, description=f"Take a {name} back."
    )
    def take_back(thing: str, holder: str, who: Identity = guard) -> Response:
        with stores.change(who) as connection:
            kind.shares.take_back(connection, kind.find(connection, who, thing), holder)
        return Response(status_code=204)


def _list(connection: Connection, kind: _Kind, key: str) -> ShareList:
    return ShareList(shares=kind.shares.list_shares(connection, key))


def _add_openings(router: APIRouter, stores: Stores) -> None:
    guard = Depends(require(Scope.PRODUCTION_PUBLICISE))

    @router.put("/production/releases/{release}/public")
    def open_release_to_all(release: str, order: PublicOrder, who: Identity = guard) -> Release:
        """Open a release, once it is approved, to everybody without login, or close it again."""
        with stores.change(who) as connection:
            own = check_release(connection, who, release, Verb.GIVE)
            return open_release(connection, own, public=order.public)

    @router.put("/production/jobs/{job}/public")
    def open_job_to_all(job: str, order: PublicOrder, who: Identity = guard) -> Job:
        """Open a job and its successful runs to everybody without login, or close them again."""
        with stores.change(who) as connection:
            own = read_job(check_job(connection, who, job, Verb.GIVE))
            return open_job(connection, own.name, public=order.public)
