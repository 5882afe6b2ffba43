"""A whole platform whose runs are Jobs: state in PostgreSQL, objects in a bucket, real programs.

Nothing is shared between the worker and the pods: an attempt asks the api, and writes by its grant.
"""

import base64
import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.production.stage import (
    LIMIT_S,
    Stage,
    approve_as_seen,
    history,
    kill,
    make_notebook,
)
from tests.kubernetes.node import Node, Pod
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.worker_account import IMAGE, prepare_namespace
from tests.minio_server import S3Server
from tests.platform_process import free_port, start_platform, wait_until
from tests.postgresql_server import PostgresqlServer
from tests.unit.production.test_environments import make_wheel

from skerry.cli.doctor.end_to_end import EndToEndRun
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.production.environments import describe_environment, digest_environment
from skerry.production.executors.kubernetes.manifest import name_job
from skerry.production.executors.protocol import AttemptName

pytestmark = [
    pytest.mark.kubernetes, pytest.mark.postgresql, pytest.mark.s3, pytest.mark.timeout(600),
]  # fmt: skip
PARTS = ["gateway", "api", "maps", "worker", "hub"]
TEAM_IMAGE = "registry.example/lakes@sha256:" + "1" * 64
UNKNOWN_IMAGE = "registry.example/lakes@sha256:" + "2" * 64
GROW = "held = bytearray(2_000_000_000)\nfor place in range(0, len(held), 4096): held[place] = 1"


class Field:
    """The platform, and the namespace in which its runs are Jobs."""

    def __init__(
        self, stage: Stage, server: KubernetesServer, namespace: str, folder: Path, bucket: str,
        s3: S3Server,
    ) -> None:  # fmt: skip
        self.stage = stage
        self.bucket = bucket
        self.s3 = s3
        self._server = server
        self._namespace = namespace
        self._folder = folder
        self._count = 0

    @contextmanager
    def node(self) -> Iterator[Node]:
        """Add a node while the block lasts."""
        self._count += 1
        name = f"{self._namespace}-{self._count}"
        with Node(self._server, self._namespace, self._folder / name, name=name).working() as node:
            yield node

    def count_jobs(self) -> int:
        """Return how many Jobs there are."""
        with self._server.log_in() as owner:
            answer = owner.get(f"/apis/batch/v1/namespaces/{self._namespace}/jobs")
        return len(answer.raise_for_status().json()["items"])

    def start_at_gate(self, gate: Path) -> str:
        """Start a run, and return when its notebook waits at the gate."""
        run = self.stage.start(gate=str(gate))
        self.stage.wait_for_epoch(run, 1)
        return run

    def check_published_once(self, run: str) -> None:
        """Assert that exactly one item came of a run, and that its bytes are in the bucket."""
        stage = self.stage
        stage.check_audit()
        [product] = stage.show(run)["outputs"]
        found = stage.ask("GET", "/stac/search?limit=1000")["features"]
        [item] = [item for item in found if item["properties"].get("skerry:run") == run]
        assert item["properties"]["skerry:digest"] == product["digest"]
        keys = self.s3.list_keys(self.bucket, f"skerry/{item['properties']['skerry:prefix']}")
        assert any(key.endswith("zarr.json") for key in keys)
        public = f"{stage.platform.url}/services/api/"
        addresses = [entry["href"] for entry in [*item["assets"].values(), *item["links"]]]
        assert all(address.startswith((public, stage.platform.url)) for address in addresses)


def register(image: str) -> str:
    """Return the registry of images with one team's own."""
    return json.dumps({digest_environment(describe_environment(image=image)): image})


def find_pod(node: Node, run: str, epoch: int = 1) -> Pod:
    """Return the pod of an attempt, once it is at work on a node."""
    job = name_job(AttemptName(run, epoch))
    wait_until(lambda: node.find(job) is not None, LIMIT_S, f"{job} is at work")
    pod = node.find(job)
    assert pod is not None
    return pod


