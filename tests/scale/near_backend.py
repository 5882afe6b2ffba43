"""The gateway's backend, but the schedulers of all clusters are one program of this machine."""

import os

from skerry.hub.kubernetes.gateway_backend import LimitedBackend

SCHEDULERS = os.environ.get("SCALE_SCHEDULERS", "")
"""The address of that program."""


class NearBackend(LimitedBackend):
    """Clusters as objects of Kubernetes, whose schedulers are found without its names."""

    async def sync_cluster(self, cluster_name: str) -> None:
        """Take in what Kubernetes tells of a cluster."""
        await super().sync_cluster(cluster_name)
        cluster = self.clusters.get(cluster_name)
        if cluster is not None and cluster.api_address:
            cluster.api_address = f"{SCHEDULERS}/{cluster_name}"
