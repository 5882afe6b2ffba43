"""What became of an attempt, as its Job and its pods tell it, in plain words."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from lightkube.models.core_v1 import (
    ContainerStateTerminated,
    ContainerStateWaiting,
    PodCondition,
    PodStatus,
)
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from skerry.core.time import format_time
from skerry.core.wording import describe_bytes
from skerry.production.executors.kubernetes.manifest import (
    END,
    MEMORY_LIMIT,
    STATE,
    TIME_LIMIT,
)
from skerry.production.executors.kubernetes.room import Shortage, find_placing, find_shortage
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.last_words import LastWords, parse_words
from skerry.production.executors.protocol import AttemptState, Phase

_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
                       "CreateContainerError", "RunContainerError"})  # fmt: skip
_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError",
                      "RegistryUnavailable", "SignatureValidationFailed"})  # fmt: skip
_PREPARING = dict.fromkeys(
    ("ContainerCreating", "PodInitializing"), "its node gets the image and prepares the container."
)
_OF_IMAGE = _PULLING | {"InvalidImageName", "ErrImageNeverPull"}
_SIGNAL = 128
"""A container that a signal ended has this exit code and the signal's number on top."""
_TAKEN = {
    "PreemptionByScheduler": "A pod of higher priority took its place on the node {node}.",
    "DeletionByTaintManager": "Its node {node} does not answer any more, or was closed to it.",
    "EvictionByEvictionAPI": "Its node {node} was emptied by the cluster's operators.",
    "DeletionByPodGC": "Its node {node} is gone.",
}


def read_annotation(job: Job | Pod, name: str) -> str:
    """Return an annotation, empty if it is not there."""
    annotations: dict[str, str] = (job.metadata and job.metadata.annotations) or {}
    return annotations.get(name, "")


def write_state(state: AttemptState) -> str:
    """Return a state as an annotation keeps it."""
    return json.dumps({"phase": state.phase, "detail": state.detail, "message": state.message})


def read_state(job: Job, annotation: str = STATE) -> AttemptState | None:
    """Return the state that an annotation of a Job keeps, if there is any."""
    text = read_annotation(job, annotation)
    if not text:
        return None
    kept = json.loads(text)
    return AttemptState(Phase(kept["phase"]), kept["detail"], kept["message"])


def find_pod(pods: Sequence[Pod]) -> Pod | None:
    """Return the pod that counts: the newest."""
    return max(pods, key=_name_creation, default=None)


def _name_creation(pod: Pod) -> tuple[datetime, str]:
    assert pod.metadata is not None  # noqa: S101  (the server has answered it)
    assert pod.metadata.creationTimestamp is not None  # noqa: S101
    return pod.metadata.creationTimestamp, pod.metadata.name or ""


def find_words(pod: Pod | None) -> LastWords | None:
    """Return an attempt's last words."""
    end = find_container_end(pod)
    return parse_words(end.message or "") if end is not None else None


def find_container_end(pod: Pod | None) -> ContainerStateTerminated | None:
    """Return how the container of a pod ended, if it has."""
    for status in (pod and pod.status and pod.status.containerStatuses) or ():
        if status.state is not None and status.state.terminated is not None:
            return status.state.terminated
    return None


def find_waiting(pod: Pod) -> ContainerStateWaiting | None:
    """Return what the container of a pod waits for."""
    for status in (pod.status and pod.status.containerStatuses) or ():
        if status.state is not None and status.state.waiting is not None:
            return status.state.waiting
    return None


def find_start(pod: Pod | None) -> datetime | None:
    """Return when the container of a pod began to work."""
    for status in (pod and pod.status and pod.status.containerStatuses) or ():
        if status.state is not None and status.state.running is not None:
            return status.state.running.startedAt
    return None


def judge(job: Job, pods: Sequence[Pod], now: datetime, settings: JobSettings) -> AttemptState:
    """Return an attempt's state.

    Parameters
    ----------
    job
        Its Job.
    pods
        The pods of the Job that are still there.
    now
        The time.
    settings
        After which time a node counts as lost.
    """
    pod = find_pod(pods)
    asked = read_state(job, END)
    end = _judge_pod(job, pod, now, settings.lost_s) if pod is not None else _judge_job(job)
    if asked is not None and (end is not None or (pod is None and _is_held_back(job))):
        end = asked
    if end is None:
        return _judge_unended(pod)
    words = find_words(pod)
    if words is None or (end.phase is Phase.KILLED and asked is None):
        # who is ended from outside says so, in words that sound as if its notebook had failed
        return AttemptState(end.phase, end.detail)
    return AttemptState(end.phase, end.detail, words.message)


