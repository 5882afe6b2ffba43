"""Writing to the catalogue: collections and items, for holders of the writing scope.

The addresses are those of STAC's transaction extension, with two rules of our own. A registered
item never changes in place. With ``replace=true`` an item supersedes an item of the same id with
other content, in one step: at each moment one of the two exists.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from sqlalchemy import Connection
from stac_fastapi.api.models import GeoJSONResponse
from stac_pydantic import api
from starlette.responses import JSONResponse

from skerry.catalog import collections, deletions
from skerry.catalog.items import StoredItem
from skerry.catalog.registration import check_registration, register_item
from skerry.catalog.settling import settling
from skerry.core.ownership import Verb, check_owner
from skerry.core.scopes import Scope
from skerry.services.access import check_change, check_replacement, check_seen, find_viewer
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, require
from skerry.services.media import DescribedAs, sends_json
from skerry.services.stac_links import Addresses, look_up, present_collection, present_item
from skerry.services.stores import Stores, name_actor

Document = dict[str, Any]
ItemDocument = Annotated[Document, Body(), DescribedAs(api.Item)]
CollectionDocument = Annotated[Document, Body(), DescribedAs(api.Collection)]
Writer = Annotated[Identity, Depends(require(Scope.CATALOG_WRITE))]


def create_stac_writing_router(stores: Stores, public_url: str) -> APIRouter:
    """Return the writing routes below ``/stac``."""
    addresses = Addresses(public_url)
    router = create_router(prefix="/stac/collections", tags=["stac"])
    _add_collections(router, stores, addresses)
    _add_items(router, stores, addresses)
    return router


def _add_collections(router: APIRouter, stores: Stores, addresses: Addresses) -> None:
    @router.put("/{collection_id}", **sends_json(api.Collection))
    def put_collection(
        collection_id: str, document: CollectionDocument, identity: Writer
    ) -> JSONResponse:
        """Create a collection or replace its description; ``skerry:public`` opens it to all.

        ``skerry:owner`` names its owner; if left out, that is the platform's own project.
        """
        record, belongs_to = read_owner(document)
        with stores.change(identity) as connection:
            collections.check_sandbox(collection_id, identity.account)
            check_replacement(
                connection, identity, collection_id,
                public=record.get("skerry:public") is True, owner=belongs_to,
            )  # fmt: skip
            stored = collections.put_collection(
                connection, record, collection_id, owner=identity.account, belongs_to=belongs_to
            )
        return JSONResponse(present_collection(stored, addresses, with_owner=True))

    @router.delete("/{collection_id}", status_code=204)
    def delete_collection(collection_id: str, identity: Writer) -> None:
        """Remove an empty collection; its name is free then."""
        with stores.change(identity) as connection:
            check_seen(connection, identity, collection_id, Verb.REMOVE)
            collections.delete_collection(connection, collection_id, owner=identity.account)


def _add_items(router: APIRouter, stores: Stores, addresses: Addresses) -> None:
    @router.post(
        "/{collection_id}/items", status_code=201, response_class=GeoJSONResponse,
        responses={
            200: {"model": api.Item, "description": "The item with this digest that is there"},
            201: {"model": api.Item},
        },
    )  # fmt: skip
    def add_item(
        collection_id: str,
        document: ItemDocument,
        identity: Writer,
        replace: Annotated[
            bool, Query(description="Replace the item if its content is another")
        ] = False,
        again: Annotated[
            bool, Query(description="Register content again that was withdrawn")
        ] = False,
    ) -> GeoJSONResponse:
        """Register an item; if it exists with the same digest, answer 200 and the stored item."""
        item, new = _register(
            stores, document, collection_id, identity, replace=replace, again=again
        )
        if new and replace:
            deletions.finish_deletions(stores.writer, stores.objects)
        with stores.reader.connect() as connection:  # the stored item may name sources of others
            sees = look_up(connection, [item], viewer=find_viewer(connection, identity))
            shown = present_item(item, addresses, sees)
        return GeoJSONResponse(shown, 201 if new else 200)

    @router.delete("/{collection_id}/items/{item_id}", status_code=204)
    def delete_item(collection_id: str, item_id: str, identity: Writer) -> None:
        """Remove an item, then its files."""
        with stores.change(identity) as connection:
            check_change(connection, identity, collection_id, item=item_id)
            deletions.delete_item(connection, collection_id, item_id, owner=identity.account)
        deletions.finish_deletions(stores.writer, stores.objects)


def read_owner(document: Document) -> tuple[Document, str | None]:
    """Return a collection's document without ``skerry:owner``, and that; None if it names none.

    Raises
    ------
    InvalidInputError
        If it is not the name of an owner.
    """
    owner = document.get("skerry:owner")
    record = {key: value for key, value in document.items() if key != "skerry:owner"}
    return record, None if owner is None else check_owner(str(owner))


def _register(
    stores: Stores, document: Document, collection: str, identity: Identity, **rules: bool
) -> tuple[StoredItem, bool]:
    def list_written(connection: Connection) -> list[tuple[str, str]]:
        check_change(connection, identity, collection)
        draft = check_registration(
            connection, document, collection, owner=identity.account, **rules
        )
        return draft.written

    moving = settling(stores.writer, stores.objects, name_actor(identity), list_written)
    with moving as homes, stores.change(identity) as connection:
        check_change(connection, identity, collection)
        return register_item(
            connection, document, collection, owner=identity.account, objects=stores.objects,
            homes=homes, **rules,
        )  # fmt: skip
