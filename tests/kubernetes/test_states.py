"""What a cluster tells about an attempt becomes the right state, in plain words."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from lightkube import KubeConfig
from tests.kubernetes.node import Node, patch_object
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.worker_account import (
    IMAGE,
    close_all,
    make_executor,
    open_cluster,
    prepare_namespace,
)
from tests.platform_process import free_port, wait_until
from tests.unit.production.executors.contract import LIMIT_S, LONG, SUCCEED, write_order

from skerry.core.errors import UnavailableError
from skerry.core.ids import new_id
from skerry.production.environments import EnvironmentRefusedError
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.kubernetes.manifest import name_job, write_job
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.protocol import AttemptName, AttemptState, Limits, Phase
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.kubernetes

SETTINGS = JobSettings(namespace="any", image=IMAGE)
_NOW = "2026-01-01T00:00:00Z"


class Stage:
    """A namespace whose node says what a test has it say."""

    def __init__(self, server: KubernetesServer, namespace: str, folder: Path) -> None:
        self.server = server
        self.namespace = namespace
        self.data = DataFolder(folder / "data")
        self.config = prepare_namespace(server, namespace)
        self.node = Node(server, namespace, folder / "node")
        self.node.is_mute = True
        self.owner = server.log_in()
        self.name = AttemptName(new_id(), 1)
        self.jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self.pods = f"/api/v1/namespaces/{namespace}/pods"
        self.path = ""
        """The address of the pod."""

    def make_executor(self, **settings: float) -> KubernetesExecutor:
        return make_executor(self.data, self.config, self.namespace, **settings)

    def start(
        self, limits: Limits = LONG, *, on_node: bool = True, **settings: float
    ) -> KubernetesExecutor:
        """Start an attempt, and wait for its pod."""
        executor = self.make_executor(**settings)
        executor.start_or_attach(self.name, write_order(SUCCEED), limits)
        wait_until(lambda: self.find_pod(on_node=on_node), LIMIT_S, "the pod is there")
        return executor

    def find_pod(self, *, on_node: bool) -> bool:
        found = self.owner.get(self.pods).raise_for_status().json()["items"]
        for pod in found:
            if not on_node or pod["spec"].get("nodeName"):
                self.path = f"{self.pods}/{pod['metadata']['name']}"
                return True
        return False

    def say(self, phase: str, state: dict[str, Any] | None = None, **told: Any) -> None:
        status: dict[str, Any] = {"phase": phase, **told}
        if state is not None:
            status["containerStatuses"] = [
                {
                    "name": "attempt", "image": IMAGE, "imageID": "", "ready": False,
                    "restartCount": 0, "state": state,
                }
            ]  # fmt: skip
        patch_object(self.owner, f"{self.path}/status", {"status": status})

    def end(self, code: int, reason: str = "Error", **told: Any) -> None:
        end = {"exitCode": code, "reason": reason, "startedAt": _NOW, "finishedAt": _NOW}
        self.say("Failed", {"terminated": end}, **told)


@pytest.fixture
def stage(control_plane: KubernetesServer, busy_namespace: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(control_plane, busy_namespace, tmp_path)
    with stage.node.working():
        yield stage
        close_all()
    stage.owner.close()


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_had_ends_the_attempt(stage: Stage, reason: str) -> None:
    stage.node.images, stage.node.pull_fault, stage.node.is_mute = (), reason, False
    executor = stage.start(pull_s=0)
    wait_until(lambda: executor.poll(stage.name).is_over, LIMIT_S, "it is over")
    expected = f"The image {IMAGE} cannot be had: failed to resolve reference {IMAGE}: not found"
    assert executor.poll(stage.name) == AttemptState(Phase.FAILED, expected)
    assert stage.owner.get(stage.path).status_code == 404, "it does not wait for ever"
    assert expected in executor.logs(stage.name).decode()


def test_a_registry_that_is_slow_is_waited_for(stage: Stage) -> None:
    executor = stage.start()
    stage.say("Pending", {"waiting": {"reason": "ErrImagePull", "message": "timeout"}})
    assert executor.poll(stage.name) == AttemptState(Phase.WAITING, "Waits: timeout")


def test_no_node_is_large_enough(stage: Stage) -> None:
    executor = stage.start(Limits(time_s=600, memory=2**40), on_node=False)

    def is_told() -> bool:
        return "Insufficient memory" in executor.poll(stage.name).detail

    wait_until(is_told, LIMIT_S, "the scheduler has looked at all nodes")
    told = executor.poll(stage.name)
    assert told.phase is Phase.WAITING
    assert told.detail.startswith("Waits for a larger node since ")
    assert "it asks for cpu 1 and memory 1099.5 GB. 0/" in told.detail
    assert stage.make_executor(room_s=0).poll(stage.name) == told, "a larger node may come"
    state = stage.make_executor(start_s=0).poll(stage.name)
    assert state.phase is Phase.UNPLACED
    assert state.detail.startswith("No node is large enough for it, and no larger node came")


def test_a_full_cluster_is_waited_for_and_what_waits_begins_when_there_is_room(
    stage: Stage,
) -> None:
    """The node has memory for one of the two; the real scheduler places the other later."""
    large = Limits(time_s=600, memory=40 * 2**30)
    stage.start(large)
    stage.say("Running", {"running": {"startedAt": _NOW}})
    executor, second = stage.make_executor(start_s=0), AttemptName(new_id(), 1)
    executor.start_or_attach(second, write_order(SUCCEED), large)

    def waits_for_room() -> bool:
        return executor.poll(second).detail.startswith("Waits for room in the cluster since ")

    wait_until(waits_for_room, LIMIT_S, "the scheduler has found no room")
    assert "Insufficient memory" in executor.poll(second).detail
    assert executor.poll(second).phase is Phase.WAITING
    stage.node.is_mute = False
    stage.end(0)
    wait_until(lambda: executor.poll(second).is_over, LIMIT_S, "it got the node, and has ended")
    assert executor.poll(second).phase is Phase.SUCCEEDED


def test_no_room_for_too_long(stage: Stage) -> None:
    large = Limits(time_s=600, memory=40 * 2**30)
    stage.start(large)
    second = AttemptName(new_id(), 1)
    executor = stage.make_executor(room_s=0)
    executor.start_or_attach(second, write_order(SUCCEED), large)
    wait_until(lambda: executor.poll(second).is_over, LIMIT_S, "it is given up")
    state = executor.poll(second)
    assert state.phase is Phase.UNPLACED
    assert state.detail.startswith("There was no room for it in the cluster for 0 s. It asks for")


def test_evicted(stage: Stage) -> None:
    executor = stage.start()
    told = "The node was low on resource: ephemeral-storage."
    stage.say("Failed", reason="Evicted", message=told)
    state = executor.poll(stage.name)
    assert state == AttemptState(Phase.KILLED, f"Its node {stage.node.name} evicted it: {told}")


def test_out_of_memory(stage: Stage) -> None:
    executor = stage.start(Limits(time_s=600, memory=200_000_000))
    stage.end(137, "OOMKilled")
    expected = "Ended because it took more than 200 MB of memory."
    assert executor.poll(stage.name) == AttemptState(Phase.OUT_OF_MEMORY, expected)


def test_a_node_out_of_memory_though_the_attempt_had_no_limit(stage: Stage) -> None:
    executor = stage.start()
    stage.end(137, "OOMKilled")
    state = executor.poll(stage.name)
    assert state == AttemptState(Phase.OUT_OF_MEMORY, "Ended because its node had no more memory.")


def test_ended_by_its_node_when_no_worker_was_there(stage: Stage) -> None:
    executor = stage.start()
    stage.say("Failed", reason="DeadlineExceeded", message="Pod was active too long")
    state = executor.poll(stage.name)
    assert state == AttemptState(Phase.TIMED_OUT, "Ended after its timeout of 600 s.")


def is_lost(stage: Stage, executor: KubernetesExecutor, words: str) -> None:
    """Check that an attempt has ended with these words, for this worker and the next."""
    expected = AttemptState(Phase.KILLED, words.format(node=stage.node.name))
    wait_until(lambda: executor.poll(stage.name) == expected, LIMIT_S, "it counts as lost")
    assert stage.make_executor().poll(stage.name) == expected, "the next worker knows it too"


def test_a_node_that_does_not_answer_any_more(stage: Stage) -> None:
    """The real node controller and its eviction take the pod away."""
    executor = stage.start(lost_s=1)
    stage.say("Running", {"running": {"startedAt": None}})
    stage.node.lose()
    is_lost(stage, executor, "Its node {node} does not answer any more, or was closed to it.")


def test_a_node_that_is_emptied(stage: Stage) -> None:
    executor = stage.start(lost_s=0)
    stage.say("Running", {"running": {"startedAt": None}})
    eviction = {"metadata": {"name": stage.path.rpartition("/")[2]}}
    answer = stage.owner.post(f"{stage.path}/eviction", json=eviction)
    assert answer.is_success, answer.text
    is_lost(stage, executor, "Its node {node} was emptied by the cluster's operators.")


def test_a_pod_of_higher_priority(stage: Stage) -> None:
    """The real scheduler makes room for it: the node has memory for one of them."""
    executor = stage.start(Limits(time_s=600, memory=40 * 2**30), lost_s=0)
    stage.say("Running", {"running": {"startedAt": None}})
    priority = {"metadata": {"name": stage.namespace}, "value": 1000}
    stage.server.create("/apis/scheduling.k8s.io/v1/priorityclasses", priority)
    template = write_job(stage.name, write_order(SUCCEED), LONG, SETTINGS).to_dict()["spec"]
    spec = template["template"]["spec"] | {"priorityClassName": stage.namespace}
    spec["containers"][0]["resources"] = {"requests": {"memory": "40Gi"}}
    stage.server.create(stage.pods, {"metadata": {"name": "urgent"}, "spec": spec})
    is_lost(stage, executor, "A pod of higher priority took its place on the node {node}.")


def test_a_pod_that_is_gone_after_its_job_has_failed(stage: Stage) -> None:
    executor = stage.start()
    stage.end(1)
    job = f"{stage.jobs}/{name_job(stage.name)}"

    def has_failed() -> bool:
        told = stage.owner.get(job).json()["status"].get("conditions", ())
        return any(item["type"] == "Failed" and item["status"] == "True" for item in told)

    wait_until(has_failed, LIMIT_S, "the Job has failed")
    stage.owner.request("DELETE", stage.path, json={"gracePeriodSeconds": 0})
    state = executor.poll(stage.name)
    assert state.phase is Phase.KILLED
    assert state.detail.startswith("Its pod is gone")


def test_a_kubernetes_that_does_not_answer_ends_nothing(stage: Stage) -> None:
    stage.start()
    away = KubeConfig.from_dict({
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "users": [{"name": "x", "user": {"token": "x"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    })  # fmt: skip
    executor = stage.make_executor()
    executor._cluster = cluster = Cluster(away, stage.namespace)
    state = executor.poll(stage.name)
    assert state.phase is Phase.RUNNING
    assert "does not answer" in state.detail
    with pytest.raises(UnavailableError, match="does not answer"):
        executor.end(stage.name, "Cancelled.")
    cluster.close()


def test_two_workers_that_start_it_at_once_start_it_once(stage: Stage) -> None:
    executors = [stage.make_executor() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(
            threads.map(
                lambda item: item.start_or_attach(stage.name, write_order(SUCCEED), LONG),
                executors,
            )
        )
    assert executors[0].list_attempts() == [stage.name]
    secret = f"/api/v1/namespaces/{stage.namespace}/secrets/{name_job(stage.name)}"
    assert stage.owner.get(secret).is_success


def test_what_a_killed_worker_has_begun_is_completed(stage: Stage) -> None:
    settings = JobSettings(namespace=stage.namespace, image=IMAGE)
    job = write_job(stage.name, write_order(SUCCEED), LONG, settings)
    assert open_cluster(stage.config, stage.namespace).create_job(job) is not None
    stage.start()
    secret = f"/api/v1/namespaces/{stage.namespace}/secrets/{name_job(stage.name)}"
    assert stage.owner.get(secret).is_success


def test_what_was_ended_before_it_was_let_go_never_begins(stage: Stage) -> None:
    settings = JobSettings(namespace=stage.namespace, image=IMAGE)
    job = write_job(stage.name, write_order(SUCCEED), LONG, settings)
    open_cluster(stage.config, stage.namespace).create_job(job)
    executor = stage.make_executor()
    executor.end(stage.name, "Cancelled.")
    executor.start_or_attach(stage.name, write_order(SUCCEED), LONG)
    assert executor.poll(stage.name) == AttemptState(Phase.KILLED, "Cancelled.")
    assert stage.owner.get(stage.pods).json()["items"] == []


def test_the_secrets_go_when_it_has_ended(stage: Stage) -> None:
    executor = stage.start()
    secret = f"/api/v1/namespaces/{stage.namespace}/secrets/{name_job(stage.name)}"
    assert stage.owner.get(secret).is_success
    stage.end(1)
    assert executor.poll(stage.name).phase is Phase.FAILED
    assert stage.owner.get(secret).status_code == 404


def test_a_worker_reads_no_secret_and_does_nothing_elsewhere(stage: Stage) -> None:
    stage.start()
    with stage.server.namespace() as other:
        executor = make_executor(stage.data, stage.config, other)
        with pytest.raises(UnavailableError, match=r"Kubernetes refuses: .*forbidden"):
            executor.start_or_attach(stage.name, write_order(SUCCEED), LONG)
        token = stage.server.read_token(stage.config)
        core = f"/api/v1/namespaces/{stage.namespace}"
        with stage.server.log_in(token) as worker:
            for path in (
                f"{core}/secrets",
                f"{core}/secrets/{name_job(stage.name)}",
                "/api/v1/nodes",
            ):
                assert worker.get(path).status_code == 403, path
            exec_path = f"{stage.path}/exec?command=id&stdout=true"
            assert worker.post(exec_path).status_code == 403


def test_a_release_of_another_environment_is_refused(stage: Stage) -> None:
    order = write_order(SUCCEED)
    order.environment["wheels"] = {"other-1-py3-none-any.whl": "0" * 64}
    try:
        with pytest.raises(EnvironmentRefusedError, match="not the one of the image"):
            stage.make_executor().start_or_attach(stage.name, order, LONG)
    finally:
        order.environment["wheels"] = {}
    assert stage.make_executor().poll(stage.name).phase is Phase.VANISHED
