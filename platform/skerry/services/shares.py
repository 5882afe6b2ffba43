"""HTTP routes that give a collection to others and take it back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from skerry.catalog import sharing
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.models.shares import ShareList, ShareOrder
from skerry.services.access import check_seen
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.stores import Stores

Writer = Annotated[Identity, Depends(require(Scope.CATALOG_WRITE))]


def create_shares_router(stores: Stores) -> APIRouter:
    """Return the routes below ``/shares``.

    Only those who may give a collection see to whom it is given.
    """
    router = create_router(prefix="/shares", tags=["shares"])

    @router.get("/{collection_id}")
    def list_shares(collection_id: str, who: Writer) -> ShareList:
        """List to whom a collection is given."""
        with stores.reader.connect() as connection:
            check_seen(connection, who, collection_id, Verb.GIVE)
            return ShareList(shares=sharing.list_shares(connection, collection_id))

    @router.put("/{collection_id}/{holder}")
    def give_collection(
        collection_id: str, holder: str, order: ShareOrder, who: Writer
    ) -> ShareList:
        """Give a collection to ``person:<name>`` or ``project:<name>``."""
        with stores.change(who) as connection:
            check_seen(connection, who, collection_id, Verb.GIVE)
            sharing.give(connection, collection_id, holder, Verb(order.verb))
            return ShareList(shares=sharing.list_shares(connection, collection_id))

    @router.delete("/{collection_id}/{holder}", status_code=204)
    def take_back_collection(collection_id: str, holder: str, who: Writer) -> Response:
        """Take a collection back."""
        with stores.change(who) as connection:
            check_seen(connection, who, collection_id, Verb.GIVE)
            sharing.take_back(connection, collection_id, holder)
        return Response(status_code=204)

    return router
