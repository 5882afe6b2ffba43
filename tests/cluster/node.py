"""A real node: kubelet, containerd, runc and kube-proxy, with a control plane, on this machine.

It needs root. Its network is a name space of its own (`tests.cluster.network`); all that was
started ends with it, by its process id.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.containers import Containerd, run_containerd, unmount_below
from tests.cluster.control_plane import NODE_NAME, ControlPlane
from tests.cluster.kernel import keep_kernel
from tests.cluster.names import DOMAIN, answer_names
from tests.cluster.network import (
    ENTER,
    ENTER_CLOUD,
    HOST,
    METADATA,
    NODE,
    PODS,
    SERVICES,
    join_network,
    run,
)
from tests.kubernetes.server import say_ready
from tests.kubernetes.tools.programs import ENFORCER, KUBELET, PROXY, are_there
from tests.platform_process import wait_until
from tests.tools.go_programs import GoProgram

_READY_S = 120.0
_HEARTBEAT_S = 5.0
_NEEDED = (
    "containerd", "ctr", "runc", "buildah", "busybox", "nft", "ip", "nsenter", "iptables", "ipset",
)  # fmt: skip
_PACKAGES = (
    "containerd runc containernetworking-plugins buildah busybox-static nftables iproute2 iptables"
    " ipset"
)


@dataclass
class RealNode:
    """A cluster of one node that runs containers.

    Attributes
    ----------
    server
        Its control plane.
    containerd
        What runs its containers.
    """

    server: ControlPlane
    containerd: Containerd
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)
    log_limit: int = 200_000
    """Bytes after which a container's log goes on in a new file: small, so that tests see it."""

    @property
    def folder(self) -> Path:
        return self.server.folder

    @property
    def config(self) -> Path:
        """The kubeconfig of the cluster's owner."""
        return self.folder / "owner.config"

    def start_kubelet(self) -> None:
        """Start the kubelet and wait until the node is ready."""
        self._launch(KUBELET, {
            "config": self._write("kubelet", self._describe_kubelet()),
            "kubeconfig": self.server.write_config("node"),
            "hostname-override": NODE_NAME, "node-ip": NODE,
            "root-dir": self.folder / "kubelet", "cert-dir": self.folder / "kubelet-certificates",
        })  # fmt: skip
        wait_until(self.is_ready, _READY_S, "the node is ready", self.explain)

    def stop_kubelet(self) -> None:
        """Kill the kubelet: containers go on, and nobody tells of them."""
        process = self._processes.pop(KUBELET.name)
        process.kill()
        process.wait()

    def start_proxy(self) -> None:
        """Start what leads the addresses of Services to pods."""
        self.server.write_config("proxy")
        self._launch(PROXY, {"config": self._write("proxy", self._describe_proxy())})

    def start_enforcer(self) -> None:
        """Start what holds pods to NetworkPolicies: kube-router, with its other duties off."""
        self._launch(ENFORCER, {
            "kubeconfig": self.config, "hostname-override": NODE_NAME, "run-firewall": "true",
            "run-router": "false", "run-service-proxy": "false",
            "service-cluster-ip-range": SERVICES, "health-port": 0, "metrics-port": 0,
        })  # fmt: skip
        wait_until(self._enforces, _READY_S, "NetworkPolicies are enforced", self.explain)

    def _enforces(self) -> bool:
        try:
            return "KUBE-ROUTER-FORWARD" in run(*ENTER, "iptables", "-S", "FORWARD")
        except RuntimeError:
            return False

    def start_metadata(self) -> None:
        """Let a page answer at the address where a cloud hands out credentials."""
        pages = self.folder / "metadata"
        pages.mkdir()
        (pages / "index.html").write_text("credentials of a cloud")
        with (self.folder / "metadata.log").open("ab") as log:
            self._processes["metadata"] = subprocess.Popen(
                [*ENTER_CLOUD, "setpriv", "--pdeathsig", "KILL",
                 "busybox", "httpd", "-f", "-p", f"{METADATA}:80", "-h", str(pages)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @contextmanager
    def with_spare_node(self) -> Iterator[None]:
        """Let another node say that it is well, on which nothing is scheduled.

        Where all nodes are lost at once, Kubernetes takes nothing from them: the network must be at
        fault.
        """
        self.server.create("/api/v1/nodes", {
            "metadata": {"name": "spare"}, "spec": {"unschedulable": True},
        })  # fmt: skip
        ending = threading.Event()
        thread = threading.Thread(target=self._speak_for_spare, args=(ending,))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()
            with self.server.log_in() as owner:
                owner.delete("/api/v1/nodes/spare").raise_for_status()

    def _speak_for_spare(self, ending: threading.Event) -> None:
        while not ending.is_set():
            said = {"status": {"conditions": [say_ready("True")]}}
            self.server.change("/api/v1/nodes/spare/status", said)
            ending.wait(_HEARTBEAT_S)

    def stop(self) -> None:
        """End kubelet, proxy and enforcer."""
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()

    def is_ready(self) -> bool:
        """Return whether the node says of itself that it is ready."""
        for process in self._processes.values():
            assert process.poll() is None, self.explain()
        with self.server.log_in() as owner:
            answer = owner.get(f"/api/v1/nodes/{NODE_NAME}")
        said = answer.json()["status"].get("conditions", []) if answer.is_success else []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in said)

    def explain(self) -> str:
        """Return the ends of all logs."""
        return self.server.explain()

    def _launch(self, program: GoProgram, options: Mapping[str, object]) -> None:
        words = [str(program.locate()), *(f"--{name}={value}" for name, value in options.items())]
        with (self.folder / f"{program.name}.log").open("ab") as log:
            self._processes[program.name] = subprocess.Popen(
                [*ENTER, "setpriv", "--pdeathsig", "KILL", *words], stdin=subprocess.DEVNULL,
                env={"PATH": f"{os.defpath}:/usr/sbin:/sbin", "HOME": str(self.folder)},
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip

    def _write(self, name: str, content: Mapping[str, Any]) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(content)))
        return path

    def _describe_kubelet(self) -> dict[str, Any]:
        (self.folder / "resolv.conf").write_text(f"nameserver {HOST}\n")
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE,
            "authentication": {
                "anonymous": {"enabled": False}, "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.server.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self.folder / "kubelet.crt"),
            "tlsPrivateKeyFile": str(self.folder / "kubelet.key"),
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self.containerd.socket}",
            "clusterDNS": [HOST],
            "clusterDomain": DOMAIN,
            "resolvConf": str(self.folder / "resolv.conf"),
            "podLogsDir": str(self.folder / "logs"),
            "containerLogMaxSize": str(self.log_limit), "containerLogMonitorInterval": "3s",
            "maxPods": 100,
            # The disk is the machine's own, whose other files are no reason to end pods.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"
            },
        }  # fmt: skip

    def _describe_proxy(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(self.folder / "proxy.config")},
            "clusterCIDR": PODS,
            "hostnameOverride": NODE_NAME,
            "bindAddress": NODE,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "conntrack": {
                "maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"
            },
        }  # fmt: skip


