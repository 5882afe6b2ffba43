"""The maps program: it serves tiles, apart from the api, so that many tiles block nothing else.

Start it with ``python -m skerry.services.maps``; ``skerry up`` does.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI

from skerry.core.measurements import Measurements
from skerry.core.programs import run_program
from skerry.core.settings import MAPS_PREFIX, ServiceSettings
from skerry.services.application import create_application, serve
from skerry.services.hub_access import HubAccess
from skerry.services.identity import Verifier
from skerry.services.layers import LayerBook
from skerry.services.machine_tokens import open_verifier
from skerry.services.measuring import watch_database
from skerry.services.memberships import MemberVerifier
from skerry.services.reaching_state import reach_state
from skerry.services.readiness import check_objects, check_schema
from skerry.services.tiles import Drawer, create_tiles_router
from skerry.storage.chunk_cache import ChunkCache
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects

CHUNK_BYTES = 512 * 2**20
"""Decoded chunks kept in memory."""


def create_maps(
    settings: ServiceSettings,
    *,
    hub: HubAccess | None = None,
    verifier: Verifier | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> FastAPI:
    """Return the maps application over the data folder that `settings` name.

    The database is opened read only; `hub` and `verifier` are for tests.
    """
    data = DataFolder(settings.data)
    engine = open_database(find_database(data), read_only=True)
    pool = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="draw")
    objects = open_objects(data)
    book = LayerBook(engine, objects)
    cache = ChunkCache(chunk_bytes)
    drawer = Drawer(book, cache, pool, settings.public_url)
    measurements = Measurements()
    watch_database(measurements, engine)
    watch_cache(measurements, cache)

    hub = hub or HubAccess.from_environment()
    members = MemberVerifier(verifier or open_verifier(hub.api_url, settings.data), engine)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=False, cancel_futures=True)
        engine.dispose()

    return create_application(
        settings, [create_tiles_router(drawer)], "Skerry maps", prefix=MAPS_PREFIX,
        hub=hub, verifier=members, lifespan=lifespan, measurements=measurements,
        checks={
            "database": check_schema(engine),
            "objects": check_objects(objects, for_writing=False),
        },
    )  # fmt: skip


def watch_cache(measurements: Measurements, cache: ChunkCache) -> None:
    """Show how often a chunk was in the cache, and what the cache holds."""
    measurements.watch(
        "skerry_chunk_requests",
        "Chunks that were asked of the cache since the program's start",
        lambda: [({"found": "yes"}, cache.hits), ({"found": "no"}, cache.misses)],
    )
    measurements.watch(
        "skerry_chunk_cache_bytes", "Bytes of decoded chunks in the cache",
        lambda: [({}, cache.held_bytes)],
    )  # fmt: skip


def main() -> int:
    """Serve until a signal ends the program; return the exit code."""
    return run_program(_start)


def _start() -> None:
    settings = ServiceSettings.from_environment()
    reach_state(DataFolder(settings.data), prefix=MAPS_PREFIX, writing=False)
    serve(create_maps(settings), settings)


if __name__ == "__main__":
    sys.exit(main())
