"""The platform's state: room on the disk, and whether the worker works."""

from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.beats import BEAT_S, measure_silence
from skerry.core.disk import measure_space
from skerry.core.scopes import Scope
from skerry.models.platform import PlatformHealth
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.storage.layout import DataFolder

Reader = Annotated[Identity, Depends(require(Scope.PRODUCTION_READ))]


def create_health_router(data: DataFolder) -> APIRouter:
    """Return the route ``/platform/health``."""
    router = create_router(prefix="/platform", tags=["platform"])

    @router.get("/health")
    def get_platform_health(_who: Reader) -> PlatformHealth:
        """Return how much room the disk has and whether the worker works."""
        space = measure_space(data.root)
        return PlatformHealth(
            worker=measure_silence(data.worker_beat) < BEAT_S,
            disk_free=space.free, disk_total=space.total,
            disk_floor=space.floor, disk_low=space.is_low,
        )  # fmt: skip

    return router
