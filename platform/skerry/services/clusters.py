"""HTTP routes that list and end live Dask clusters. For operators."""

from typing import Annotated

from fastapi import APIRouter, Depends

from skerry.core.errors import UnavailableError
from skerry.core.scopes import Scope
from skerry.models.clusters import Cluster, ClusterList
from skerry.production.clusters import Gateway, describe_clusters, find_cluster
from skerry.services.access import speak_for
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

    def find_seen(who: Identity) -> list[Cluster]:
        clusters = _require(gateway).list_clusters()
        with stores.reader.connect() as connection:
            return describe_clusters(connection, clusters, viewer=speak_for(who))

    @router.get("")
    def list_clusters(who: Operator) -> ClusterList:
        """List the live clusters with owner, run, start and size."""
        return ClusterList(clusters=find_seen(who))

    @router.delete("/{name}", status_code=204)
    def delete_cluster(name: str, who: Operator) -> None:
        """End a cluster of the asker, or of a run that they see."""
        cluster = find_cluster(find_seen(who), name)
        _require(gateway).stop(cluster.name)
        facts = {"owner": cluster.owner}
        with stores.change(who) as connection:
            note_event(connection, f"cluster/{cluster.name}", "stopped", facts)

    return router


def _require(gateway: Gateway | None) -> Gateway:
    if gateway is None:
        raise UnavailableError(
            "This platform has no Dask gateway.", remedy="Start all its parts with 'skerry up'."
        )
    return gateway
