"""The STAC API: stac-fastapi's core routes over our catalogue."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import attr
from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from stac_fastapi.api.app import StacApi
from stac_fastapi.api.models import (
    GeoJSONResponse,
    create_get_request_model,
    create_post_request_model,
    create_request_model,
)
from stac_fastapi.extensions.pagination import TokenPaginationExtension
from stac_fastapi.extensions.sort import ItemCollectionSortExtension, SearchSortExtension
from stac_fastapi.types import stac
from stac_fastapi.types.config import ApiSettings
from stac_fastapi.types.core import AsyncBaseCoreClient
from stac_fastapi.types.extension import ApiExtension
from stac_fastapi.types.search import APIRequest
from starlette.concurrency import run_in_threadpool

from skerry.catalog.collections import (
    find_collection,
    list_collections,
)
from skerry.catalog.items import find_item
from skerry.catalog.search import SearchQuery, parse_query, search_items
from skerry.core.errors import InvalidInputError
from skerry.core.json_values import read_json_object
from skerry.core.ownership import Viewer
from skerry.core.scopes import Scope
from skerry.core.version import VERSION
from skerry.services.access import find_viewer, refuse_item
from skerry.services.guarded_route import create_router
from skerry.services.identity import identify, refuse_unseen
from skerry.services.stac_links import Addresses, look_up, present_collection, present_item
from skerry.services.stac_requests import ItemsRequest, SearchBody, SearchRequest
from skerry.services.stores import Stores

_STAC_VERSION = "1.1.0"
_TITLE = "Skerry catalogue"
_DESCRIPTION = "Earth observation products of this platform."

_METHODS = {
    "get_landing_page": "landing_page",
    "get_conformance_classes": "conformance",
    "get_collections": "all_collections",
    "get_collection": "get_collection",
    "get_item_collection": "item_collection",
    "get_item": "get_item",
    "get_search": "get_search",
    "post_search": "post_search",
}
"""Operation id to the method of `CatalogClient` that answers."""

T = TypeVar("T")
Document = dict[str, Any]


@attr.s
class CatalogClient(AsyncBaseCoreClient):
    """Answers stac-fastapi's requests from the catalogue, as far as the asker may see it."""

    stores: Stores = attr.ib(kw_only=True)
    addresses: Addresses = attr.ib(kw_only=True)

    async def landing_page(self, **kwargs: Any) -> stac.LandingPage:
        """Return the landing page, with a link to each collection that the asker sees."""
        page = self._landing_page(
            base_url=f"{self.addresses.stac}/",
            conformance_classes=self.conformance_classes(),
            extension_schemas=[],
        )
        collections = await self._read(kwargs, list_collections)
        page["links"] += [
            {
                "rel": "service-desc",
                "type": "application/vnd.oai.openapi+json;version=3.1",
                "href": f"{self.addresses.api}/openapi.json",
            },
            *(
                {
                    "rel": "child",
                    "type": "application/json",
                    "title": str(item.document.get("title") or item.id),
                    "href": self.addresses.collection(item.id),
                }
                for item in collections
            ),
        ]
        return page

    async def all_collections(self, **kwargs: Any) -> stac.Collections:
        """Return the collections that the asker sees."""
        collections = await self._read(kwargs, list_collections)
        root = f"{self.addresses.stac}/"
        with_owner = kwargs["request"].state.identity is not None
        documents = [
            present_collection(item, self.addresses, with_owner=with_owner) for item in collections
        ]
        return {
            "collections": cast("list[stac.Collection]", documents),
            "links": [
                {"rel": "self", "type": "application/json", "href": f"{root}collections"},
                {"rel": "root", "type": "application/json", "href": root},
            ],
        }

    async def get_collection(self, collection_id: str, **kwargs: Any) -> stac.Collection:
        """Return one collection."""
        collection = await self._read(
            kwargs, lambda item, viewer: find_collection(item, collection_id, viewer=viewer)
        )
        if collection is None:
            raise _refuse(kwargs, f"collection {collection_id!r}")
        document = present_collection(
            collection, self.addresses, with_owner=kwargs["request"].state.identity is not None
        )
        return cast("stac.Collection", document)

    async def get_item(self, item_id: str, collection_id: str, **kwargs: Any) -> stac.Item:
        """Return one item."""

        def read(connection: Connection, viewer: Viewer) -> Document:
            item = find_item(connection, collection_id, item_id, viewer=viewer)
            if item is None:
                identity = kwargs["request"].state.identity
                raise refuse_item(connection, identity, collection_id, item_id)
            sees = look_up(connection, [item], viewer=viewer)
            return present_item(item, self.addresses, sees)

        return cast("stac.Item", await self._read(kwargs, read))

    async def item_collection(  # noqa: PLR0917  (stac-fastapi passes names)
        self,
        collection_id: str,
        bbox: Any = None,
        datetime: str | None = None,
        limit: int = 10,
        token: str | None = None,
        sortby: list[str] | None = None,
        collections: str | None = None,
        ids: str | None = None,
        **kwargs: Any,
    ) -> stac.ItemCollection:
        """Return one page of a collection's items."""
        await self.get_collection(collection_id, **kwargs)
        if collections not in (None, collection_id):
            raise InvalidInputError(
                f"collections is {collections!r} in an address of {collection_id!r}.",
                remedy="Leave it out, or search several collections below /stac/search.",
            )
        query = {
            "collections": [collection_id], "ids": ids.split(",") if ids else None, "bbox": bbox,
            "datetime": datetime, "limit": limit, "token": token, "sortby": sortby,
        }  # fmt: skip
        path = f"collections/{collection_id}/items"
        return await self._search(lambda: parse_query(**query), path, kwargs)

    async def get_search(  # noqa: PLR0917  (stac-fastapi passes names)
        self,
        collections: list[str] | None = None,
        ids: list[str] | None = None,
        bbox: Any = None,
        intersects: Any = None,
        datetime: str | None = None,
        limit: int | None = 10,
        token: str | None = None,
        sortby: list[str] | None = None,
        **kwargs: Any,
    ) -> stac.ItemCollection:
        """Search, asked by GET."""

        def read_query() -> SearchQuery:
            area = _read_json(intersects) if intersects else None
            return parse_query(
                collections=collections, ids=ids, bbox=bbox, datetime=datetime, limit=limit,
                intersects=area, token=token, sortby=sortby,
            )  # fmt: skip

        return await self._search(read_query, "search", kwargs)

    async def post_search(self, search_request: Any, **kwargs: Any) -> stac.ItemCollection:
        """Search, asked by POST."""
        query: Document = search_request.model_dump(exclude_none=True)
        return await self._search(lambda: parse_query(**query), "search", kwargs, body=query)

    async def _search(
        self,
        read_query: Callable[[], SearchQuery],
        path: str,
        kwargs: Document,
        body: Document | None = None,
    ) -> stac.ItemCollection:
        def read(connection: Connection, viewer: Viewer) -> tuple[list[Document], str | None]:
            # reading a polygon may take long, so it is read here, in a thread
            page = search_items(connection, read_query(), viewer=viewer)
            sees = look_up(connection, page.items, viewer=viewer)
            features = [present_item(item, self.addresses, sees) for item in page.items]
            return features, page.next_token

        features, token = await self._read(kwargs, read)
        address = f"{self.addresses.stac}/{path}"
        root = {"rel": "root", "type": "application/json", "href": f"{self.addresses.stac}/"}
        own = {"rel": "self", "type": "application/geo+json", "href": address}
        following = [_link_next(kwargs["request"], address, token, body)] if token else []
        page = {
            "type": "FeatureCollection",
            "features": features,
            "links": [root, own, *following],
            "numberReturned": len(features),
        }
        # as a response: the framework would walk through every value of a bare dictionary
        return cast("stac.ItemCollection", GeoJSONResponse(page))

    async def _read(self, kwargs: Document, question: Callable[..., T]) -> T:
        """Query the database in a thread: `question(connection, viewer=...)`."""
        identity = kwargs["request"].state.identity

        def ask() -> T:
            with self.stores.reader.connect() as connection:
                return question(connection, viewer=find_viewer(connection, identity))

        return await run_in_threadpool(ask)


