"""The gateway on Kubernetes: what a person's Dask clusters may take together is checked first.

dask-gateway has limits per user only for its other backends. A cluster counts with all workers
that it may grow to: so what was granted is there when the cluster grows, and nobody's client can
pass the limits, since the number of workers is part of the cluster's object.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.kubernetes import KubeBackend
from kubernetes_asyncio.client import NetworkingV1Api
from traitlets import Any as AnyTrait
from traitlets import Float, Instance

from skerry.core.cluster_hub_settings import DaskRules
from skerry.core.errors import SkerryError
from skerry.core.hub_profiles import count_bytes
from skerry.hub.gateway_clusters import describe_cluster
from skerry.hub.kubernetes.cluster_network import describe_policy
from skerry.hub.kubernetes.unstarted import follow_starts

_GROUP, _PLURAL = "gateway.dask.org", "daskclusters"
_ENDED = frozenset({"Stopped", "Failed"})
OWNER_LABEL = "skerry/owner"
"""Label of a cluster by which its owner's others are found without reading everybody's."""


@dataclass(frozen=True)
class Share:
    """What clusters may take: how many, their processors, their bytes of memory."""

    clusters: int = 0
    cores: float = 0.0
    memory: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(
            self.clusters + other.clusters, self.cores + other.cores, self.memory + other.memory
        )

    @classmethod
    def of_cluster(cls, config: Any) -> Self:
        """Return what a cluster may take at most, from its configuration as a mapping."""
        workers = config["cluster_max_workers"] or 0
        return cls(
            1,
            config["scheduler_cores_limit"] + workers * config["worker_cores_limit"],
            config["scheduler_memory_limit"] + workers * config["worker_memory_limit"],
        )


def explain_refusal(taken: Share, asked: Share, rules: DaskRules) -> str:
    """Return why a cluster may not start; an empty text if it may.

    Parameters
    ----------
    taken
        What this user's clusters take already.
    asked
        What the new one would take.
    rules
        The limits.
    """
    total = taken + asked
    if total.clusters > rules.clusters_per_user:
        return (
            f"You have {taken.clusters} Dask clusters, and {rules.clusters_per_user} is the limit. "
            "Close one first: the Dask panel of JupyterLab shows them."
        )
    if total.cores > rules.cores_per_user:
        return _word_refusal(
            "processors", f"{asked.cores:g}", f"{taken.cores:g}", f"{rules.cores_per_user:g}"
        )
    if total.memory > count_bytes(rules.memory_per_user):
        return _word_refusal(
            "GiB of memory",
            f"{asked.memory / (1 << 30):.3g}",
            f"{taken.memory / (1 << 30):.3g}",
            f"{count_bytes(rules.memory_per_user) / (1 << 30):.3g}",
        )
    return ""


def _word_refusal(what: str, asked: str, taken: str, limit: str) -> str:
    return (
        f"This Dask cluster may grow to {asked} {what}, your others to {taken}, and {limit} is the "
        "limit of all together. Ask for fewer or smaller workers (most_workers, worker_cores, "
        "worker_memory), or close a cluster."
    )


def _name_owner(username: str) -> str:
    """Return a label's value for any name of a user."""
    return hashlib.sha256(username.encode()).hexdigest()[:40]


class LimitedBackend(KubeBackend):  # type: ignore[misc]
    """Clusters as objects of Kubernetes, within the limits of their owner."""

    rules = Instance(DaskRules, config=True, help="The limits.")
    start_s = Float(600, config=True, help="Seconds that a cluster has to start.")
    desk = AnyTrait(None, config=True, help="Where budgets are asked before a start.")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._starting = asyncio.Lock()
        self._next_name = ""
        self._following: asyncio.Task[None] | None = None

    async def setup(self, app: Any) -> None:
        """Begin to work."""
        await super().setup(app)
        self._following = asyncio.create_task(follow_starts(self))

    async def cleanup(self) -> None:
        """Work no more."""
        if self._following is not None:
            self._following.cancel()
        await super().cleanup()

    def make_cluster_object(self, username: str, options: Any, config: Any) -> dict[str, Any]:
        """Return the object of a cluster, with the name under which it has reserved."""
        made: dict[str, Any] = super().make_cluster_object(username, options, config)
        labels = self.get_labels(self._next_name) | {OWNER_LABEL: _name_owner(username)}
        made["metadata"] |= {"name": self._next_name, "labels": labels}
        return made

    async def start_cluster(self, user: Any, cluster_options: dict[str, Any]) -> str:
        """Start a cluster.

        Raises
        ------
        PublicException
            If it would pass a limit of its owner, or a budget; the client shows the words.
        """
        async with self._starting:  # between counting and creating nobody else creates
            _, config = await self.process_cluster_options(user, cluster_options)
            asked = Share.of_cluster(config.to_dict())
            refusal = explain_refusal(await self._count(user.name), asked, self.rules)
            if refusal:
                raise PublicException(refusal)
            self._next_name = uuid4().hex
            if self.desk is not None:
                await self._reserve(user, f"{config.namespace}.{self._next_name}", asked)
            name: str = await super().start_cluster(user, cluster_options)
        try:
            await self._close_network(name)
        except BaseException:
            await self.stop_cluster(name, failed=True)  # its workers would find no scheduler
            raise
        return name

    async def _close_network(self, cluster_name: str) -> None:
        """Let the pods of a new cluster admit each other, and those of no other cluster."""
        namespace, name = cluster_name.split(".")
        cluster = await self.custom_client.get_namespaced_custom_object(
            _GROUP, self.crd_version, namespace, _PLURAL, name
        )
        policy: Any = describe_policy(cluster)
        await NetworkingV1Api(self.api_client).create_namespaced_network_policy(namespace, policy)

    async def stop_cluster(self, cluster_name: str, failed: bool = False) -> None:
        """End a cluster, and what it has reserved."""
        await super().stop_cluster(cluster_name, failed=failed)
        if self.desk is not None:
            await self.desk.end(f"cluster-{cluster_name}")

    async def _reserve(self, user: Any, cluster: str, asked: Share) -> None:
        try:
            await self.desk.reserve(
                id=f"cluster-{cluster}", kind="cluster", name=cluster, account=user.name,
                groups=sorted(user.groups), cores=asked.cores, memory=asked.memory,
            )  # fmt: skip
        except SkerryError as error:
            raise PublicException(str(error)) from None

    async def _count(self, username: str) -> Share:
        """Return what a user's clusters take, asked of Kubernetes: the cache may be behind."""
        own = f"{self.label_selector},{OWNER_LABEL}={_name_owner(username)}"
        answer = await self.custom_client.list_cluster_custom_object(
            _GROUP, self.crd_version, _PLURAL, label_selector=own
        )
        shares = (
            Share.of_cluster(found["spec"]["config"])
            for found in answer["items"]
            if found["spec"].get("username") == username
            and found.get("status", {}).get("phase") not in _ENDED
        )
        return sum(shares, Share())

    async def describe_clusters(self) -> list[dict[str, Any]]:
        """Return the facts of every cluster that has not ended."""
        described = []
        for cluster in await self.list_clusters():
            found = self.informer.get(cluster.name) or {}
            described.append(
                describe_cluster(
                    cluster,
                    cluster.status.name,
                    found.get("spec", {}).get("replicas", 0),
                    cluster.config["scheduler_memory"],
                    cluster.config["worker_memory"],
                )
            )
        return described
