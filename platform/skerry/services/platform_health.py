"""The platform's state: room on the disk, and which workers work."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Engine

from skerry.core.disk import measure_space
from skerry.core.scopes import Scope
from skerry.models.platform import PlatformHealth
from skerry.production.workers import list_workers
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.storage.layout import DataFolder

Reader = Annotated[Identity, Depends(require(Scope.PRODUCTION_READ))]


def create_health_router(reader: Engine, data: DataFolder) -> APIRouter:
    """Return the route ``/platform/health``.

    Parameters
    ----------
    reader
        The database, for reading.
    data
        The data folder.
    """
    router = create_router(prefix="/platform", tags=["platform"])

    @router.get("/health")
    def get_platform_health(_who: Reader) -> PlatformHealth:
        """Return how much room the disk has and which workers work."""
        space = measure_space(data.root)
        workers = list_workers(reader, data)
        return PlatformHealth(
            worker=any(worker.works for worker in workers), workers=workers,
            disk_free=space.free, disk_total=space.total,
            disk_floor=space.floor, disk_low=space.is_low,
        )  # fmt: skip

    return router
