"""Names of items: reads them in all accepted forms, and fetches their STAC items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from skerry.client.session import Session, join_address
from skerry.core.errors import InvalidInputError, NotFoundError, WithdrawnError
from skerry.core.ids import check_name
from skerry.core.settings import API_PREFIX

PRODUCT_ASSET = "product"
COG_PREFIX = "cog-"
_FILES = f"{API_PREFIX}/files/"


@dataclass(frozen=True)
class ItemReference:
    """The two names that make an item's address."""

    collection: str
    item: str

    @property
    def path(self) -> str:
        """The item's path below the api."""
        return join_address("stac", "collections", self.collection, "items", self.item)

    def __str__(self) -> str:
        return f"{self.collection}/{self.item}"


def parse_reference(reference: object) -> ItemReference:
    """Read an item's name.

    Parameters
    ----------
    reference
        ``"collection/item"``, a `pystac.Item`, or a STAC item as a dict.

    Raises
    ------
    InvalidInputError
        If it is none of these.
    """
    collection: object = None
    item: object = None
    if isinstance(reference, ItemReference):
        return reference
    if isinstance(reference, str):
        collection, _, item = reference.partition("/")
    elif isinstance(reference, Mapping):
        collection, item = reference.get("collection"), reference.get("id")
    else:
        collection = getattr(reference, "collection_id", None)
        item = getattr(reference, "id", None)
    if not (isinstance(collection, str) and isinstance(item, str) and collection and item):
        text = reference if isinstance(reference, str) else type(reference).__name__
        raise InvalidInputError(
            f"{text!r} names no item.",
            remedy="Give 'collection/item', an item that skerry.search found, or a path.",
        )
    return ItemReference(
        check_name(collection, what="collection id"), check_name(item, what="item id")
    )


def fetch_item(session: Session, reference: ItemReference) -> dict[str, Any]:
    """Return the item's STAC record as the api shows it.

    Raises
    ------
    NotFoundError
        If there is no such item, or it is not for this account.
    WithdrawnError
        If it was withdrawn; it says why.
    """
    item: dict[str, Any] = session.request("GET", reference.path)
    return item


def find_item(session: Session, reference: ItemReference) -> dict[str, Any] | None:
    """Return the item's STAC record, or None if there is none, or none any more."""
    try:
        return fetch_item(session, reference)
    except (NotFoundError, WithdrawnError):
        return None


def read_key(item: Mapping[str, Any], asset: str) -> str:
    """Return the store key behind one of an item's assets.

    Raises
    ------
    NotFoundError
        If the item has no such asset.
    InvalidInputError
        If the asset's address is not one of this platform's files.
    """
    described = item.get("assets", {}).get(asset)
    if described is None:
        present = ", ".join(sorted(item.get("assets", {}))) or "none"
        raise NotFoundError(
            f"Item {item.get('id')!r} has no asset {asset!r}; its assets: {present}.",
            remedy="Name one of them; 'skerry import --cog' adds COGs to what it imports.",
        )
    path = urlsplit(str(described["href"])).path
    if _FILES not in path:
        raise InvalidInputError(
            f"Asset {asset!r} of item {item.get('id')!r} is outside of the platform: "
            f"{described['href']}.",
            remedy="Import the product with 'skerry import' first.",
        )
    return unquote(path.partition(_FILES)[2]).rstrip("/")