@pytest.fixture(scope="module")
def field(
    control_plane: KubernetesServer, postgresql: PostgresqlServer, s3: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Field]:  # fmt: skip
    folder = tmp_path_factory.mktemp("jobs")
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.database("template0"))
        bucket = stack.enter_context(s3.bucket())
        namespace = stack.enter_context(control_plane.namespace())
        port = free_port()
        settings = {
            DATABASE_VARIABLE: database, OBJECTS_VARIABLE: f"s3://{bucket}/skerry",
            "SKERRY_EXECUTOR": "kubernetes", "SKERRY_JOBS_NAMESPACE": namespace,
            "SKERRY_JOBS_IMAGE": IMAGE, "SKERRY_JOBS_IMAGES": register(TEAM_IMAGE),
            "SKERRY_JOBS_PULL_S": "1", "SKERRY_JOBS_LOST_S": "2",
            "SKERRY_RUN_MEMORY_MB": "1500", "SKERRY_INTERNAL_URL": f"http://localhost:{port}",
            "KUBECONFIG": str(prepare_namespace(control_plane, namespace)),
        }  # fmt: skip
        platform = start_platform(
            folder / "data", port=port, parts=PARTS, extra_environment=settings | s3.variables()
        )
        stack.callback(platform.stop)
        stage = stack.enter_context(closing(Stage(platform, database)))
        yield Field(stage, control_plane, namespace, folder, bucket, s3)


def test_a_run_is_a_job_and_its_product_is_published(field: Field) -> None:
    stage = field.stage
    with field.node() as node:
        run = stage.start()
        ended = stage.wait_for(run, "succeeded", "failed")
        variables = {
            item["name"]: item.get("value") for item in find_pod(node, run).container["env"]
        }
    assert history(ended) == [(1, "published", None)]
    field.check_published_once(run)
    assert "Published 1 output." in stage.log(run, 1)
    manifest = stage.ask("GET", f"/production/runs/{run}/files/manifest.json")
    assert manifest["isolation"] == "pod"
    assert variables["SKERRY_URL"] == f"http://localhost:{stage.platform.port}"
    assert not [name for name in variables if name.startswith(("AWS_SECRET", "SKERRY_DATABASE"))]
    assert not {"SKERRY_TOKEN", "JUPYTERHUB_API_TOKEN"} & variables.keys(), "they are in its Secret"
    assert not list((stage.platform.data / "run").glob("attempts/*")), "nothing is on this machine"
    wait_until(lambda: field.count_jobs() == 0, LIMIT_S, "its Job is gone")


def test_the_doctor_s_run_goes_end_to_end_as_a_job(field: Field) -> None:
    platform = field.stage.platform
    login = Login(url=platform.url, token=platform.token, user=platform.user)
    with field.node(), closing(Session(login)) as session:
        steps = {step.check: step for step in EndToEndRun(session).go()}
    assert {name: step.state for name, step in steps.items()} == dict.fromkeys(
        ("start", "run", "search", "tile", "cluster", "clean-up"), "well"
    ), steps
    wait_until(lambda: field.count_jobs() == 0, LIMIT_S, "its Job is gone")
    assert not [job for job in field.stage.ask("GET", "/production/jobs")["jobs"]
                if job["name"].startswith("end-to-end")]  # fmt: skip


def test_the_doctor_s_run_says_what_an_attempt_lacks(field: Field) -> None:
    platform = field.stage.platform
    login = Login(url=platform.url, token=platform.token, user=platform.user)
    with field.node() as node, closing(Session(login)) as session:
        node.images = ()
        steps = {step.check: step for step in EndToEndRun(session).go()}
    assert list(steps) == ["start", "run", "clean-up"]
    assert f"The image {IMAGE} cannot be had" in steps["run"].detail
    assert steps["run"].remedy
    assert steps["clean-up"].state == "well"


def test_a_worker_that_is_killed_is_replaced_and_the_attempt_goes_on(
    field: Field, tmp_path: Path
) -> None:
    stage, gate = field.stage, tmp_path / "gate"
    with field.node() as node:
        run = field.start_at_gate(gate)
        wait_until(lambda: "the gate is" in stage.log(run, 1), LIMIT_S, "its log is seen")
        pod = find_pod(node, run)
        stage.kill_worker()
        assert pod.is_at_work()
        gate.touch()
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
    field.check_published_once(run)