def find_obstacle() -> str | None:
    """Return why no node can be run here, in words with a remedy; None if one can."""
    if os.geteuid() != 0:
        return "A node needs root: run this as root, on a machine that may be spoiled."
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    if missing := [name for name in _NEEDED if shutil.which(name, path=path) is None]:
        return f"{missing[0]} is missing: apt-get install {_PACKAGES}"
    if not are_there("tests/cluster"):
        return "Kubernetes is missing: make kubernetes-tools FOR=tests/cluster (with Go 1.26)"
    return None


@contextmanager
def run_node() -> Iterator[RealNode]:
    """Start a cluster of one node; end it and remove all that is left of it after.

    Raises
    ------
    RuntimeError
        If none can be run here; it says why.
    """
    if obstacle := find_obstacle():
        raise RuntimeError(obstacle)
    folder = Path(tempfile.mkdtemp(prefix="skerry-node-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(unmount_below, folder)
        stack.enter_context(join_network())
        stack.enter_context(keep_kernel(folder))
        server = ControlPlane(folder)
        stack.callback(server.stop)
        server.start()
        server.write_config("owner")
        stack.enter_context(answer_names(server))
        node = RealNode(server, stack.enter_context(run_containerd(folder)))
        stack.callback(node.stop)
        node.start_kubelet()
        node.start_proxy()
        node.start_metadata()
        node.start_enforcer()
        yield node
