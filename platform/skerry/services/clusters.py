"""HTTP routes that list and end live Dask clusters. For operators."""

from fastapi import APIRouter, Depends

from skerry.core.errors import UnavailableError
from skerry.core.scopes import Scope
from skerry.models.clusters import ClusterList
from skerry.production.clusters import Gateway, describe_clusters, find_cluster
from skerry.services.guarded_route import create_router
from skerry.services.identity import require
from skerry.services.stores import Stores


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
    def delete_cluster(name: str) -> None:
        """End a cluster of any owner."""
        cluster = find_cluster(_require(gateway).list_clusters(), name)
        _require(gateway).stop(cluster.name)

    return router


def _require(gateway: Gateway | None) -> Gateway:
    if gateway is None:
        raise UnavailableError(
            "This platform has no Dask gateway.", remedy="Start all its parts with 'skerry up'."
        )
    return gateway
