"""The gateway's list of live clusters, for the platform's own parts."""

from typing import Any

from aiohttp import web

from skerry.core.time import format_time, from_microseconds


async def list_clusters(request: web.Request) -> web.Response:
    """Answer with the facts of every cluster that has not ended."""
    database = request.app["backend"].db
    return web.json_response(
        {"clusters": [_describe(cluster) for cluster in database.active_clusters()]}
    )


def _describe(cluster: Any) -> dict[str, Any]:
    workers = len(cluster.active_workers())
    limits = cluster.config
    return {
        "name": cluster.name,
        "owner": cluster.username,
        "status": cluster.model_status.name.lower(),
        "since": format_time(from_microseconds(cluster.start_time * 1000)),
        "workers": workers,
        "memory": limits.scheduler_memory + workers * limits.worker_memory,
    }