def create_stac_router(stores: Stores, public_url: str) -> APIRouter:
    """Return the reading routes below ``/stac``."""
    addresses = Addresses(public_url)
    paging = TokenPaginationExtension()
    search: list[ApiExtension] = [
        paging, SearchSortExtension(conformance_classes=_name_versions("item-search#sort"))
    ]  # fmt: skip
    listing: list[ApiExtension] = [
        paging,
        ItemCollectionSortExtension(conformance_classes=_name_versions("ogcapi-features#sort")),
    ]
    client = CatalogClient(stores=stores, addresses=addresses, landing_page_id="skerry")
    stac_api = StacApi(
        settings=_name_api(),
        client=client,
        stac_version=_STAC_VERSION,
        extensions=[*search, listing[-1]],
        router=create_router(
            prefix="/stac",
            tags=["stac"],
            dependencies=[Depends(identify())],
            generate_unique_id_function=name_operation,
        ),
        search_get_request_model=create_get_request_model(search, SearchRequest),
        search_post_request_model=create_post_request_model(search, SearchBody),
        items_get_request_model=cast(
            "type[APIRequest]",
            create_request_model("ItemsQuery", base_model=ItemsRequest, extensions=listing),
        ),
        middlewares=[],
    )
    # the routes live in our application, with its problems and its headers; the application that
    # StacApi made for itself is not used
    router: APIRouter = stac_api.router
    for route in router.routes:
        if isinstance(route, APIRoute):
            _describe_route(route)
    return router


