"""Kubernetes' control plane on this machine, where the node and its pods reach it.

It differs from that of other tests (`tests.kubernetes.server`) in what a real node asks for:
certificates of the node's own, the Service ``kubernetes`` with a real end, nodes that are lost
when they say nothing.
"""

from dataclasses import dataclass, field

from tests.cluster.network import HOST, NODE
from tests.kubernetes.certificates import Authority, write_key_pair
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.tools.programs import CONTROLLERS, SCHEDULER

NODE_NAME = "node1"
LOST_AFTER_S = 40
"""After so long without a word of its kubelet the node is not ready."""
_FIRST_SERVICE = "10.96.0.1"
"""The address of the Service ``kubernetes``: the first of all Services."""
_PORT = 6443
_CLIENTS = {
    "owner": ("owner", "system:masters"),
    "controllers": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "node": (f"system:node:{NODE_NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy", None),
    "api": ("kube-apiserver-kubelet-client", "system:masters"),
}
"""Files of certificates: who shows each, and that person's group."""


@dataclass
class ControlPlane(KubernetesServer):
    """A control plane for one real node; see `KubernetesServer`."""

    url: str = field(default=f"https://{HOST}:{_PORT}")
    own_names: dict[str, str] = field(default_factory=dict)
    """Names that are no Services', and the address of each, for pods that ask for them."""

    def start(self) -> None:
        """Start all programs and wait until they are ready."""
        super().start()
        self._launch(CONTROLLERS, {
            "kubeconfig": self.write_config("controllers"), "leader-elect": "false",
            "secure-port": 0, "use-service-account-credentials": "true",
            "service-account-private-key-file": self.folder / "accounts.key",
            "root-ca-file": self.authority, "kube-api-qps": 100, "kube-api-burst": 200,
            "node-monitor-grace-period": f"{LOST_AFTER_S}s",
        })  # fmt: skip
        self._launch(SCHEDULER, {
            "kubeconfig": self.write_config("scheduler"), "leader-elect": "false",
            "secure-port": 0,
        })  # fmt: skip
        self._wait_for_controllers()

    def _write_certificates(self) -> None:
        authority = Authority.create(self.authority)
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        addresses = [HOST, _FIRST_SERVICE, "127.0.0.1"]
        place = self.folder / "server"
        authority.issue(place, "kube-apiserver", server=True, addresses=addresses, names=names)
        for file, (name, group) in _CLIENTS.items():
            authority.issue(self.folder / file, name, group)
        place = self.folder / "kubelet"
        authority.issue(place, NODE_NAME, server=True, addresses=[NODE], names=[NODE_NAME])
        write_key_pair(self.folder / "accounts")

    def _name_options(self, store: str) -> dict[str, object]:
        return {
            **super()._name_options(store),
            "bind-address": HOST,
            "advertise-address": HOST,
            "enable-admission-plugins": "NodeRestriction",
            "endpoint-reconciler-type": "lease",
            "allow-privileged": "true",
            "kubelet-certificate-authority": self.authority,
            "kubelet-client-certificate": self.folder / "api.crt",
            "kubelet-client-key": self.folder / "api.key",
            "kubelet-preferred-address-types": "InternalIP",
        }
