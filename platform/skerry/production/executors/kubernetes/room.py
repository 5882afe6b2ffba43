"""Whether a pod waits for room in the cluster, and whether there can ever be any, by the scheduler.

A worker may not read the cluster's nodes, and those of today are not all where nodes are added on
demand. So what the scheduler writes into the pod's condition decides. It says of each node why it
does not take the pod, and then whether taking other pods away from it would help:

    0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient memory. preemption:
    0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not
    helpful for scheduling.

It does not help on a node that is smaller than the pod. Schedulers before Kubernetes 1.31 do not
say so of sizes; there, each pod without a node counts as waiting for room.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from lightkube.models.core_v1 import PodCondition
from lightkube.resources.core_v1 import Pod

_NODES = re.compile(r"0/(\d+) nodes are available")
_HELPLESS = re.compile(r"\b(\d+) Preemption is not helpful for scheduling")
_SMALL = "Insufficient "
_UNSEEN = "The scheduler has not looked for a node yet."
_PASSING = ("were unschedulable", "had unknown conditions")
"""Nodes that are being emptied, or about which nobody knows: a larger node may come back."""


@dataclass(frozen=True)
class Shortage:
    """A pod that no node takes.

    Attributes
    ----------
    since
        Since when.
    words
        The scheduler's reasons.
    is_too_large
        Whether it asks for more than any node of today has that could take it.
    """

    since: datetime
    words: str
    is_too_large: bool


def find_shortage(pod: Pod) -> Shortage | None:
    """Return why no node takes a pod; None if it has a node."""
    placed = _find_placed(pod)
    if placed is None and not (pod.spec and pod.spec.nodeName):
        return Shortage(_read_creation(pod), _UNSEEN, is_too_large=False)
    if placed is None or placed.status != "False":
        return None
    words = placed.message or placed.reason or "no reason."
    return Shortage(placed.lastTransitionTime or _read_creation(pod), words, _is_too_large(words))


def find_placing(pod: Pod) -> datetime:
    """Return when a pod got its node, or was made if it has none."""
    placed = _find_placed(pod)
    has_node = placed is not None and placed.status == "True"
    return (has_node and placed and placed.lastTransitionTime) or _read_creation(pod)


def _is_too_large(words: str) -> bool:
    nodes, helpless = _NODES.search(words), _HELPLESS.search(words)
    return (
        nodes is not None
        and helpless is not None
        and nodes[1] == helpless[1]
        and _SMALL in words
        and not any(passing in words for passing in _PASSING)
    )


def _find_placed(pod: Pod) -> PodCondition | None:
    for condition in (pod.status and pod.status.conditions) or ():
        if condition.type == "PodScheduled":
            return condition
    return None


def _read_creation(pod: Pod) -> datetime:
    assert pod.metadata is not None  # noqa: S101  (the server has answered it)
    assert pod.metadata.creationTimestamp is not None  # noqa: S101
    return pod.metadata.creationTimestamp
