"""The platform's state: room on the disk, and whether the worker works."""

import math
import time
from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.disk import measure_space
from skerry.core.scopes import Scope
from skerry.models.platform import PlatformHealth
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.storage.layout import DataFolder

_BEAT_S = 15.0
"""The worker touches its file every 2 s; after this many seconds without, it counts as dead."""

Reader = Annotated[Identity, Depends(require(Scope.PRODUCTION_READ))]


def create_health_router(data: DataFolder) -> APIRouter:
    """Return the route ``/platform/health``."""
    router = create_router(prefix="/platform", tags=["platform"])

    @router.get("/health")
    def get_platform_health(_who: Reader) -> PlatformHealth:
        """Return how much room the disk has and whether the worker works."""
        space = measure_space(data.root)
        return PlatformHealth(
            worker=measure_silence(data) < _BEAT_S, disk_free=space.free, disk_total=space.total,
            disk_floor=space.floor, disk_low=space.is_low,
        )  # fmt: skip

    return router


def measure_silence(data: DataFolder) -> float:
    """Return the seconds since the worker last touched its file; infinite if it never did."""
    try:
        return max(0.0, time.time() - (data.run / "worker.ready").stat().st_mtime)
    except FileNotFoundError:
        return math.inf
