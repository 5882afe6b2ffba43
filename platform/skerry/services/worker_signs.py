"""The worker's signs of life over HTTP: whether it answers, what it lacks, what it measures."""

import os
import threading

from fastapi import FastAPI

from skerry.core.measurements import Measurements
from skerry.core.settings import WORKER_PREFIX, ServiceSettings
from skerry.services.application import create_application, open_server
from skerry.services.hub_access import HubAccess
from skerry.services.readiness import check_schema
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder


def create_worker_signs(
    settings: ServiceSettings, measurements: Measurements, *, hub: HubAccess | None = None
) -> FastAPI:
    """Return the application; see `skerry.services.application.create_application`."""
    engine = open_database(find_database(DataFolder(settings.data)), read_only=True)
    return create_application(
        settings, [], "Skerry worker", prefix=WORKER_PREFIX, hub=hub, measurements=measurements,
        checks={"database": check_schema(engine)},
    )  # fmt: skip


def serve_worker(measurements: Measurements) -> None:
    """Answer in a thread of its own while the worker works; without a port do nothing.

    A worker needs no address: nobody sends it work.
    """
    if not os.environ.get("SKERRY_SERVICE_PORT"):
        return
    settings = ServiceSettings.from_environment()
    server, sockets = open_server(create_worker_signs(settings, measurements), settings)
    threading.Thread(target=server.run, args=(sockets,), name="signs", daemon=True).start()
