"""A NetworkPolicy for each Dask cluster: its scheduler and its workers admit each other alone.

A policy of the chart cannot say "pods of the same cluster", so the gateway makes a policy with each
cluster. The cluster's object owns it: Kubernetes removes both together.
"""

from collections.abc import Mapping
from typing import Any

CLUSTER_LABEL = "gateway.dask.org/cluster"
"""The label by which the gateway's controller marks all pods of a cluster."""


def describe_policy(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy of a cluster.

    Parameters
    ----------
    cluster
        The cluster's object, as Kubernetes has it.
    """
    metadata = cluster["metadata"]
    name = metadata["name"]
    own = {"podSelector": {"matchLabels": {CLUSTER_LABEL: name}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"dask-{name}",
            "labels": dict(metadata["labels"]),
            "ownerReferences": [
                {
                    "apiVersion": cluster["apiVersion"],
                    "kind": cluster["kind"],
                    "name": name,
                    "uid": metadata["uid"],
                }
            ],
        },
        "spec": {**own, "policyTypes": ["Ingress"], "ingress": [{"from": [own]}]},
    }