def _is_held_back(job: Job) -> bool:
    """Return whether Kubernetes knows that it must make no pod."""
    return bool(job.spec and job.spec.suspend) and any(
        condition.type == "Suspended" and condition.status == "True"
        for condition in (job.status and job.status.conditions) or ()
    )


def _judge_job(job: Job) -> AttemptState | None:
    """Return how an attempt ended whose pod is gone."""
    for condition in (job.status and job.status.conditions) or ():
        if condition.status != "True":
            continue
        if condition.type == "Complete":
            return AttemptState(Phase.SUCCEEDED)
        if condition.type == "Failed":
            what = (
                "was taken from its node" if condition.reason == "PodFailurePolicy" else "is gone"
            )
            return AttemptState(Phase.KILLED, f"Its pod {what}: {condition.message}")
    return None


def _judge_pod(job: Job, pod: Pod, now: datetime, lost_s: float) -> AttemptState | None:
    node = (pod.spec and pod.spec.nodeName) or "unknown"
    if pod.status is None or pod.status.phase not in ("Succeeded", "Failed"):
        return _judge_lost(pod, node, now, lost_s)
    end = find_container_end(pod)
    if end is not None and end.reason == "OOMKilled":
        return _out_of_memory(job)
    taken = _judge_taken(job, pod.status, node)
    if taken is not None:
        return taken
    if end is None:
        return AttemptState(Phase.KILLED, f"Its pod ended on the node {node} without a word.")
    return _judge_code(end)


def _judge_taken(job: Job, status: PodStatus, node: str) -> AttemptState | None:
    """Return the end of an attempt that the cluster ended."""
    if status.reason == "DeadlineExceeded":
        limit = read_annotation(job, TIME_LIMIT)
        return AttemptState(Phase.TIMED_OUT, f"Ended after its timeout of {limit} s.")
    if status.reason:
        told = f": {status.message}" if status.message else f" ({status.reason})."
        what = "evicted it" if status.reason == "Evicted" else "ended it"
        return AttemptState(Phase.KILLED, f"Its node {node} {what}{told}")
    disruption = _find_disruption(status)
    if disruption is None:
        return None
    return AttemptState(Phase.KILLED, _describe_disruption(disruption, node))


def _judge_lost(pod: Pod, node: str, now: datetime, lost_s: float) -> AttemptState | None:
    """Return the end of an attempt whose pod should be gone, and whose node does not tell it."""
    due = pod.metadata.deletionTimestamp if pod.metadata is not None else None
    if due is None or now < due + timedelta(seconds=lost_s):
        return None
    taken = _find_disruption(pod.status)
    detail = _describe_disruption(taken, node) if taken else f"Its node {node} does not answer."
    return AttemptState(Phase.KILLED, detail)


def _find_disruption(status: PodStatus | None) -> PodCondition | None:
    for condition in (status and status.conditions) or ():
        if condition.type == "DisruptionTarget" and condition.status == "True":
            return condition
    return None


def _describe_disruption(condition: PodCondition, node: str) -> str:
    default = f"Its node {node} ended it: {condition.message or condition.reason}"
    return _TAKEN.get(condition.reason or "", default).format(node=node)


def _out_of_memory(job: Job) -> AttemptState:
    limit = read_annotation(job, MEMORY_LIMIT)
    if not limit:
        return AttemptState(Phase.OUT_OF_MEMORY, "Ended because its node had no more memory.")
    words = f"Ended because it took more than {describe_bytes(int(limit))} of memory."
    return AttemptState(Phase.OUT_OF_MEMORY, words)


def _judge_code(end: ContainerStateTerminated) -> AttemptState:
    if end.exitCode == 0:
        return AttemptState(Phase.SUCCEEDED)
    if end.exitCode > _SIGNAL:
        signal = end.exitCode - _SIGNAL
        return AttemptState(Phase.KILLED, f"The run process ended with signal {signal}.")
    return AttemptState(Phase.FAILED, f"The run process ended with exit code {end.exitCode}.")


