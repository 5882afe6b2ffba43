"""Why a user server has ended, in words for its person: read from what Kubernetes says of its pod.

The texts say what to do next, because the person finds them on the page that starts a server.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from skerry.core.cluster_hub_settings import IdleRules

CONTAINER = "notebook"
_KILLED = 137
_DISRUPTIONS = {
    "PreemptionByScheduler": "the cluster was full, and work of higher priority needed its place",
    "DeletionByTaintManager": "its node failed or was taken out of service",
    "EvictionByEvictionAPI": "its node was emptied for maintenance",
    "DeletionByPodGC": "its node is gone",
    "TerminationByKubelet": "its node ran short of memory or disk",
}
GONE = (
    "Your server ended: its pod is gone from the cluster. Your files are kept; what was in memory "
    "is lost."
)


def explain_pod(pod: Mapping[str, Any]) -> str:
    """Return why a pod has ended; an empty text while it has not, or if it ended well.

    Parameters
    ----------
    pod
        The pod as the API server describes it.
    """
    status = pod.get("status") or {}
    if status.get("reason") == "Evicted":
        return _word("it was evicted: " + (status.get("message") or "its node ran short"))
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = condition.get("reason", "")
            return _word(_DISRUPTIONS.get(reason, f"Kubernetes needed its place ({reason})"))
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if container.get("name") == CONTAINER and ended:
            return _explain_exit(ended, _read_memory_limit(pod))
    return ""


def _explain_exit(ended: Mapping[str, Any], memory_limit: int | None) -> str:
    if ended.get("reason") == "OOMKilled":
        limit = f" of {memory_limit / (1 << 30):.3g} GiB" if memory_limit else ""
        return _word(
            f"it needed more memory than its limit{limit}",
            "Choose a profile with more memory, or work on smaller pieces.",
        )
    code = ended.get("exitCode")
    if code == 0:
        return ""
    if code == _KILLED:
        return _word("something killed it (exit code 137)")
    return _word(f"its program stopped with exit code {code}")


def _read_memory_limit(pod: Mapping[str, Any]) -> int | None:
    """Return a pod's own limit in bytes: a hub that was restarted does not know it any more."""
    for container in (pod.get("spec") or {}).get("containers") or []:
        limits = (container.get("resources") or {}).get("limits") or {}
        limit = str(limits.get("memory", ""))
        if container.get("name") == CONTAINER and limit.isdecimal():  # as KubeSpawner writes it
            return int(limit)
    return None


def explain_idleness(
    last_activity: datetime | None, started: datetime | None, rules: IdleRules, now: datetime
) -> str:
    """Return why the hub ended a server; an empty text if its person did.

    Parameters
    ----------
    last_activity, started
        When the server was used last and when it started, in UTC, with or without a time zone.
    rules
        When servers end.
    now
        The time of its end.
    """
    used = _in_utc(last_activity) or _in_utc(started)
    if used is not None and now - used >= timedelta(minutes=rules.end_after_minutes):
        return _word(
            f"nobody used it for {rules.end_after_minutes} minutes",
            "A running notebook cell counts as use.",
        )
    begun = _in_utc(started)
    if rules.longest_hours and begun and now - begun >= timedelta(hours=rules.longest_hours):
        return _word(f"servers end after {rules.longest_hours} hours here")
    return ""


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _word(reason: str, advice: str = "") -> str:
    kept = "Your files are kept; what was in memory is lost."
    return f"Your server ended: {reason.rstrip('.')}. {kept}{' ' + advice if advice else ''}"
