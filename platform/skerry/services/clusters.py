"""HTTP routes that list and end live Dask clusters. For operators."""

from typing import Any

from fastapi import Depends

from skerry.core.errors import UnavailableError
from skerry.core.scopes import Scope
from skerry.production.clusters import Gateway, describe_clusters, find_cluster
from skerry.services.guarded_route import create_router
from skerry.services.identity import require
from skerry.services.stores import Stores


def create_clusters_router(stores: Stores, gateway: Gateway | None) -> Any:
    """Return the routes below ``/clusters``."""
    router = create_router(
        prefix="/clusters",
        tags=["clusters"],
        dependencies=[Depends(require(Scope.PRODUCTION_OPERATE))],
    )

    @router.get("")
    def list_alive() -> dict[str, Any]:
        """List the live clusters with owner, run, start and size."""
        clusters = _require(gateway).list_clusters()
        with stores.reader.connect() as connection:
            return {"clusters": describe_clusters(connection, clusters)}

    @router.delete("/{name}", status_code=204)
    def stop(name: str) -> None:
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
