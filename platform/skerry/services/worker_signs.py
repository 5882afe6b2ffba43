"""The worker's signs of life over HTTP: whether it answers, what it lacks, what it measures."""

import math
import os
import threading

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from skerry.core.beats import BEAT_S, measure_silence
from skerry.core.measurements import Measurements
from skerry.core.settings import WORKER_PREFIX, ServiceSettings
from skerry.production.executors.protocol import Executor
from skerry.services.application import create_application, open_server
from skerry.services.hub_access import HubAccess
from skerry.services.readiness import Check, check_objects, check_schema
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects


def create_worker_signs(
    settings: ServiceSettings, measurements: Measurements, executor: Executor, *,
    hub: HubAccess | None = None,
) -> FastAPI:  # fmt: skip
    """Return the application; see `skerry.services.application.create_application`."""
    data = DataFolder(settings.data)
    engine = open_database(find_database(data), read_only=True)
    return create_application(
        settings, [], "Skerry worker", prefix=WORKER_PREFIX, hub=hub, measurements=measurements,
        checks={
            "database": check_schema(engine),
            "objects": check_objects(open_objects(data), for_writing=True),
            "rounds": check_rounds(data),
            "attempts": lambda: run_in_threadpool(executor.find_fault),
        },
    )  # fmt: skip


def check_rounds(data: DataFolder) -> Check:
    """Return a check that the worker's rounds go on: a worker that answers may still be stuck."""

    async def ask() -> str | None:
        silence = measure_silence(data.worker_beat)
        if silence < BEAT_S:
            return None
        if math.isinf(silence):
            return "The worker has not ended a round yet."
        return f"The worker has ended no round for {silence:.0f} s."

    return ask


def serve_worker(measurements: Measurements, executor: Executor) -> None:
    """Answer in a thread of its own while the worker works; without a port do nothing.

    A worker needs no fixed address, because nobody sends work to it.
    """
    if not os.environ.get("SKERRY_SERVICE_PORT"):
        return
    settings = ServiceSettings.from_environment()
    server, sockets = open_server(create_worker_signs(settings, measurements, executor), settings)
    threading.Thread(target=server.run, args=(sockets,), name="signs", daemon=True).start()
