"""The platform's state: which parts answer, room on the disk, live clusters."""

from dataclasses import dataclass

from skerry.client.session import Session
from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX, GATEWAY_PREFIX, MAPS_PREFIX
from skerry.core.wording import describe_bytes
from skerry.dashboards.board import show_time
from skerry.models.clusters import ClusterList
from skerry.models.platform import PlatformHealth

_HEALTH = {
    "hub": "/hub/health",
    "gateway": f"{GATEWAY_PREFIX}/api/health",
    "maps": f"{MAPS_PREFIX}/health",
    "dashboards": f"{DASHBOARDS_PREFIX}/health",
}


@dataclass(frozen=True)
class Health:
    """The platform's state for the overview.

    Attributes
    ----------
    parts
        Each part's name and whether it answers.
    disk
        Free and total room, in words.
    disk_low
        Whether runs wait, and imports are refused, for want of room.
    clusters
        Each living Dask cluster in words; None where the viewer may not see them.
    """

    parts: tuple[tuple[str, bool], ...]
    disk: str
    disk_low: bool
    clusters: tuple[str, ...] | None = None


def read_health(session: Session, *, may_operate: bool) -> Health:
    """Ask every part whether it answers, and the api for worker, disk and clusters."""
    health = session.fetch(PlatformHealth, "GET", "platform/health")
    parts = [(name, _answers(session, path)) for name, path in _HEALTH.items()]
    return Health(
        parts=tuple(sorted([*parts, ("api", True), *_list_workers(health)])),
        disk=f"{describe_bytes(health.disk_free)} of {describe_bytes(health.disk_total)} free",
        disk_low=health.disk_low,
        clusters=_read_clusters(session) if may_operate else None,
    )


def _list_workers(health: PlatformHealth) -> list[tuple[str, bool]]:
    if len(health.workers) < 2:  # noqa: PLR2004 - one needs no name
        return [("worker", health.worker)]
    return [(worker.name, worker.works) for worker in health.workers]


def _read_clusters(session: Session) -> tuple[str, ...] | None:
    try:
        clusters = session.fetch(ClusterList, "GET", "clusters").clusters
    except SkerryError:  # the gateway does not answer, which its own mark shows
        return None
    return tuple(
        f"{cluster.job or cluster.owner}: {cluster.workers} workers since"
        f" {show_time(cluster.since)}"
        for cluster in clusters
    )


def _answers(session: Session, path: str) -> bool:
    try:
        session.send("GET", path)
    except SkerryError:
        return False
    return True
