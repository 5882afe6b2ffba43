"""The gateway's list of live clusters, for the platform's own parts."""

from typing import Any

from aiohttp import web

from skerry.core.time import format_time, from_microseconds


async def list_clusters(request: web.Request) -> web.Response:
    """Answer with the facts of every cluster that has not ended; the backend describes them."""
    return web.json_response({"clusters": await request.app["backend"].describe_clusters()})


def describe_cluster(
    cluster: Any, status: str, workers: int, scheduler_memory: int, worker_memory: int
) -> dict[str, Any]:
    """Return the facts of a cluster; memory in bytes."""
    return {
        "name": cluster.name,
        "owner": cluster.username,
        "status": status.lower(),
        "since": format_time(from_microseconds(cluster.start_time * 1000)),
        "workers": workers,
        "memory": scheduler_memory + workers * worker_memory,
    }
