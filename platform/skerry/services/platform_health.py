"""The platform's state: room on the disk, and whether the worker works."""

import math
import time
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from skerry.core.disk import measure_space
from skerry.core.scopes import Scope
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.storage.layout import DataFolder

_BEAT_S = 15.0
"""The worker touches its file every 2 s; after this many seconds without, it counts as dead."""

Reader = Annotated[Identity, Depends(require(Scope.PRODUCTION_READ))]


class PlatformHealth(BaseModel):
    """The platform's state, for the pages.

    Attributes
    ----------
    worker
        Whether the worker works.
    disk_free, disk_total, disk_floor
        Bytes on the data folder's disk; below the floor runs and imports do not start.
    disk_low
        Whether less than the floor is free.
    """

    worker: bool
    disk_free: int
    disk_total: int
    disk_floor: int
    disk_low: bool


def create_health_router(data: DataFolder) -> APIRouter:
    """Return the route ``/platform/health``."""
    router = create_router(prefix="/platform", tags=["platform"])

    @router.get("/health")
    def report_platform(_who: Reader) -> PlatformHealth:
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
