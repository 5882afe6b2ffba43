"""The items that a viewer can choose, read through the api as the viewer."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from skerry.client.session import Session, join_address
from skerry.core.errors import SkerryError
from skerry.dashboards.products import (
    Product,
    describe_product,
    read_data_time,
)

ITEMS_SHOWN = 100

_LATEST = 6
_BETWEEN_WORDS = "_-."
_SHORTEST_CUT = 4
_LARGEST_PICTURE = 400_000
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Selection:
    """The chosen item, and all that can be chosen.

    Attributes
    ----------
    collections
        Titles and identifiers of the collections that the viewer may see.
    items
        Labels and identifiers of the chosen collection's newest items.
    product
        The chosen item; None when there is none.
    collection
        The chosen collection; empty when there is none.
    """

    collections: dict[str, str]
    items: dict[str, str]
    product: Product | None
    collection: str = ""


def list_collections(session: Session) -> dict[str, str]:
    """Return titles and identifiers of the collections that the viewer may see."""
    answer = session.request("GET", "stac/collections")
    names = {entry["id"]: entry.get("title") or entry["id"] for entry in answer["collections"]}
    titles = list(names.values())
    return {
        title if titles.count(title) == 1 else f"{title} ({name})": name
        for name, title in names.items()
    }


def read_selection(session: Session, collection: str = "", item: str = "") -> Selection:
    """Ask the api for all that can be chosen, and for the chosen item.

    Parameters
    ----------
    session
        The viewer's session.
    collection, item
        The viewer's choice; without a collection, the newest item of all that can be drawn;
        without an item, the newest of the collection.
    """
    collections = list_collections(session)
    if not collection:
        newest = read_latest(session, ITEMS_SHOWN)
        first = next((product for product in newest if product.variables), None)
        first = first or next(iter(newest), None)
        if first is None:
            return Selection(collections=collections, items={}, product=None)
        collection, item = first.collection, first.item
    items = _list_items(session, collection)
    if not item and not items:
        return Selection(collections=collections, items={}, product=None, collection=collection)
    selected = item or next(iter(items.values()))
    product = read_product(session, collection, selected)
    if selected not in items.values():
        items[selected] = selected
    return Selection(collections=collections, items=items, product=product, collection=collection)


def read_product(session: Session, collection: str, item: str) -> Product:
    """Ask the api for one item."""
    path = join_address("stac", "collections", collection, "items", item)
    return describe_product(session.request("GET", path))


def read_latest(session: Session, count: int = _LATEST) -> list[Product]:
    """Ask the api for the items that were registered last in all collections the viewer may see."""
    answer = session.request("GET", "stac/search", params={"limit": count, "sortby": "-created"})
    return [describe_product(item) for item in answer["features"]]


def read_picture(session: Session, path: str) -> str:
    """Return a picture of the platform as a ``data:`` address.

    A picture that is missing or not small gives an empty string: the page then shows none.
    """
    try:
        picture = session.send("GET", path, headers={"Accept": "image/png"}).content
    except SkerryError:
        return ""
    if len(picture) > _LARGEST_PICTURE:
        return ""
    return f"data:image/png;base64,{b64encode(picture).decode()}"


def _list_items(session: Session, collection: str) -> dict[str, str]:
    answer = session.request(
        "GET",
        join_address("stac", "collections", collection, "items"),
        params={"limit": ITEMS_SHOWN},
    )
    items = sort_newest_first(answer["features"])
    names = shorten_names([str(item["id"]) for item in items])
    return {
        f"{_show_day(item)}  {name}": item["id"] for item, name in zip(items, names, strict=True)
    }


def sort_newest_first(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return STAC items by their data time, the newest first and those without a time last."""
    return sorted(items, key=lambda item: read_data_time(item) or _BEFORE_ALL, reverse=True)


def _show_day(item: Mapping[str, Any]) -> str:
    moment = read_data_time(item)
    return f"{moment:%Y-%m-%d}" if moment else ""


def shorten_names(names: Sequence[str]) -> list[str]:
    """Remove the words that all names begin with, so that a narrow list shows how they differ.

    A single name, or names with nothing in common, stay whole.
    """
    columns = enumerate(zip(*names, strict=False)) if len(names) > 1 else iter(())
    common = takewhile(lambda column: len(set(column[1])) == 1, columns)
    cut = max((at + 1 for at, letters in common if letters[0] in _BETWEEN_WORDS), default=0)
    return [f"…{name[cut:]}" if cut > _SHORTEST_CUT else name for name in names]
