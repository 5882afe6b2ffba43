"""HTTP routes that list and end live Dask clusters. For operators."""

from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.errors import UnavailableError
from skerry.core.scopes import Scope
from skerry.models.clusters import ClusterList
from skerry.production.clusters import Gateway, describe_clusters, find_cluster
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores
from skerry.storage.recording import note_event

Operator = Annotated[Identity, Depends(require(Scope.PRODUCTION_OPERATE))]


def create_clusters_router(stores: Stores, gateway: Gateway | None) -> APIRouter:
    """Return the routes below ``/clusters``."""
    router = create_router(
        prefix="/clusters",
        tags=["clusters"],
        dependencies=[Depends(require(Scope.PRODUCTION_OPERATE))],
    )

    @router.get("")
    def list_clusters() -> ClusterList:
        """List the live clusters with owner, run, start and size."""
        clusters = _require(gateway).list_clusters()
        with stores.reader.connect() as connection:
            return ClusterList(clusters=describe_clusters(connection, clusters))

    @router.delete("/{name}", status_code=204)
    def delete_cluster(name: str, who: Operator) -> None:
        """End a cluster of any owner."""
        cluster = find_cluster(_require(gateway).list_clusters(), name)
        _require(gateway).stop(cluster.name)
        facts = {"owner": cluster.account}
        with stores.change(who) as connection:
            note_event(connection, f"cluster/{cluster.name}", "stopped", facts)

    return router


def _require(gateway: Gateway | None) -> Gateway:
    if gateway is None:
        raise UnavailableError(
            "This platform has no Dask gateway.", remedy="Start all its parts with 'skerry up'."
        )
    return gateway
