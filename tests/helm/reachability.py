"""What NetworkPolicies allow, by the rules of Kubernetes: both ends have to allow a connection."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.helm.rendering import NAMESPACE


@dataclass(frozen=True)
class End:
    """A pod, or an address outside the cluster.

    Attributes
    ----------
    labels, namespace
        Of a pod.
    address
        Of something outside; None for a pod.
    ports
        The names of a pod's ports.
    """

    labels: dict[str, str] = field(default_factory=dict)
    namespace: str = NAMESPACE
    address: str | None = None
    ports: dict[str, int] = field(default_factory=dict)


class Network:
    """The policies of all namespaces."""

    def __init__(self, objects: Iterable[dict[str, Any]]) -> None:
        self._policies = [content for content in objects if content["kind"] == "NetworkPolicy"]

    def allows(self, source: End, target: End, port: int) -> bool:
        """Return whether a connection to a port is allowed at both ends."""
        return self._passes(source, target, port, target, "Egress") and self._passes(
            target, source, port, target, "Ingress"
        )

    def _passes(self, own: End, other: End, port: int, target: End, way: str) -> bool:
        if own.address is not None:
            return True
        policies = [
            policy
            for policy in self._policies
            if way in policy["spec"]["policyTypes"]
            and policy["metadata"].get("namespace", NAMESPACE) == own.namespace
            and _fits(policy["spec"]["podSelector"], own.labels)
        ]
        if not policies:
            return True
        peers, rules = ("to", "egress") if way == "Egress" else ("from", "ingress")
        return any(
            _has_port(rule, port, target) and _has_peer(rule.get(peers), other, own.namespace)
            for policy in policies
            for rule in policy["spec"].get(rules) or []
        )


def _has_port(rule: dict[str, Any], port: int, target: End) -> bool:
    if not rule.get("ports"):
        return True
    return any(target.ports.get(each["port"], each["port"]) == port for each in rule["ports"])


def _has_peer(peers: list[dict[str, Any]] | None, other: End, namespace: str) -> bool:
    return not peers or any(_is_peer(peer, other, namespace) for peer in peers)


def _is_peer(peer: dict[str, Any], other: End, namespace: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        if other.address is None:
            return False
        address = ipaddress.ip_address(other.address)
        excepted = [ipaddress.ip_network(text) for text in block.get("except", [])]
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in network for network in excepted
        )
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        names = {"kubernetes.io/metadata.name": other.namespace}
        if not _fits(peer["namespaceSelector"], names):
            return False
    elif other.namespace != namespace:
        return False
    return _fits(peer.get("podSelector", {}), other.labels)


def _fits(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", [])
    )
