"""What pods and Jobs say is told in plain words; `tests/kubernetes` tries it on an API server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod
from tests.unit.production.executors.contract import write_order

from skerry.core.errors import InvalidInputError
from skerry.production.executors.kubernetes.judging import find_breach, judge
from skerry.production.executors.kubernetes.manifest import write_job
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.protocol import AttemptName, AttemptState, Limits, Phase

IMAGE = "registry.example/skerry@sha256:" + "0" * 64
SETTINGS = JobSettings(namespace="runs", image=IMAGE)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORDS = '{"exit_code": 3, "message": "no water"}'


def make_job(memory: int | None = None, **status: Any) -> Job:
    job = write_job(AttemptName("r", 1), write_order(""), Limits(600, memory), SETTINGS)
    return Job.from_dict({**job.to_dict(), "status": status})


def make_pod(
    phase: str, state: dict[str, Any] | None = None, age_s: float = 10, **told: Any
) -> Pod:
    made = (NOW - timedelta(seconds=age_s)).isoformat()
    container = {"name": "attempt", "image": IMAGE, "imageID": "", "ready": False}
    statuses = [{**container, "restartCount": 0, "state": state}] if state else []
    spec = {"nodeName": "n1", "containers": [{"name": "attempt", "image": IMAGE}]}
    metadata = {"name": "p", "creationTimestamp": made}
    if "deletionTimestamp" in told:
        metadata["deletionTimestamp"] = told.pop("deletionTimestamp")
    status = {"phase": phase, "containerStatuses": statuses, **told}
    return Pod.from_dict({"metadata": metadata, "spec": spec, "status": status})


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def disrupted(reason: str, message: str = "") -> list[dict[str, str]]:
    told = {"reason": reason, "message": message}
    return [{"type": "DisruptionTarget", "status": "True", **told}]


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (make_pod("Succeeded", ended(0)), AttemptState(Phase.SUCCEEDED)),
        (
            make_pod("Failed", ended(3, message=WORDS)),
            AttemptState(Phase.FAILED, "The run process ended with exit code 3.", "no water"),
        ),
        (
            make_pod("Failed", ended(3, message=WORDS[:20])),
            AttemptState(Phase.FAILED, "The run process ended with exit code 3."),
        ),
        (
            make_pod("Failed", ended(137)),
            AttemptState(Phase.KILLED, "The run process ended with signal 9."),
        ),
        (
            make_pod("Failed", ended(137, "OOMKilled")),
            AttemptState(Phase.OUT_OF_MEMORY, "Ended because it took more than 200 MB of memory."),
        ),
        (
            make_pod("Failed", reason="DeadlineExceeded"),
            AttemptState(Phase.TIMED_OUT, "Ended after its timeout of 600 s."),
        ),
        (
            make_pod("Failed", reason="Evicted", message="The node was low on memory."),
            AttemptState(Phase.KILLED, "Its node n1 evicted it: The node was low on memory."),
        ),
        (
            make_pod("Failed", reason="OutOfcpu"),
            AttemptState(Phase.KILLED, "Its node n1 ended it (OutOfcpu)."),
        ),
        (
            make_pod("Failed", ended(143), conditions=disrupted("EvictionByEvictionAPI")),
            AttemptState(Phase.KILLED, "Its node n1 was emptied by the cluster's operators."),
        ),
        (
            make_pod("Failed", ended(143), conditions=disrupted("PreemptionByScheduler")),
            AttemptState(Phase.KILLED, "A pod of higher priority took its place on the node n1."),
        ),
        (
            make_pod("Failed", conditions=disrupted("DeletionByPodGC")),
            AttemptState(Phase.KILLED, "Its node n1 is gone."),
        ),
        (
            make_pod("Failed", conditions=disrupted("New", "Something new happened.")),
            AttemptState(Phase.KILLED, "Its node n1 ended it: Something new happened."),
        ),
        (
            make_pod("Failed"),
            AttemptState(Phase.KILLED, "Its pod ended on the node n1 without a word."),
        ),
        (
            make_pod("Running", deletionTimestamp=(NOW - timedelta(minutes=5)).isoformat()),
            AttemptState(Phase.KILLED, "Its node n1 does not answer."),
        ),
        (
            make_pod("Running", deletionTimestamp=(NOW - timedelta(seconds=5)).isoformat()),
            AttemptState(Phase.RUNNING),
        ),
        (make_pod("Pending"), AttemptState(Phase.RUNNING)),
        (
            make_pod("Pending", {"waiting": {"reason": "ErrImagePull"}}),
            AttemptState(Phase.RUNNING, "Waits: ErrImagePull"),
        ),
    ],
)
def test_a_pod(pod: Pod, expected: AttemptState) -> None:
    assert judge(make_job(200_000_000), [pod], NOW, SETTINGS) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            {"type": "Suspended", "status": "True"},
            AttemptState(Phase.RUNNING, "Waits for its pod."),
        ),
        ({"type": "Complete", "status": "True"}, AttemptState(Phase.SUCCEEDED)),
        (
            {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "Why."},
            AttemptState(Phase.KILLED, "Its pod was taken from its node: Why."),
        ),
        (
            {"type": "Failed", "status": "True", "reason": "Other", "message": "Why."},
            AttemptState(Phase.KILLED, "Its pod is gone: Why."),
        ),
    ],
)
def test_a_job_without_its_pod(condition: dict[str, str], expected: AttemptState) -> None:
    assert judge(make_job(conditions=[condition]), [], NOW, SETTINGS) == expected


@pytest.mark.parametrize(
    ("pod", "detail"),
    [
        (
            make_pod("Pending", {"waiting": {"reason": "InvalidImageName", "message": "Bad."}}),
            f"The image {IMAGE} cannot be had: Bad.",
        ),
        (
            make_pod("Pending", {"waiting": {"reason": "ImagePullBackOff"}}, age_s=121),
            f"The image {IMAGE} cannot be had: ImagePullBackOff",
        ),
        (make_pod("Pending", {"waiting": {"reason": "ImagePullBackOff"}}, age_s=119), None),
        (
            make_pod("Pending", {"waiting": {"reason": "CreateContainerError", "message": "No."}}),
            "Its container cannot be made: No.",
        ),
        (
            make_pod("Pending", age_s=901),
            "It did not begin within 900 s. Its node says nothing.",
        ),
        (make_pod("Pending", age_s=899), None),
        (
            make_pod("Running", {"running": {"startedAt": "2026-01-01T11:49:59Z"}}),
            "Ended after its timeout of 600 s.",
        ),
        (make_pod("Running", {"running": {"startedAt": "2026-01-01T11:50:01Z"}}), None),
    ],
)
def test_beyond_its_limits_or_unable_to_begin(pod: Pod, detail: str | None) -> None:
    breach = find_breach(make_job(), [pod], NOW, SETTINGS)
    assert (breach.detail if breach is not None else None) == detail


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="SKERRY_JOBS_NAMESPACE"):
        JobSettings.from_environment()
    monkeypatch.setenv("SKERRY_JOBS_NAMESPACE", "runs")
    monkeypatch.setenv("SKERRY_JOBS_IMAGE", "registry.example/skerry:latest")
    with pytest.raises(InvalidInputError, match="not pinned"):
        JobSettings.from_environment()
    monkeypatch.setenv("SKERRY_JOBS_IMAGE", IMAGE)
    assert JobSettings.from_environment() == SETTINGS
    monkeypatch.setenv("SKERRY_JOBS_CPU", "500m")
    monkeypatch.setenv("SKERRY_JOBS_PRIORITY", "production")
    expected = SETTINGS.model_copy(update={"cpu": "500m", "priority": "production"})
    assert JobSettings.from_environment() == expected