def test_a_worker_that_is_killed_while_its_attempt_ends(field: Field, tmp_path: Path) -> None:
    stage, gate = field.stage, tmp_path / "gate"
    with field.node() as node:
        run = field.start_at_gate(gate)
        pod = find_pod(node, run)
        worker = stage.worker_pid()
        os.kill(worker, signal.SIGSTOP)  # so that it does not see the end of the attempt
        gate.touch()
        wait_until(lambda: pod.is_over, LIMIT_S, "its node has told its end")
        kill(worker)
        stage.wait_for_new_worker(worker)
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
    field.check_published_once(run)


def test_a_cancelled_run_ends_its_pod(field: Field, tmp_path: Path) -> None:
    stage = field.stage
    with field.node() as node:
        run = field.start_at_gate(tmp_path / "gate")
        pod = find_pod(node, run)
        stage.ask("POST", f"/production/runs/{run}/cancel")
        assert stage.wait_for(run, "cancelled")["outputs"] == []
        assert not pod.is_at_work()


def fail_with(field: Field, run: str) -> str:
    """Return why a run has failed."""
    ended: dict[str, Any] = field.stage.wait_for(run, "failed", "succeeded")
    assert ended["status"] == "failed"
    return str(ended["detail"])


def test_an_image_that_cannot_be_had(field: Field) -> None:
    with field.node() as node:
        node.images = ()
        run = field.stage.start()
        told = f"The image {IMAGE} cannot be had: failed to resolve reference {IMAGE}: not found"
        assert fail_with(field, run) == told
    assert told in field.stage.log(run, 1)


def test_beyond_its_memory(field: Field) -> None:
    stage = field.stage
    notebook = make_notebook(("number: int = 0", GROW), parameters=0)
    stage.create_job("greedy", stage.release_notebook("greedy", notebook))
    with field.node():
        run = stage.start("greedy")
        assert fail_with(field, run) == "Ended because it took more than 1.5 GB of memory."


def test_a_node_that_is_lost_during_a_run(field: Field, tmp_path: Path) -> None:
    stage, gate = field.stage, tmp_path / "gate"
    with field.node() as lost:
        run = field.start_at_gate(gate)
        find_pod(lost, run)
        lost.lose()
        gate.touch()
        with field.node():
            ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [(1, "crashed", None), (2, "published", None)]
    told = f"Its node {lost.name} does not answer any more, or was closed to it."
    assert ended["attempts"][0]["detail"] == told
    field.check_published_once(run)


def propose(stage: Stage, name: str, **content: Any) -> dict[str, Any]:
    """Propose the tiny notebook with something more."""
    asked = {"name": name, "notebook": make_notebook(), **content}
    proposed: dict[str, Any] = stage.ask("POST", "/production/releases", json=asked)
    return proposed


def test_a_release_runs_in_the_image_that_it_names(field: Field) -> None:
    stage = field.stage
    proposed = propose(stage, "lakes", image=TEAM_IMAGE)
    assert proposed["environment"]["image"] == TEAM_IMAGE
    path = f"/production/releases/{proposed['id']}/approve"
    stage.ask("POST", path, json=approve_as_seen(proposed))
    stage.create_job("lakes", proposed["id"])
    with field.node() as node:
        node.images = (TEAM_IMAGE,)  # the platform's own cannot be had here
        run = stage.start("lakes")
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
        assert find_pod(node, run).container["image"] == TEAM_IMAGE
    field.check_published_once(run)


def read_wheel(folder: Path) -> dict[str, str]:
    """Return a wheel as a proposal brings it."""
    wheel = make_wheel(folder, "lakes")
    return {"filename": wheel.name, "content": base64.b64encode(wheel.read_bytes()).decode()}


@pytest.mark.parametrize("needs", ["image", "wheels"])
def test_what_no_image_is_registered_for_is_refused_at_its_approval(
    field: Field, tmp_path: Path, needs: str
) -> None:
    if needs == "image":
        proposed = propose(field.stage, "unknown", image=UNKNOWN_IMAGE)
        told = f"The release needs the image {UNKNOWN_IMAGE}, which nobody has registered here."
    else:
        proposed = propose(field.stage, "unknown", extra_wheels=[read_wheel(tmp_path)])
        told = f"needs an image with the environment {proposed['environment_digest']}, which"
    path = f"/production/releases/{proposed['id']}/approve"
    refused = field.stage.ask("POST", path, expect=409, json=approve_as_seen(proposed))
    assert told in refused["detail"]
    assert f"add '{proposed['environment_digest']}: " in json.dumps(refused)
