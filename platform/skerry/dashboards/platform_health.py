"""How the platform is: which parts answer, how much room the disk has, which clusters live."""

from dataclasses import dataclass

from skerry.client import Session
from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX, GATEWAY_PREFIX, MAPS_PREFIX
from skerry.core.wording import describe_bytes

_HEALTH = {
    "hub": "/hub/health",
    "gateway": f"{GATEWAY_PREFIX}/api/health",
    "maps": f"{MAPS_PREFIX}/health",
    "dashboards": f"{DASHBOARDS_PREFIX}/health",
}


@dataclass(frozen=True)
class Health:
    """What the overview says of the platform.

    Attributes
    ----------
    parts
        Each part's name and whether it answers.
    disk
        Free and total room, in words.
    disk_low
        Whether runs and imports wait for room.
    """

    parts: tuple[tuple[str, bool], ...]
    disk: str
    disk_low: bool


def read_health(session: Session) -> Health:
    """Ask every part whether it answers, and the api for the worker and the disk."""
    told = session.request("GET", "platform/health")
    parts = [(name, _answers(session, path)) for name, path in _HEALTH.items()]
    return Health(
        parts=tuple(sorted([*parts, ("api", True), ("worker", bool(told["worker"]))])),
        disk=f"{describe_bytes(told['disk_free'])} of {describe_bytes(told['disk_total'])} free",
        disk_low=bool(told["disk_low"]),
    )


def _answers(session: Session, path: str) -> bool:
    try:
        session.send("GET", path)
    except SkerryError:
        return False
    return True
