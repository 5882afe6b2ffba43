"""Nodes that only pretend (kwok): their pods run, end and go as a real kubelet would tell it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.tools.programs import KWOK

from skerry.production.executors.last_words import LastWords

_MARK = "skerry.test/kwok"
_WORDS = LastWords(exit_code=0, message="all done").model_dump_json()


@contextmanager
def add_nodes(
    server: KubernetesServer, namespace: str, count: int, work_s: float, log_port: int = 1
) -> Iterator[None]:
    """Add nodes for the pods of a namespace while the block lasts.

    Parameters
    ----------
    count
        How many nodes.
    work_s
        After how many seconds each pod ends well, with last words.
    log_port
        Where their logs are answered; by default nobody answers there, and that is told at once.
    """
    config = server.folder / f"kwok-{namespace}.yaml"
    config.write_text("\n---\n".join(json.dumps(stage) for stage in _write_stages(work_s)))
    names = [f"kwok-{namespace}-{number}" for number in range(count)]
    for name in names:
        reached = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}},
        }
        server.register_node(name, namespace, reached, labels={_MARK: namespace})
    options = {
        "config": config, "kubeconfig": server.write_config("owner"), "manage-all-nodes": "false",
        "manage-nodes-with-label-selector": f"{_MARK}={namespace}",
    }  # fmt: skip
    with server.running(KWOK, options):
        yield
    with server.log_in() as owner:
        for name in names:
            owner.delete(f"/api/v1/nodes/{name}").raise_for_status()


def _write_stages(work_s: float) -> list[dict[str, Any]]:
    """Return what kwok does with a pod: it runs, after a while it ends, and it goes when asked."""
    running = '{running: {startedAt: "{{ Now }}"}}'
    ended = (
        '{terminated: {exitCode: 0, reason: Completed, startedAt: "{{ .status.startTime }}",'
        f" finishedAt: \"{{{{ Now }}}}\", message: '{_WORDS}'}}}}"
    )
    new = [{"key": ".status.phase", "operator": "NotIn", "values": ["Running"]}]
    return [
        # without a stage for nodes it does not look at their pods
        _write_stage("node", new, {"statusTemplate": "phase: Running\n"}, kind="Node"),
        _write_stage("begin", _match("Pending"), _tell("Running", running)),
        _write_stage("end", _match("Running"), _tell("Succeeded", ended), delay_s=work_s),
        _write_stage(
            "go", [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}], {"delete": True}
        ),
    ]


def _match(phase: str) -> list[dict[str, Any]]:
    return [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": ".status.phase", "operator": "In", "values": [phase]},
    ]


def _tell(phase: str, state: str) -> dict[str, Any]:
    start = '"{{ Now }}"' if phase == "Running" else '"{{ .status.startTime }}"'
    container = "{name: attempt, image: any, imageID: '', ready: false, restartCount: 0, state: "
    template = f"phase: {phase}\nstartTime: {start}\ncontainerStatuses: [{container}{state}}}]\n"
    return {"statusTemplate": template}


def _write_stage(
    name: str, match: list[dict[str, Any]], then: dict[str, Any], *, delay_s: float = 0,
    kind: str = "Pod",
) -> dict[str, Any]:  # fmt: skip
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": match},
        "next": then,
    }
    if delay_s:
        spec["delay"] = {"durationMilliseconds": int(delay_s * 1000)}
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage",
        "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip
