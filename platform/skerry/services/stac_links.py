"""Items and collections as the api shows them: with addresses for store keys, and with links."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from skerry.catalog.collections import StoredCollection
from skerry.catalog.documents import DERIVED_FROM, VARIABLES, find_sibling
from skerry.catalog.items import StoredItem, find_shown
from skerry.core.ownership import Viewer
from skerry.core.settings import API_PREFIX, MAPS_PREFIX

_GEOJSON = "application/geo+json"
_JSON = "application/json"

Sees = Callable[[str, str], bool]
"""Whether the asker sees the item (collection, id)."""


def look_up(connection: Connection, page: Iterable[StoredItem], *, viewer: Viewer) -> Sees:
    """Return a function that tells whether a viewer sees an item to which these items link."""
    if viewer.is_keeper:
        return lambda _collection, _item: True
    names = {name for item in page for name in _list_siblings(item.document)}
    visible = find_shown(connection, names, viewer=viewer) if names else set()
    return lambda collection, item: (collection, item) in visible


def _list_siblings(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each item of the catalogue (collection, id) that an item names."""
    for link in document["links"]:
        sibling = find_sibling(str(link["href"]))
        if sibling is not None:
            yield sibling
    for source in document["properties"].get(DERIVED_FROM) or []:
        yield _split_name(source)


class Addresses:
    """The public addresses of one platform.

    Parameters
    ----------
    public_url
        The platform's address without a trailing slash. Taken from the settings, never from a
        request's Host header.
    """

    def __init__(self, public_url: str) -> None:
        self.stac = f"{public_url}{API_PREFIX}/stac"
        self.api = f"{public_url}{API_PREFIX}"
        self.files = f"{public_url}{API_PREFIX}/files/"
        self.tiles = f"{public_url}{MAPS_PREFIX}/tiles"

    def collection(self, identifier: str) -> str:
        """Return a collection's address."""
        return f"{self.stac}/collections/{quote(identifier)}"

    def item(self, collection: str, identifier: str) -> str:
        """Return an item's address."""
        return f"{self.collection(collection)}/items/{quote(identifier)}"

    def file(self, key: str) -> str:
        """Return the address of an object."""
        return self.files + quote(key)

    def variable(self, item: StoredItem, name: str) -> str:
        """Return the address below which a variable's tiles are."""
        return f"{self.tiles}/{quote(item.collection)}/{quote(item.id)}/{quote(name, safe='')}"


def present_item(item: StoredItem, addresses: Addresses, sees: Sees) -> dict[str, Any]:
    """Return the STAC item as the api shows it: with addresses for keys, and with its links.

    Parameters
    ----------
    item
        The stored item.
    addresses
        The platform's addresses.
    sees
        Decides about links to other items, so that no private name is shown.
    """
    document = item.to_stac()
    assets = {
        name: {**asset, "href": addresses.file(asset["href"])}
        for name, asset in document["assets"].items()
    }
    links = [
        _link("self", addresses.item(item.collection, item.id), _GEOJSON),
        _link("parent", addresses.collection(item.collection), _JSON),
        _link("collection", addresses.collection(item.collection), _JSON),
        _link("root", f"{addresses.stac}/", _JSON),
        *_present_given(document["links"], addresses, sees),
        *_link_tiles(item, addresses),
    ]
    properties = _present_sources(document["properties"], sees)
    return {**document, "properties": properties, "assets": assets, "links": links}


def present_collection(
    collection: StoredCollection, addresses: Addresses, *, with_owner: bool
) -> dict[str, Any]:
    """Return the STAC collection as the api shows it, with its links.

    Visitors without an account are not told the owner: it is the name of a person or a project.
    """
    document = collection.to_stac()
    if with_owner:
        document["skerry:owner"] = collection.owner
    own = addresses.collection(collection.id)
    links = [
        _link("self", own, _JSON),
        _link("parent", f"{addresses.stac}/", _JSON),
        _link("root", f"{addresses.stac}/", _JSON),
        _link("items", f"{own}/items", _GEOJSON),
        *document["links"],
    ]
    return {**document, "links": links}


def _present_given(
    links: list[dict[str, Any]], addresses: Addresses, sees: Sees
) -> list[dict[str, Any]]:
    presented = []
    for link in links:
        sibling = find_sibling(str(link["href"]))
        if sibling is None:
            presented.append(link)
        elif sees(*sibling):
            presented.append({**link, "href": addresses.item(*sibling)})
    return presented


def _present_sources(properties: dict[str, Any], sees: Sees) -> dict[str, Any]:
    if not properties.get(DERIVED_FROM):
        return properties
    sources = [source for source in properties[DERIVED_FROM] if sees(*_split_name(source))]
    return {**properties, DERIVED_FROM: sources}


def _split_name(source: str) -> tuple[str, str]:
    collection, _, item = source.partition("/")
    return collection, item


def _link_tiles(item: StoredItem, addresses: Addresses) -> list[dict[str, Any]]:
    variables: Mapping[str, Mapping[str, Any]] = item.document["properties"].get(VARIABLES) or {}
    links = []
    for name, about in variables.items():
        tiles = addresses.variable(item, name)
        title = str(about.get("long_name") or name)
        links.append(_link("xyz", f"{tiles}/{{z}}/{{x}}/{{y}}.png", "image/png", title=title))
        links.append(_link("tilejson", f"{tiles}/tilejson.json", _JSON, title=title))
    return links


def _link(rel: str, href: str, media_type: str, **more: str) -> dict[str, Any]:
    return {"rel": rel, "href": href, "type": media_type, **more}
