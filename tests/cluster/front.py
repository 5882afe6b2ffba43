"""What stands before a platform of many people: an ingress controller with TLS, and their provider.

The controller is Traefik. The provider of tests runs on this machine; the controller leads its name
there, so that browsers and the hub reach it by the same https address.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.door import Door
from tests.cluster.foreign_images import TRAEFIK
from tests.cluster.installation import NAMESPACE, Installation
from tests.cluster.network import HOST
from tests.cluster.node import RealNode
from tests.kubernetes.certificates import Authority
from tests.platform_process import wait_until

DOMAIN = "skerry.test"
PROVIDER = "sso.institute.test"
"""Not below the platform's name: all names there are people's."""
TLS_SECRET = "skerry-tls"
_SPACE = "front"
_READS = [
    {"apiGroups": [""], "resources": ["services", "secrets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
     "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"],
     "verbs": ["get", "list", "watch"]},
]  # fmt: skip
_ARGUMENTS = [
    "--providers.kubernetesingress",
    "--providers.kubernetesingress.disableclusterscoperesources=true",
    "--entrypoints.websecure.address=:8443",
    "--entrypoints.websecure.http.tls=true",
    "--ping=true", "--entrypoints.traefik.address=:9000", "--log.level=INFO",
    "--global.checknewversion=false", "--global.sendanonymoususage=false",
]  # fmt: skip


@dataclass(frozen=True)
class Front:
    """The controller.

    Attributes
    ----------
    door
        The way through it.
    authority
        The certificate of those who sign for its names.
    """

    door: Door
    authority: Path

    @property
    def url(self) -> str:
        """The platform's public address."""
        return f"https://{DOMAIN}"


def open_front(node: RealNode, platform: Installation) -> Front:
    """Start the controller, and make the certificate for the platform's names."""
    authority = node.folder / "front-ca.crt"
    place = node.folder / "front"
    names = [DOMAIN, f"*.{DOMAIN}", PROVIDER]
    Authority.create(authority).issue(place, DOMAIN, server=True, addresses=[], names=names)
    node.server.create("/api/v1/namespaces", {"metadata": {"name": _SPACE}})
    for space in (NAMESPACE, _SPACE):
        node.server.create(f"/api/v1/namespaces/{space}/secrets", {
            "metadata": {"name": TLS_SECRET}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": place.with_suffix(".crt").read_text(),
                           "tls.key": place.with_suffix(".key").read_text()},
        })  # fmt: skip
    _start_controller(node)
    address = _read_address(node)
    wait_until(lambda: _is_ready(platform), 120, "the ingress controller", platform.explain)
    return Front(Door((DOMAIN, PROVIDER), address, authority), authority)


def lead_to_provider(node: RealNode, port: int) -> None:
    """Let the name of the provider lead to a port of this machine, for browsers and for pods."""
    services = f"/api/v1/namespaces/{_SPACE}/services"
    node.server.create(services, {
        "metadata": {"name": "provider"}, "spec": {"ports": [{"name": "http", "port": 80}]},
    })  # fmt: skip
    node.server.create(f"/apis/discovery.k8s.io/v1/namespaces/{_SPACE}/endpointslices", {
        "metadata": {"name": "provider", "labels": {"kubernetes.io/service-name": "provider"}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}],
    })  # fmt: skip
    service = {"name": "provider", "port": {"name": "http"}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    node.server.create(f"/apis/networking.k8s.io/v1/namespaces/{_SPACE}/ingresses", {
        "metadata": {"name": "provider"},
        "spec": {
            "tls": [{"secretName": TLS_SECRET, "hosts": [PROVIDER]}],
            "rules": [{"host": PROVIDER, "http": {"paths": [path]}}],
        },
    })  # fmt: skip
    node.server.own_names[PROVIDER] = _read_address(node)


def _start_controller(node: RealNode) -> None:
    rights = "/apis/rbac.authorization.k8s.io/v1"
    named = {"metadata": {"name": _SPACE}}
    node.server.create(f"/api/v1/namespaces/{_SPACE}/serviceaccounts", named)
    node.server.create(f"{rights}/clusterroles", {**named, "rules": _READS})
    node.server.create(f"{rights}/clusterrolebindings", {
        **named,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": _SPACE},
        "subjects": [{"kind": "ServiceAccount", "name": _SPACE, "namespace": _SPACE}],
    })  # fmt: skip
    labels = {"part": "controller"}
    node.server.create(f"/apis/apps/v1/namespaces/{_SPACE}/deployments", {
        "metadata": {"name": "controller"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _describe_pod()},
        },
    })  # fmt: skip
    node.server.create(f"/api/v1/namespaces/{_SPACE}/services", {
        "metadata": {"name": "controller"},
        "spec": {"selector": labels, "ports": [{"port": 443, "targetPort": 8443}]},
    })  # fmt: skip


def _describe_pod() -> dict[str, Any]:
    return {
        "serviceAccountName": _SPACE,
        "containers": [
            {
                "name": "controller", "image": TRAEFIK, "imagePullPolicy": "Never",
                "args": _ARGUMENTS,
                "readinessProbe": {"httpGet": {"path": "/ping", "port": 9000}, "periodSeconds": 2},
            }
        ],
    }  # fmt: skip


def _read_address(node: RealNode) -> str:
    with node.server.log_in() as owner:
        found = owner.get(f"/api/v1/namespaces/{_SPACE}/services/controller").raise_for_status()
    return str(found.json()["spec"]["clusterIP"])


def _is_ready(platform: Installation) -> bool:
    pods = platform.list_pods("--namespace", _SPACE)
    states = [state for pod in pods for state in pod["status"].get("containerStatuses", [])]
    return bool(states) and all(state["ready"] for state in states)
