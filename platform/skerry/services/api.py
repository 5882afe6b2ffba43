"""The api program: catalogue, grants, files, production and logs in one application."""

import contextlib
import logging
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from skerry.catalog.deletions import finish_deletions, release_expired
from skerry.core.measurements import Measurements
from skerry.core.ownership import KEEPER
from skerry.core.programs import run_program
from skerry.core.settings import API_PREFIX, ServiceSettings
from skerry.production.clusters import Gateway
from skerry.production.epochs import check_current
from skerry.production.run_history import find_run
from skerry.production.tokens import GRACE_S
from skerry.services.application import create_application, serve
from skerry.services.attempts import create_attempts_router
from skerry.services.audit import create_audit_router
from skerry.services.budgets import create_budgets_router
from skerry.services.clusters import create_clusters_router
from skerry.services.courses import create_courses_router
from skerry.services.figures import watch_machine, watch_production, watch_upkeep, watch_workers
from skerry.services.files import create_files_router
from skerry.services.grants import create_grants_router
from skerry.services.hub_access import HubAccess
from skerry.services.identity import Identity, Verifier
from skerry.services.machine_tokens import open_verifier
from skerry.services.me import create_me_router
from skerry.services.measuring import watch_database
from skerry.services.memberships import MemberVerifier
from skerry.services.notices import create_notices_router
from skerry.services.platform_health import create_health_router
from skerry.services.platform_logs import create_logs_router
from skerry.services.production import create_production_router
from skerry.services.projects import create_projects_router
from skerry.services.reaching_state import reach_state
from skerry.services.readiness import check_objects, check_schema
from skerry.services.shares import create_shares_router
from skerry.services.stac import create_stac_router
from skerry.services.stac_versions import create_stac_versions_router
from skerry.services.stac_writing import create_stac_writing_router
from skerry.services.stores import Stores, open_stores
from skerry.storage.absence import describe_cause
from skerry.storage.layout import DataFolder

_LOG = logging.getLogger(__name__)


def create_api(
    settings: ServiceSettings, *, hub: HubAccess | None = None, verifier: Verifier | None = None
) -> FastAPI:
    """Return the api's application over a data folder whose database has been migrated.

    Parameters
    ----------
    settings
        Data folder and addresses.
    hub, verifier
        See `skerry.services.application.create_application`.
    """
    hub = hub or HubAccess.from_environment()
    data = DataFolder(settings.data)
    stores = open_stores(data)
    gateway = Gateway.from_environment()
    members = MemberVerifier(verifier or open_verifier(hub.api_url, settings.data), stores.reader)
    routers = [
        create_stac_router(stores, settings.public_url),
        create_stac_writing_router(stores, settings.public_url),
        create_stac_versions_router(stores),
        create_shares_router(stores, hub),
        create_grants_router(stores, settings.public_url, _check_run),
        create_files_router(stores),
        create_production_router(stores, self_approval=settings.self_approval),
        create_attempts_router(stores),
        create_audit_router(stores),
        create_budgets_router(stores, hub),
        create_courses_router(stores),
        create_projects_router(stores, hub, members.forget),
        create_clusters_router(stores, gateway),
        create_logs_router(data),
        create_health_router(stores.reader, data),
        create_notices_router(stores, has_gateway=gateway is not None),
        create_me_router(),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(_recover, stores)
        yield
        stores.close()

    return create_application(
        settings, routers, "Skerry api", prefix=API_PREFIX, hub=hub, verifier=members,
        lifespan=lifespan, measurements=_measure(stores, data),
        checks={
            "database": check_schema(stores.reader),
            "objects": check_objects(stores.objects, for_writing=True),
        },
    )  # fmt: skip


def _measure(stores: Stores, data: DataFolder) -> Measurements:
    measurements = Measurements()
    for engine in (stores.writer, stores.reader):
        watch_database(measurements, engine)
    watch_production(measurements, stores.reader)
    watch_upkeep(measurements, stores.reader)
    watch_workers(measurements, stores.reader, data)
    watch_machine(measurements, data)
    return measurements


def _check_run(connection: Connection, identity: Identity, run: str, epoch: int) -> float:
    check_current(connection, run, epoch, identity.token)
    return float(find_run(connection, run, viewer=KEEPER)["timeout_s"] + GRACE_S)


def _recover(stores: Stores) -> None:
    """Complete work that a crash interrupted; several apis may do it at once."""
    try:
        release_expired(stores.writer)
        finish_deletions(stores.writer, stores.objects)
    except OperationalError as error:  # the next grant does the same
        _LOG.warning("Expired grants are released later: %s", describe_cause(error))


def main() -> int:
    """Run the api until a signal ends it; return the exit code."""
    return run_program(_start)


def _start() -> None:
    settings = ServiceSettings.from_environment()
    reach_state(DataFolder(settings.data), prefix=API_PREFIX, writing=True)
    serve(create_api(settings), settings)


if __name__ == "__main__":
    sys.exit(main())