def _judge_unended(pod: Pod | None) -> AttemptState:
    """Return the state of an attempt that has not ended: it waits, or is at work."""
    if pod is None:
        return AttemptState(Phase.WAITING, "Waits for its pod.")
    if (shortage := find_shortage(pod)) is not None:
        return AttemptState(Phase.WAITING, _describe_shortage(pod, shortage))
    waiting = find_waiting(pod)
    if waiting is not None:
        told = waiting.message or _PREPARING.get(waiting.reason or "", waiting.reason)
        return AttemptState(Phase.WAITING, f"Waits: {told}")
    is_pending = pod.status is None or pod.status.phase == "Pending"
    return AttemptState(Phase.WAITING if is_pending else Phase.RUNNING)


def _describe_shortage(pod: Pod, shortage: Shortage) -> str:
    words = "Waits for room in the cluster since"
    if shortage.is_too_large:
        words = "Waits for a larger node since"
    since, size = format_time(shortage.since), _describe_size(pod)
    return f"{words} {since}: it asks for {size}. {shortage.words}"


def _describe_size(pod: Pod) -> str:
    """Return what a pod asks for, such as ``cpu 500m and memory 2.1 GB``."""
    assert pod.spec is not None  # noqa: S101  (the server has answered it)
    asked = pod.spec.containers[0].resources
    sizes = dict((asked and asked.requests) or {})
    if (memory := sizes.get("memory", "")).isdecimal():
        sizes["memory"] = describe_bytes(int(memory))
    return " and ".join(f"{name} {size}" for name, size in sorted(sizes.items())) or "nothing"


def find_breach(
    job: Job, pods: Sequence[Pod], now: datetime, settings: JobSettings
) -> AttemptState | None:
    """Return the end of an attempt that is beyond its limits, or can never begin.

    Parameters
    ----------
    settings
        How long it may wait for room, and in which time its node must have begun it.
    """
    pod = find_pod(pods)
    began = find_start(pod)
    if began is not None:
        limit = read_annotation(job, TIME_LIMIT)
        if now > began + timedelta(seconds=float(limit)):
            return AttemptState(Phase.TIMED_OUT, f"Ended after its timeout of {limit} s.")
        return None
    if pod is None:
        return None
    if (shortage := find_shortage(pod)) is not None:
        return _find_end_of_waiting(pod, shortage, now, settings)
    return _find_failed_start(pod, now, settings)


def _find_end_of_waiting(
    pod: Pod, shortage: Shortage, now: datetime, settings: JobSettings
) -> AttemptState | None:
    """Return the end of an attempt that no node has taken for too long."""
    limit_s = settings.start_s if shortage.is_too_large else settings.room_s
    if now <= shortage.since + timedelta(seconds=limit_s):
        return None
    why = f"There was no room for it in the cluster for {limit_s:g} s"
    if shortage.is_too_large:
        why = f"No node is large enough for it, and no larger node came within {limit_s:g} s"
    size = _describe_size(pod)
    return AttemptState(Phase.UNPLACED, f"{why}. It asks for {size}. {shortage.words}")


def _find_failed_start(pod: Pod, now: datetime, settings: JobSettings) -> AttemptState | None:
    """Return the end of an attempt whose node does not begin it."""
    age_s = (now - find_placing(pod)).total_seconds()
    if (fault := _find_fault(pod, age_s, settings)) is not None:
        return AttemptState(Phase.FAILED, fault)
    if age_s <= settings.start_s:
        return None
    waits = _judge_unended(pod).detail or "Its node says nothing."
    return AttemptState(Phase.FAILED, f"It did not begin within {settings.start_s:g} s. {waits}")


def _find_fault(pod: Pod, age_s: float, settings: JobSettings) -> str | None:
    """Return why the container of a pod can never begin."""
    waiting = find_waiting(pod)
    if waiting is None or waiting.reason not in _HOPELESS | _PULLING:
        return None
    if waiting.reason in _PULLING and age_s <= settings.pull_s:
        return None
    told = waiting.message or waiting.reason
    if waiting.reason in _OF_IMAGE:
        return f"The image {_name_image(pod)} cannot be had: {told}"
    return f"Its container cannot be made: {told}"


def _name_image(pod: Pod) -> str:
    return (pod.spec and pod.spec.containers[0].image) or ""