def _name_api() -> ApiSettings:
    return ApiSettings(
        _env_file=None,
        stac_fastapi_title=_TITLE, stac_fastapi_description=_DESCRIPTION,
        stac_fastapi_landing_id="skerry", stac_fastapi_version=VERSION,
    )  # fmt: skip


def _name_versions(conformance: str) -> list[str]:
    """Name a class of the sort extension in both versions: pystac-client looks for the older."""
    return [f"https://api.stacspec.org/{version}/{conformance}" for version in ("v1.0.0", "v1.1.0")]


def name_operation(route: APIRoute) -> str:
    """Return the operation id of a route of stac-fastapi: ``Get ItemCollection`` by its words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])| ", "_", route.name).lower()
    method = min(route.methods or {"GET"}).lower()
    return words if words.startswith(f"{method}_") else f"{method}_{words}"


def _describe_route(route: APIRoute) -> None:
    """Give a route the description of the method that answers it."""
    operation = name_operation(route)
    method = getattr(CatalogClient, _METHODS[operation])
    route.summary = operation.replace("_", " ").capitalize()
    route.description = inspect.getdoc(method) or ""


def _refuse(kwargs: Document, what: str) -> Exception:
    return refuse_unseen(kwargs["request"].state.identity, Scope.CATALOG_READ, what)


def _link_next(request: Request, address: str, token: str, body: Document | None) -> Document:
    link = {"rel": "next", "type": "application/geo+json"}
    if body is not None:
        return {**link, "method": "POST", "href": address, "body": {**body, "token": token}}
    query = request.url.include_query_params(token=token).query
    return {**link, "method": "GET", "href": f"{address}?{query}"}


def _read_json(text: str) -> Document:
    remedy = "Send a GeoJSON geometry, URL-encoded, or use POST."
    return read_json_object(text, what="intersects", remedy=remedy)
