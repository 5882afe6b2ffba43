"""Kubernetes' real API server for tests: with etcd, in a folder of its own, on free loopback ports.

Requests are authenticated by certificates and by tokens of service accounts, and authorised by
RBAC, as in a cluster. There are no controllers and no nodes: a Job stays as it is until a test
says, as they would, what became of it.
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
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kubernetes.certificates import Authority, write_key_pair
from tests.kubernetes.tools.programs import API_SERVER, ETCD, are_there
from tests.platform_process import free_port, wait_until

_READY_S = 120.0


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
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    @property
    def authority(self) -> Path:
        """The certificate of those who sign its certificates."""
        return self.folder / "ca.crt"

    def start(self) -> None:
        """Start all programs and wait until the API server is ready."""
        self._write_certificates()
        store = f"http://127.0.0.1:{free_port()}"
        peers = f"http://127.0.0.1:{free_port()}"
        self._launch(ETCD.locate(), {
            "data-dir": self.folder / "etcd", "unsafe-no-fsync": "true", "logger": "zap",
            "listen-client-urls": store, "advertise-client-urls": store,
            "listen-peer-urls": peers, "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        })  # fmt: skip
        self._launch(API_SERVER.locate(), self._name_options(store))
        with self.log_in() as owner:
            wait_until(lambda: self._is_ready(owner), _READY_S, "Kubernetes is ready", every_s=0.05)

    def stop(self) -> None:
        """End all programs at once: nothing of them is kept."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()

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
            _create(owner, "/api/v1/namespaces", {"metadata": {"name": name}})
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
            "enable-admission-plugins": "NodeRestriction",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self.folder / "accounts.pub",
            "service-account-signing-key-file": self.folder / "accounts.key",
            "endpoint-reconciler-type": "none",
        }

    def _launch(self, program: Path, options: Mapping[str, object]) -> None:
        command = [str(program), *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / f"{program.name}.log").open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "HOME": str(self.folder)}, cwd=self.folder,
                stdout=log, stderr=log,
            )  # fmt: skip
        self._processes.append(process)

    def _is_ready(self, owner: httpx.Client) -> bool:
        for process in self._processes:
            assert process.poll() is None, self.explain()
        try:
            return owner.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def explain(self) -> str:
        """Return the ends of the programs' logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in logs)


def _create(client: httpx.Client, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=content)
    assert answer.is_success, answer.text
    return answer.json()


@contextmanager
def serve_kubernetes() -> Iterator[KubernetesServer]:
    """Start Kubernetes on free ports; end it and remove its folder after."""
    if not are_there():
        pytest.fail(
            "Kubernetes is missing: 'make kubernetes-tools' builds it, with Go 1.26 or newer"
        )
    folder = Path(tempfile.mkdtemp(prefix="skerry-kubernetes-"))
    server = KubernetesServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
