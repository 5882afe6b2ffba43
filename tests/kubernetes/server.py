"""Kubernetes' real control plane for tests, in a folder of its own, on free loopback ports.

It is etcd, the API server and, when asked for, controller manager and scheduler. Requests are
authenticated by certificates and by tokens of service accounts, and authorised by RBAC, as in a
cluster. Nodes are what a test adds (`tests.kubernetes.node`, `tests.kubernetes.kwok_nodes`). Where
there is a scheduler, the pods of a namespace go to the nodes with its label alone.
"""

import base64
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kubernetes.certificates import Authority, write_key_pair
from tests.kubernetes.tools.programs import API_SERVER, CONTROLLERS, ETCD, SCHEDULER, are_there
from tests.platform_process import free_port, wait_until
from tests.tools.go_programs import GoProgram

_READY_S = 120.0
_PLACE = "skerry.test/namespace"
"""Label of nodes: the namespace whose pods they take."""


@dataclass
class KubernetesServer:
    """A running API server.

    Attributes
    ----------
    folder
        Its files: certificates, data, logs.
    url
        Its address.
    """

    folder: Path
    url: str = field(default_factory=lambda: f"https://127.0.0.1:{free_port()}")
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)
    _store: str = ""
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    @property
    def authority(self) -> Path:
        """The certificate of those who sign its certificates."""
        return self.folder / "ca.crt"

    def start(self) -> None:
        """Start etcd and the API server, and wait until it is ready."""
        self._write_certificates()
        self._store = f"http://127.0.0.1:{free_port()}"
        peers = f"http://127.0.0.1:{free_port()}"
        self._launch(ETCD, {
            "data-dir": self.folder / "etcd", "unsafe-no-fsync": "true", "logger": "zap",
            "listen-client-urls": self._store, "advertise-client-urls": self._store,
            "listen-peer-urls": peers, "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        })  # fmt: skip
        self.start_api()

    def start_controllers(self) -> None:
        """Start the controller manager and the scheduler, and wait until they work."""
        self._launch(CONTROLLERS, {
            "kubeconfig": self.write_config("controllers"), "leader-elect": "false",
            "secure-port": 0, "use-service-account-credentials": "true",
            "service-account-private-key-file": self.folder / "accounts.key",
            "root-ca-file": self.authority, "kube-api-qps": 200, "kube-api-burst": 400,
            "node-monitor-grace-period": "24h",  # nodes say themselves that they are lost
        })  # fmt: skip
        self._launch(SCHEDULER, {
            "kubeconfig": self.write_config("scheduler"), "leader-elect": "false",
            "secure-port": 0, "kube-api-qps": 500, "kube-api-burst": 1000,
        })  # fmt: skip
        self._wait_for_controllers()
        # where all nodes are lost at once, nothing is taken from them: the network must be at fault
        self.register_node("spare", "nowhere", {})

    def name_processes(self) -> dict[str, int]:
        """Return the process id of each of its programs, by the program's name."""
        return {name: process.pid for name, process in self._processes.items()}

    def start_api(self) -> None:
        """Start the API server and wait until it is ready."""
        self._launch(API_SERVER, self._name_options(self._store))
        with self.log_in() as owner:
            wait_until(lambda: self._is_ready(owner), _READY_S, "Kubernetes is ready", every_s=0.05)

    def kill_api(self) -> None:
        """SIGKILL the API server; `start_api` starts it again."""
        process = self._processes.pop(API_SERVER.name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all programs at once: nothing of them is kept."""
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()

    @contextmanager
    def running(self, program: GoProgram, options: Mapping[str, object]) -> Iterator[None]:
        """Run another program of the cluster while the block lasts."""
        self._launch(program, options)
        try:
            yield
        finally:
            process = self._processes.pop(program.name)
            process.kill()
            process.wait()

    def register_node(
        self, name: str, namespace: str, status: Mapping[str, Any],
        labels: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Add a node that is ready, and takes the pods of a namespace."""
        room = {"cpu": "64", "memory": "64Gi", "pods": "2000"}
        told = {
            "capacity": room, "allocatable": room, "conditions": [say_ready("True")], **status
        }  # fmt: skip
        own = {_PLACE: namespace, "kubernetes.io/hostname": name, **(labels or {})}
        self.create("/api/v1/nodes", {"metadata": {"name": name, "labels": own}})
        self.change(f"/api/v1/nodes/{name}/status", {"status": told})

    def log_in(self, token: str | None = None, name: str = "owner") -> httpx.Client:
        """Return a client with a service account's token, or else with a person's certificate."""
        context = ssl.create_default_context(cafile=self.authority)
        if token is None:
            context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url, verify=context, headers=headers, trust_env=False, timeout=30
        )

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Give the name of a new namespace, which goes with this server at the latest."""
        name = f"test-{secrets.token_hex(3)}-{next(self._numbers)}"
        with self.log_in() as owner:
            place = {"scheduler.alpha.kubernetes.io/node-selector": f"{_PLACE}={name}"}
            annotations = place if SCHEDULER.name in self._processes else {}
            metadata = {"name": name, "annotations": annotations}
            _create(owner, "/api/v1/namespaces", {"metadata": metadata})
            try:
                yield name
            finally:
                owner.delete(f"/api/v1/namespaces/{name}").raise_for_status()

    def create(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object as the owner of the cluster; return it."""
        with self.log_in() as owner:
            return _create(owner, path, content)

    def change(self, path: str, change: Mapping[str, Any]) -> None:
        """Change an object as the owner of the cluster, by a merge patch."""
        kind = {"Content-Type": "application/merge-patch+json"}
        with self.log_in() as owner:
            answer = owner.patch(path, content=json.dumps(change), headers=kind)
        assert answer.is_success, answer.text

    def create_account(self, namespace: str, name: str) -> str:
        """Create a service account, which may do nothing yet; return a token of it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.create(path, {"metadata": {"name": name}})
        return self.create(f"{path}/{name}/token", {"spec": {}})["status"]["token"]

    def write_config(self, name: str, token: str | None = None, namespace: str = "default") -> Path:
        """Write a kubeconfig for a token, or for a person's certificate; return its path."""
        user = (
            {"token": token}
            if token
            else {
                "client-certificate": str(self.folder / f"{name}.crt"),
                "client-key": str(self.folder / f"{name}.key"),
            }
        )
        authority = base64.b64encode(self.authority.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        context = {"cluster": "test", "user": name, "namespace": namespace}
        path = self.folder / f"{name}.config"
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "contexts": [{"name": "test", "context": context}],
            "users": [{"name": name, "user": user}],
        }  # fmt: skip
        path.write_text(json.dumps(config))
        return path

    def read_token(self, config: Path) -> str:
        """Return the token in a kubeconfig that was written here."""
        return json.loads(config.read_text())["users"][0]["user"]["token"]

    def _write_certificates(self) -> None:
        authority = Authority.create(self.authority)
        authority.issue(self.folder / "server", "kube-apiserver", server=True)
        authority.issue(self.folder / "owner", "owner", group="system:masters")
        authority.issue(self.folder / "controllers", "system:kube-controller-manager")
        authority.issue(self.folder / "scheduler", "system:kube-scheduler")
        write_key_pair(self.folder / "accounts")

    def _name_options(self, store: str) -> dict[str, object]:
        return {
            "etcd-servers": store,
            "bind-address": "127.0.0.1",
            "advertise-address": "127.0.0.1",
            "secure-port": self.url.rpartition(":")[2],
            "cert-dir": self.folder,
            "tls-cert-file": self.folder / "server.crt",
            "tls-private-key-file": self.folder / "server.key",
            "client-ca-file": self.authority,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction,PodNodeSelector",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self.folder / "accounts.pub",
            "service-account-signing-key-file": self.folder / "accounts.key",
            "endpoint-reconciler-type": "none",
        }

    def _launch(self, program: GoProgram, options: Mapping[str, object]) -> None:
        command = [str(program.locate()), *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / f"{program.name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "HOME": str(self.folder)}, cwd=self.folder,
                stdout=log, stderr=log,
            )  # fmt: skip
        self._processes[program.name] = process

    def _is_ready(self, owner: httpx.Client) -> bool:
        for process in self._processes.values():
            assert process.poll() is None, self.explain()
        try:
            return owner.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def _wait_for_controllers(self) -> None:
        """Wait until namespaces get the account that pods have by default."""
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        with self.log_in() as owner:
            wait_until(
                lambda: owner.get(account).is_success, _READY_S, "controllers work", self.explain,
                every_s=0.05,
            )  # fmt: skip

    def explain(self) -> str:
        """Return the ends of the programs' logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in logs)


def say_ready(status: str, reason: str = "Test") -> dict[str, str]:
    """Return a node's word on whether it is ready: ``True``, ``False`` or ``Unknown``."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "Ready", "status": status, "reason": reason, "message": "by a test",
        "lastHeartbeatTime": now, "lastTransitionTime": now,
    }  # fmt: skip


def _create(client: httpx.Client, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=content)
    assert answer.is_success, answer.text
    return answer.json()


@contextmanager
def serve_kubernetes(*, controllers: bool = False) -> Iterator[KubernetesServer]:
    """Start Kubernetes on free ports; end it and remove its folder after.

    Without controllers an object stays as it is until a test says what became of it.
    """
    if not are_there():
        pytest.fail(
            "Kubernetes is missing: 'make kubernetes-tools' builds it, with Go 1.26 or newer"
        )
    folder = Path(tempfile.mkdtemp(prefix="skerry-kubernetes-"))
    server = KubernetesServer(folder)
    try:
        server.start()
        if controllers:
            server.start_controllers()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
