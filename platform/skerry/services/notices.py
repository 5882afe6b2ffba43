"""HTTP routes of what everybody may know of the platform, and of the end-to-end run."""

from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.disk import check_space
from skerry.core.scopes import Scope
from skerry.models.notices import EndToEndResult, EndToEndStart, Maintenance, Notices
from skerry.production import end_to_end, notices
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, anyone, require
from skerry.services.stores import Stores, name_actor

Announcer = Annotated[Identity, Depends(require(Scope.PLATFORM_ANNOUNCE))]
Operator = Annotated[Identity, Depends(require(Scope.PRODUCTION_OPERATE))]


def create_notices_router(stores: Stores, *, has_gateway: bool) -> APIRouter:
    """Return the routes ``/platform/notices``, ``/platform/maintenance``, ``/platform/end-to-end``.

    Parameters
    ----------
    stores
        The platform's stores.
    has_gateway
        Whether there is a Dask gateway.
    """
    router = create_router(prefix="/platform", tags=["platform"])
    _add_notices(router, stores)
    _add_end_to_end(router, stores, has_gateway=has_gateway)
    return router


def _add_notices(router: APIRouter, stores: Stores) -> None:
    @router.get("/notices", dependencies=[Depends(anyone())])
    def get_notices() -> Notices:
        """Return planned maintenance, and the last end-to-end run that succeeded."""
        with stores.reader.connect() as connection:
            return notices.find_notices(connection)

    @router.put("/maintenance")
    def announce_maintenance(maintenance: Maintenance, who: Announcer) -> Notices:
        """Announce maintenance, in place of what was announced before."""
        with stores.change(who) as connection:
            notices.announce_maintenance(connection, maintenance)
            return notices.find_notices(connection)

    @router.delete("/maintenance", status_code=204)
    def withdraw_maintenance(who: Announcer) -> None:
        """Withdraw the maintenance that was announced."""
        with stores.change(who) as connection:
            notices.withdraw_maintenance(connection)


def _add_end_to_end(router: APIRouter, stores: Stores, *, has_gateway: bool) -> None:
    @router.post("/end-to-end", status_code=201)
    def start_end_to_end(who: Operator) -> EndToEndStart:
        """Start a run of the platform's own small notebook; it publishes a preliminary product."""
        check_space(stores.data.root, "A run")
        by = name_actor(who)
        end_to_end.remove_forgotten(stores.writer, stores.objects, by)
        name, run = end_to_end.start_end_to_end(stores.writer, stores.objects, by)
        stores.ring()
        return EndToEndStart(name=name, run=run.id, has_gateway=has_gateway)

    @router.post("/end-to-end/{name}/end", status_code=204)
    def end_end_to_end(name: str, result: EndToEndResult, who: Operator) -> None:
        """Remove all that an end-to-end run has made; record that it succeeded, if it did."""
        end_to_end.remove_end_to_end(stores.writer, stores.objects, name, name_actor(who))
        if result.succeeded:
            with stores.change(who) as connection:
                notices.record_end_to_end(connection, result.seconds)
