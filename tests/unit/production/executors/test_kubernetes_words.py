"""What pods and Jobs say is told in plain words; `tests/kubernetes` tries it on an API server."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod
from tests.unit.production.executors.contract import ENVIRONMENT, write_order

from skerry.production.environments import digest_environment
from skerry.production.executors.kubernetes import judging
from skerry.production.executors.kubernetes.cluster import RIGHTS
from skerry.production.executors.kubernetes.judging import find_breach, judge, write_state
from skerry.production.executors.kubernetes.manifest import END, find_image, write_job
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
    asked = {"requests": {"cpu": "500m", "memory": "2000000000"}}
    spec = {
        "nodeName": "n1",
        "containers": [{"name": "attempt", "image": IMAGE, "resources": asked}],
    }
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
        (  # what it said last tells of this end, and not of its notebook
            make_pod(
                "Failed",
                ended(3, message=WORDS),
                conditions=disrupted("DeletionByTaintManager"),
            ),
            AttemptState(
                Phase.KILLED, "Its node n1 does not answer any more, or was closed to it."
            ),
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
        (make_pod("Pending"), AttemptState(Phase.WAITING)),
        (
            make_pod("Pending", {"waiting": {"reason": "ErrImagePull"}}),
            AttemptState(Phase.WAITING, "Waits: ErrImagePull"),
        ),
        (
            make_pod("Pending", {"waiting": {"reason": "ContainerCreating"}}),
            AttemptState(
                Phase.WAITING, "Waits: its node gets the image and prepares the container."
            ),
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
            AttemptState(Phase.WAITING, "Waits for its pod."),
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


_FULL = (
    "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s). "
    "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
    "2 Preemption is not helpful for scheduling."
)
_SMALL = (
    "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, "
    "2 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: "
    "3 Preemption is not helpful for scheduling."
)
_EMPTIED = (
    "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient memory. preemption: "
    "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
_CLOSED = (
    "0/3 nodes are available: 3 node(s) had untolerated taint(s). preemption: 0/3 nodes are "
    "available: 3 Preemption is not helpful for scheduling."
)
_OLDER = "0/2 nodes are available: 2 Insufficient memory. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."  # noqa: E501
_NONE = "no nodes available to schedule pods"


def place(placed: str, age_s: float, words: str = "") -> dict[str, Any]:
    """Return what a pod says that got a node, or got none, so long ago."""
    since = (NOW - timedelta(seconds=age_s)).isoformat()
    told = {"reason": "Unschedulable", "message": words, "lastTransitionTime": since}
    return {"conditions": [{"type": "PodScheduled", "status": placed, **told}]}


@pytest.mark.parametrize("words", [_FULL, _EMPTIED, _CLOSED, _OLDER, _NONE])
def test_a_full_cluster_is_waited_for(words: str) -> None:
    pods = [make_pod("Pending", age_s=86_399, **place("False", 86_399, words))]
    assert judge(make_job(), pods, NOW, SETTINGS) == AttemptState(
        Phase.WAITING,
        "Waits for room in the cluster since 2025-12-31T12:00:01Z: it asks for cpu 500m and "
        f"memory 2.0 GB. {words}",
    )
    assert find_breach(make_job(), pods, NOW, SETTINGS) is None
    pods = [make_pod("Pending", age_s=86_401, **place("False", 86_401, words))]
    assert find_breach(make_job(), pods, NOW, SETTINGS) == AttemptState(
        Phase.UNPLACED,
        "There was no room for it in the cluster for 86400 s. It asks for cpu 500m and memory "
        f"2.0 GB. {words}",
    )


def test_what_is_larger_than_each_node_is_refused_unless_a_larger_node_comes() -> None:
    pods = [make_pod("Pending", age_s=899, **place("False", 899, _SMALL))]
    waiting = judge(make_job(), pods, NOW, SETTINGS)
    assert waiting.phase is Phase.WAITING
    assert waiting.detail.startswith("Waits for a larger node since 2026-01-01T11:45:01Z: it asks")
    assert find_breach(make_job(), pods, NOW, SETTINGS) is None
    pods = [make_pod("Pending", age_s=901, **place("False", 901, _SMALL))]
    assert find_breach(make_job(), pods, NOW, SETTINGS) == AttemptState(
        Phase.UNPLACED,
        "No node is large enough for it, and no larger node came within 900 s. It asks for "
        f"cpu 500m and memory 2.0 GB. {_SMALL}",
    )


def test_a_node_has_its_whole_time_after_a_long_wait_for_room() -> None:
    waited = make_pod("Pending", age_s=5_000, **place("True", 899))
    assert find_breach(make_job(), [waited], NOW, SETTINGS) is None
    slow = make_pod("Pending", age_s=5_000, **place("True", 901))
    breach = find_breach(make_job(), [slow], NOW, SETTINGS)
    assert breach is not None
    assert breach.detail == "It did not begin within 900 s. Its node says nothing."


def test_who_is_to_end_before_its_pod_waits_until_kubernetes_makes_none() -> None:
    asked = write_state(AttemptState(Phase.KILLED, "Cancelled."))
    job = make_job(conditions=[{"type": "Suspended", "status": "True"}])
    assert job.metadata is not None
    assert job.metadata.annotations is not None
    assert job.spec is not None
    job.metadata.annotations[END] = asked
    assert judge(job, [], NOW, SETTINGS) == AttemptState(Phase.KILLED, "Cancelled.")
    job.spec.suspend = False
    assert judge(job, [], NOW, SETTINGS).phase is Phase.WAITING, "a pod may be made at this moment"


def write_pod(**settings: str) -> dict[str, Any]:
    jobs = SETTINGS.model_copy(update=settings)
    job = write_job(AttemptName("r", 1), write_order(""), Limits(600, 10**9), jobs).to_dict()
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    return pod


def test_certificates_of_the_worker_are_seen_at_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/skerry/certificates/ca.crt")
    pod = write_pod(certificates="authorities")
    mounts = {item["name"]: item["mountPath"] for item in pod["containers"][0]["volumeMounts"]}
    assert mounts["certificates"] == "/etc/skerry/certificates"
    volumes = {item["name"]: item for item in pod["volumes"]}
    assert volumes["certificates"]["configMap"] == {"name": "authorities"}
    assert volumes.keys() == mounts.keys()
    assert "certificates" not in {item["name"] for item in write_pod()["volumes"]}


def test_settings_of_a_pod() -> None:
    pod = write_pod(pull="Never", cpu="500m", priority="production", account="runner")
    container = pod["containers"][0]
    assert container["imagePullPolicy"] == "Never"
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1000000000"}, "limits": {"memory": "1000000000"},
    }  # fmt: skip
    assert (pod["priorityClassName"], pod["serviceAccountName"]) == ("production", "runner")
    assert {"name": "SKERRY_ISOLATION", "value": "pod"} in container["env"]


def test_the_image_of_an_earlier_environment() -> None:
    other = {**ENVIRONMENT, "wheels": {"other-1-py3-none-any.whl": "0" * 64}}
    assert find_image(other, SETTINGS) is None
    images = {digest_environment(other): "old"}
    settings = SETTINGS.model_copy(update={"images": images})
    assert find_image(other, settings) == "old"
    assert find_image(ENVIRONMENT, settings) == IMAGE


def test_a_worker_may_do_what_its_role_says() -> None:
    role = yaml.safe_load((Path(judging.__file__).parent / "role.yaml").read_text())
    rules = [(rule["apiGroups"], rule["resources"], tuple(rule["verbs"])) for rule in role["rules"]]
    assert rules == [([group], [resource], verbs) for group, resource, verbs in RIGHTS]


_AT_ONCE = """
import sys, threading
from skerry.production.executors.kubernetes.cluster import Job, Pod, decode_list, decode_object
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
containers = b'{"spec": {"containers": [{"name": "a", "env": [{"name": "b"}]}]}}'
texts = {Pod: containers, Job: b'{"spec": {"template": ' + containers + b"}}"}
def decode(number):
    kind = (Job, Pod)[number % 2]
    together.wait()
    decode_object(texts[kind], kind)
    decode_list(b'{"metadata": {}, "items": [' + texts[kind] + b"]}", kind)
threads = [threading.Thread(target=decode, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_decode_for_the_first_time_at_once_do_not_crash() -> None:
    """Without what `cluster` does when it is imported, this crashes each time."""
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", _AT_ONCE], check=False).returncode == 0
