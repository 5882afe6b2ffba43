"""A stand-in for the parts of a cluster that carry out Jobs: the Job controller and a kubelet.

It tells the API server what they would tell, by the same routes, and a container is a process of
this machine. What a container would see at a path stands in a folder of its own, and its variables
name that. So an executor meets the real API server, and programs that really run.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.kubernetes.server import KubernetesServer

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
        The namespace whose Jobs it carries out.
    folder
        Where its pods work.
    """

    def __init__(self, server: KubernetesServer, namespace: str, folder: Path) -> None:
        self.name = f"node-{namespace}"
        self._server = server
        self._folder = folder
        self._owner = server.log_in()
        self._core = f"/api/v1/namespaces/{namespace}"
        self._batch = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods: dict[str, Pod] = {}
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self.is_lost = False
        """Whether the kubelet does nothing and says nothing; Jobs get their pods all the same."""

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
        self._server.create("/api/v1/nodes", {"metadata": {"name": self.name}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        self._patch(f"/api/v1/nodes/{self.name}/status", {"status": status})

    def _work(self) -> None:
        try:
            while not self._stopping.wait(_STEP_S):
                jobs = self._owner.get(self._batch).raise_for_status().json()["items"]
                pods = self._owner.get(f"{self._core}/pods").raise_for_status().json()["items"]
                self._control_jobs(jobs, pods)
                if not self.is_lost:
                    self._carry_out(pods)
        except BaseException as error:
            self._failure = error
            raise

    def _control_jobs(self, jobs: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
        """Make the pods of new Jobs, remove those of suspended ones, say which Jobs are over."""
        owners = {pod["metadata"]["labels"][_JOB_LABEL]: pod for pod in pods}
        for job in jobs:
            name, spec = job["metadata"]["name"], job["spec"]
            pod = owners.pop(name, None)
            over = any(item["status"] == "True" for item in job["status"].get("conditions", ()))
            if over:
                continue
            if spec.get("suspend"):
                if pod is not None:
                    self._delete_pod(pod["metadata"]["name"])
            elif pod is None:
                self._make_pod(job)
            elif pod["status"]["phase"] in ("Succeeded", "Failed"):
                self._end_job(job, pod["status"]["phase"])
        for pod in owners.values():  # of Jobs that are gone
            self._delete_pod(pod["metadata"]["name"])

    def _make_pod(self, job: dict[str, Any]) -> None:
        name, template = job["metadata"]["name"], job["spec"]["template"]
        owner = {
            "apiVersion": "batch/v1", "kind": "Job", "name": name, "controller": True,
            "uid": job["metadata"]["uid"],
        }  # fmt: skip
        metadata = {**template["metadata"], "name": f"{name}-pod", "ownerReferences": [owner]}
        spec = {**template["spec"], "nodeName": self.name}
        answer = self._owner.post(f"{self._core}/pods", json={"metadata": metadata, "spec": spec})
        assert answer.status_code in (201, 409), answer.text

    def _end_job(self, job: dict[str, Any], phase: str) -> None:
        now = _now()
        kind = "Complete" if phase == "Succeeded" else "Failed"
        before = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
        condition = {
            "status": "True", "reason": "Test", "message": phase,
            "lastTransitionTime": now, "lastProbeTime": now,
        }  # fmt: skip
        status: dict[str, Any] = {
            "startTime": job["status"].get("startTime", now), "active": 0,
            "conditions": [{"type": before, **condition}, {"type": kind, **condition}],
        }  # fmt: skip
        if kind == "Complete":
            status |= {"completionTime": now, "succeeded": 1}
        else:
            status |= {"failed": 1}
        self._patch(f"{self._batch}/{job['metadata']['name']}/status", {"status": status})

    def _carry_out(self, pods: list[dict[str, Any]]) -> None:
        for content in pods:
            uid = content["metadata"]["uid"]
            pod = self._pods.get(uid)
            if pod is None and content["status"]["phase"] == "Pending":
                self._pods[uid] = self._start(content)
            elif pod is not None and content["status"]["phase"] == "Running":
                pod.content = content
                self._look_after(pod)
        for uid in self._pods.keys() - {content["metadata"]["uid"] for content in pods}:
            self._pods[uid].kill()
            self._pods[uid].is_over = True

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
        variables = {item["name"]: item["value"] for item in container["env"]}
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
        container = {
            "name": pod.container["name"], "image": pod.container["image"], "imageID": "",
            "ready": False, "restartCount": 0, "state": state,
        }  # fmt: skip
        status = {"phase": phase, "startTime": _now(), "containerStatuses": [container], **told}
        self._patch(f"{self._core}/pods/{pod.name}/status", {"status": status})

    def _delete_pod(self, name: str) -> None:
        self._owner.request("DELETE", f"{self._core}/pods/{name}", json={"gracePeriodSeconds": 0})

    def _patch(self, path: str, change: dict[str, Any]) -> None:
        patch_object(self._owner, path, change)

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

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = self._server.folder
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as kubelet:
            kubelet.socket = context.wrap_socket(kubelet.socket, server_side=True)
            thread = threading.Thread(target=kubelet.serve_forever)
            thread.start()
            try:
                yield kubelet.server_port
            finally:
                kubelet.shutdown()
                thread.join()


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
