"""Dask clusters that do not start are ended: else they would keep their share for ever.

An idle cluster ends itself, once its scheduler works. A cluster whose scheduler finds no node, or
whose image cannot be had, waits without end in dask-gateway 2026.3, also when its notebook is gone.
"""

import asyncio
import time
from typing import Any

from dask_gateway_server.models import ClusterStatus

_LOOK_S = 30.0


async def follow_starts(backend: Any) -> None:
    """End clusters that do not start, as long as a gateway's backend is there."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            await end_unstarted(backend, backend.start_s)
        except Exception:
            backend.log.exception("Dask clusters that do not start could not be ended.")


async def end_unstarted(backend: Any, limit_s: float) -> list[str]:
    """End the clusters that have waited for too long.

    Parameters
    ----------
    backend
        A gateway's backend on Kubernetes.
    limit_s
        Seconds that a cluster has to start.

    Returns
    -------
    list[str]
        The names of those that were ended now.
    """
    begun_ms = (time.time() - limit_s) * 1000
    waiting = await backend.list_clusters(statuses=[ClusterStatus.PENDING])
    late = [cluster.name for cluster in waiting if cluster.start_time <= begun_ms]
    late = [name for name in late if _is_wanted(backend, name)]
    for name in late:
        backend.log.warning("The Dask cluster %s did not start within %g s.", name, limit_s)
        await backend.stop_cluster(name, failed=True)
    return late


def _is_wanted(backend: Any, name: str) -> bool:
    """Return whether nobody has ended a cluster yet; the gateway's controller does it later."""
    found = backend.informer.get(name) or {}
    return found.get("spec", {}).get("active", True) is not False
