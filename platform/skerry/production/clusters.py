"""Lists the live Dask clusters of the gateway, and ends those whose attempt is over."""

import os
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Connection, select

from skerry.core.errors import NotFoundError, UnavailableError
from skerry.core.gateway import ADDRESS_VARIABLE, CLUSTERS_PATH, split_owner
from skerry.core.ownership import Verb, Viewer, decide, relate
from skerry.core.time import parse_time
from skerry.models.clusters import Cluster
from skerry.production.tables import attempts, runs

_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class LiveCluster:
    """A cluster that is alive.

    Attributes
    ----------
    name
        The gateway's name for it.
    account, token_hash
        Its owner; for a run the project's account and the hash of the attempt's token.
    status
        ``pending``, ``running`` or ``stopping``.
    since
        When it was started, RFC 3339.
    workers
        How many workers it has now.
    memory
        How many bytes scheduler and workers may use together.
    """

    name: str
    account: str
    token_hash: str | None
    status: str
    since: str
    workers: int
    memory: int


class Gateway:
    """The Dask gateway, as the platform's own parts see it.

    Parameters
    ----------
    address
        Its internal address.
    token
        The part's own service token.
    """

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=address.rstrip("/"),
            headers={"Authorization": f"jupyterhub {token}"},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    @classmethod
    def from_environment(cls) -> "Gateway | None":
        """Return the gateway that the environment names, None where there is none."""
        address = os.environ.get(ADDRESS_VARIABLE)
        return cls(address, os.environ.get("JUPYTERHUB_API_TOKEN", "")) if address else None

    def list_clusters(self) -> list[LiveCluster]:
        """Return every cluster that has not ended.

        Raises
        ------
        UnavailableError
            If the gateway does not answer.
        """
        clusters = self._ask("GET", CLUSTERS_PATH).json()["clusters"]
        return [_read(entry) for entry in sorted(clusters, key=lambda entry: str(entry["since"]))]

    def stop(self, name: str) -> None:
        """End a cluster; the gateway takes some seconds to do it.

        Raises
        ------
        UnavailableError
            If the gateway does not answer.
        """
        self._ask("DELETE", f"/api/v1/clusters/{name}")

    def _ask(self, method: str, path: str) -> httpx.Response:
        try:
            answer = self._client.request(method, path)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"The Dask gateway does not answer ({type(error).__name__}).",
                remedy="See 'skerry status' and 'skerry logs gateway'.",
            ) from None
        if not answer.is_success:
            raise UnavailableError(
                f"The Dask gateway refused ({answer.status_code}).",
                remedy="See 'skerry logs gateway'.",
            )
        return answer


def end_clusters(
    gateway: Gateway, connection: Connection, clusters: list[LiveCluster]
) -> list[str]:
    """End the clusters whose attempt is over; return their names.

    Parameters
    ----------
    clusters
        As listed before `connection` was opened: the attempt of a cluster is recorded before the
        cluster can exist.
    """
    working = set(
        connection.scalars(
            select(attempts.c.token_hash).where(attempts.c.status.in_(["claimed", "executing"]))
        )
    )
    over = [
        cluster.name
        for cluster in clusters
        if cluster.token_hash is not None
        and cluster.token_hash not in working
        and cluster.status != "stopping"
    ]
    for name in over:
        gateway.stop(name)
    return over


def describe_clusters(
    connection: Connection, clusters: list[LiveCluster], *, viewer: Viewer
) -> list[Cluster]:
    """Return the clusters that a viewer may see; those of runs have run, job and attempt.

    A run's cluster belongs to the owner of the run, any other cluster to the person who started it.
    """
    rows = connection.execute(
        select(
            attempts.c.token_hash,
            attempts.c.run_id,
            attempts.c.epoch,
            runs.c.job_name,
            runs.c.owner,
        )
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(attempts.c.token_hash.in_([item.token_hash for item in clusters if item.token_hash]))
    )
    attempt = {row.token_hash: row for row in rows if row.token_hash}

    def is_seen(cluster: LiveCluster) -> bool:
        run = attempt.get(cluster.token_hash)
        # a service's account has its kind in its name, as owners have
        account = cluster.account if ":" in cluster.account else f"person:{cluster.account}"
        owner = run.owner if run else account
        return decide(relate(viewer, owner, public=False), Verb.SEE)

    return [
        Cluster(
            name=cluster.name,
            owner=cluster.account,
            job=run.job_name if (run := attempt.get(cluster.token_hash)) else None,
            run=run.run_id if run else None,
            attempt=run.epoch if run else None,
            status=cluster.status,
            since=parse_time(cluster.since),
            workers=cluster.workers,
            memory=cluster.memory,
        )
        for cluster in clusters
        if is_seen(cluster)
    ]


def find_cluster(clusters: list[Cluster], name: str) -> Cluster:
    """Return the cluster with a name.

    Raises
    ------
    NotFoundError
        If none is alive.
    """
    for cluster in clusters:
        if cluster.name == name:
            return cluster
    raise NotFoundError(
        f"There is no cluster {name[:80]!r}.", remedy="'skerry cluster list' shows those alive."
    )


def _read(entry: dict[str, Any]) -> LiveCluster:
    account, token_hash = split_owner(entry["owner"])
    return LiveCluster(
        entry["name"], account, token_hash, entry["status"], entry["since"], entry["workers"],
        entry["memory"],
    )  # fmt: skip
