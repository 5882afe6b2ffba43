"""A stand-in for a kubelet, whose containers are processes of this machine.

It tells the API server what a kubelet would tell, by the same routes. What a container would see at
a path stands in a folder of its own, and its variables name that. So an executor meets the real
control plane, and programs that really run.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.kubernetes.server import KubernetesServer, say_ready
from tests.pod_variables import expand_references
from tests.served_handler import serve_handler

_STEP_S = 0.05
_JOB_LABEL = "batch.kubernetes.io/job-name"
_KILLED = 137


@dataclass
class Pod:
    """A pod at work."""

    content: dict[str, Any]
    folder: Path
    process: subprocess.Popen[bytes]
    began: float
    asked: float | None = None
    out_of_memory: bool = False
    is_over: bool = False

    @property
    def name(self) -> str:
        return self.content["metadata"]["name"]

    @property
    def container(self) -> dict[str, Any]:
        return self.content["spec"]["containers"][0]

    def is_at_work(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Node:
    """The node of one namespace.

    Parameters
    ----------
    server
        The API server.
    namespace
        The namespace whose pods it carries out.
    folder
        Where its pods work.
    images
        The images that can be had; all if None.
    memory
        What it has, in words of Kubernetes.
    name
        What it is called; after the namespace if empty.
    """

    def __init__(
        self, server: KubernetesServer, namespace: str, folder: Path,
        images: Collection[str] | None = None, memory: str = "64Gi", name: str = "",
    ) -> None:  # fmt: skip
        self.name = f"node-{name or namespace}"
        self.images = images
        self.pull_fault = "ErrImagePull"
        self._memory = memory
        self._server = server
        self._namespace = namespace
        self._folder = folder
        self._owner = server.log_in()
        self._core = f"/api/v1/namespaces/{namespace}"
        self._pods: dict[str, Pod] = {}
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._failure: BaseException | None = None
        self.is_mute = False
        """Whether it does nothing and says nothing: a test says what it would say."""

    def lose(self) -> None:
        """Be lost: all stops, and the cluster knows only that this node does not answer."""
        with self._turn:
            self.is_mute = True
            for pod in self._pods.values():
                pod.kill()
        path = f"/api/v1/nodes/{self.name}/status"
        self._patch(path, {"status": {"conditions": [say_ready("Unknown")]}})

    @contextmanager
    def working(self) -> Iterator["Node"]:
        """Carry out Jobs while the block lasts."""
        with self._serve_logs() as port:
            self._register(port)
            worker = threading.Thread(target=self._work)
            worker.start()
            try:
                yield self
            finally:
                self._stopping.set()
                worker.join()
                for pod in self._pods.values():
                    pod.kill()
                self._owner.delete(f"/api/v1/nodes/{self.name}").raise_for_status()
                self._owner.close()
        if self._failure is not None:
            raise self._failure

    def find(self, job: str) -> Pod | None:
        """Return the pod of a Job that was at work here."""
        for pod in list(self._pods.values()):
            if pod.content["metadata"]["labels"][_JOB_LABEL] == job:
                return pod
        return None

    def _register(self, port: int) -> None:
        room = {"cpu": "64", "memory": self._memory, "pods": "2000"}
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "capacity": room, "allocatable": room,
        }  # fmt: skip
        self._server.register_node(self.name, self._namespace, status)

    def _work(self) -> None:
        try:
            while not self._stopping.wait(_STEP_S):
                with self._turn, suppress(httpx.TransportError):  # containers go on without it
                    if not self.is_mute:
                        self._carry_out(self._list_pods())
        except BaseException as error:
            self._failure = error
            raise

    def _list_pods(self) -> list[dict[str, Any]]:
        own = {"fieldSelector": f"spec.nodeName={self.name}"}
        answer = self._owner.get(f"{self._core}/pods", params=own)
        pods: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return pods

    def _carry_out(self, pods: list[dict[str, Any]]) -> None:
        for content in pods:
            uid = content["metadata"]["uid"]
            pod = self._pods.get(uid)
            if pod is None and content["metadata"].get("deletionTimestamp"):
                self._delete_pod(content["metadata"]["name"])
            elif pod is None and content["status"]["phase"] == "Pending":
                self._try_to_start(uid, content)
            elif pod is not None and content["status"]["phase"] == "Running":
                pod.content = content
                self._look_after(pod)
        for uid in self._pods.keys() - {content["metadata"]["uid"] for content in pods}:
            self._pods[uid].kill()
            self._pods[uid].is_over = True

    def _try_to_start(self, uid: str, content: dict[str, Any]) -> None:
        image = content["spec"]["containers"][0]["image"]
        if self.images is not None and image not in self.images:
            told = f"failed to resolve reference {image}: not found"
            self._tell(
                content, "Pending", {"waiting": {"reason": self.pull_fault, "message": told}}
            )
            return
        self._pods[uid] = self._start(content)

    def _start(self, content: dict[str, Any]) -> Pod:
        folder = self._folder / content["metadata"]["name"]
        for name in ("work", "temporary", "reasons"):
            (folder / name).mkdir(parents=True)
        (folder / "words").touch()
        container = content["spec"]["containers"][0]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *container["command"][1:]],
                cwd=folder / "work",
                env=self._name_variables(container, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pod = Pod(content, folder, process, time.monotonic())
        self._say(pod, "Running", {"running": {"startedAt": _now()}})
        return pod

    def _name_variables(self, container: dict[str, Any], folder: Path) -> dict[str, str]:
        places = {
            "/dev/termination-log": folder / "words",
            "/run/skerry/reason": folder / "reasons" / "reason",
            "/attempt": folder / "work",
            "/tmp": folder / "temporary",
        }
        variables: dict[str, str] = {}
        for item in container["env"]:
            variables[item["name"]] = expand_references(item["value"], variables)
        for name, value in variables.items():
            for path, place in places.items():
                if value == path or value.startswith(f"{path}/"):
                    variables[name] = f"{place}{value.removeprefix(path)}"
        for source in container["envFrom"]:
            path = f"{self._core}/secrets/{source['secretRef']['name']}"
            data = self._owner.get(path).raise_for_status().json()["data"]
            variables |= {name: b64decode(value).decode() for name, value in data.items()}
        return variables

    def _look_after(self, pod: Pod) -> None:
        reason = pod.content["metadata"]["annotations"].get("skerry/end", "")
        told = pod.folder / "reasons" / "reason"
        if not told.exists() or told.read_text() != reason:
            aside = pod.folder / "reason"
            aside.write_text(reason)
            aside.replace(told)  # the container may read it at this moment
        self._hold_limits(pod)
        if pod.is_at_work():
            return
        pod.kill()  # what it has started ends with its container
        code = pod.process.returncode
        code = code if code >= 0 else 128 - code
        end = {
            "exitCode": code, "startedAt": _now(), "finishedAt": _now(),
            "reason": "OOMKilled" if pod.out_of_memory else "Completed" if code == 0 else "Error",
            "message": (pod.folder / "words").read_text()[:4096],
        }  # fmt: skip
        told = {"reason": "DeadlineExceeded"} if pod.asked and not pod.out_of_memory else {}
        phase = "Succeeded" if code == 0 and not told else "Failed"
        self._say(pod, phase, {"terminated": end}, **told)
        pod.is_over = True
        if pod.content["metadata"].get("deletionTimestamp"):
            self._delete_pod(pod.name)

    def _hold_limits(self, pod: Pod) -> None:
        spec, now = pod.content["spec"], time.monotonic()
        is_due = now > pod.began + spec["activeDeadlineSeconds"]
        if pod.asked is None and (is_due or pod.content["metadata"].get("deletionTimestamp")):
            pod.asked = now
            pod.process.terminate()
        if pod.asked is not None and now > pod.asked + spec["terminationGracePeriodSeconds"]:
            pod.kill()
        limit = pod.container["resources"].get("limits", {}).get("memory")
        if limit and pod.is_at_work() and _measure(pod.process.pid) > int(_read_bytes(limit)):
            pod.out_of_memory = True
            pod.kill()

    def _say(self, pod: Pod, phase: str, state: dict[str, Any], **told: str) -> None:
        self._tell(pod.content, phase, state, **told)

    def _tell(
        self, content: dict[str, Any], phase: str, state: dict[str, Any], **told: str
    ) -> None:
        container = content["spec"]["containers"][0]
        status = {
            "name": container["name"], "image": container["image"], "imageID": "",
            "ready": False, "restartCount": 0, "state": state,
        }  # fmt: skip
        told_now = {"phase": phase, "startTime": _now(), "containerStatuses": [status], **told}
        path = f"{self._core}/pods/{content['metadata']['name']}/status"
        self._patch(path, {"status": told_now})

    def _delete_pod(self, name: str) -> None:
        self._owner.request("DELETE", f"{self._core}/pods/{name}", json={"gracePeriodSeconds": 0})

    def _patch(self, path: str, change: dict[str, Any]) -> None:
        """Change an object; while the API server is away, try again."""
        while not self._stopping.is_set():
            with suppress(httpx.TransportError):
                patch_object(self._owner, path, change)
                return
            self._stopping.wait(_STEP_S)

    @contextmanager
    def _serve_logs(self) -> Iterator[int]:
        """Answer the API server as a kubelet does when it is asked for a container's log."""
        node = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                name = path.split("/")[3]
                pods = [pod for pod in list(node._pods.values()) if pod.name == name]
                if not pods:
                    self.send_error(404)
                    return
                content = (pods[0].folder / "log").read_bytes()
                most = dict(item.split("=") for item in query.split("&") if item)
                content = content[: int(most.get("limitBytes", len(content)))]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        with serve_handler(Answer, certificate=self._server.folder / "server") as port:
            yield port


def patch_object(client: httpx.Client, path: str, change: dict[str, Any]) -> None:
    """Change an object of the API server, if it is still there."""
    kind = {"Content-Type": "application/merge-patch+json"}
    answer = client.patch(path, content=json.dumps(change), headers=kind)
    assert answer.is_success or answer.status_code == 404, answer.text


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_bytes(quantity: str) -> int:
    units = {"k": 10**3, "M": 10**6, "G": 10**9}
    return int(quantity[:-1]) * units[quantity[-1]] if quantity[-1] in units else int(quantity)


def _measure(pid: int) -> int:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return sum(item.memory_info().rss for item in [process, *process.children(recursive=True)])
    return 0
