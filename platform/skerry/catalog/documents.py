"""Checks incoming STAC documents, and takes out of them what the catalogue needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skerry.catalog.properties import check_properties
from skerry.catalog.spacetime import Box, Span, read_geometry, read_span, split_bbox
from skerry.core.digests import is_digest
from skerry.core.errors import InvalidInputError
from skerry.core.ids import check_name
from skerry.core.json_values import check_json
from skerry.core.settings import API_PREFIX
from skerry.storage.objects import check_key, check_prefix

_NAMES = r"([A-Za-z0-9_.-]+)/items/([A-Za-z0-9_.-]+)"
_SIBLING = re.compile(r"\.\./\.\./" + _NAMES)
_ADDRESS = re.compile(r"https?://[^/]+" + API_PREFIX + "/stac/collections/" + _NAMES)
_GIVEN_LINKS = frozenset({"derived_from", "via", "about", "cite-as", "license", "describedby"})
DIGEST = "skerry:digest"
"""Property with the digest of the item's bytes."""
SOURCE_DIGEST = "skerry:source_digest"
"""Property of an import with the digest of its source product."""
DERIVED_FROM = "skerry:derived_from"
"""Property that lists the items of this catalogue an item comes from: ``collection/item``."""
VARIABLES = "skerry:variables"
"""Property with the variables that maps can draw: name to description."""
# the catalogue's own properties: stored in columns, and added to a document when it is read
OWN_PROPERTIES = (
    "created", "updated", "skerry:status", "skerry:version", "skerry:reason",
    "skerry:bytes_deleted",
)  # fmt: skip


@dataclass(frozen=True)
class CheckedItem:
    """An item's document that the catalogue accepts.

    Attributes
    ----------
    document
        The item without the links and properties that the catalogue writes itself; asset hrefs
        are store keys.
    id, digest, prefix, span, boxes
        Values from the document; no boxes when it has no place on Earth.
    """

    document: dict[str, Any]
    id: str
    digest: str
    prefix: str
    span: Span
    boxes: list[Box]

    def move_to(self, home: str) -> "CheckedItem":
        """Return the item with its bytes at another prefix."""
        properties = {**self.document["properties"], "skerry:prefix": home}
        assets = {
            name: {**asset, "href": home[:-1] + asset["href"][len(self.prefix) - 1 :]}
            for name, asset in self.document["assets"].items()
        }
        document = {**self.document, "properties": properties, "assets": assets}
        return replace(self, document=document, prefix=home)


def check_item(item: Mapping[str, Any], collection: str) -> CheckedItem:
    """Check an item's document.

    Parameters
    ----------
    item
        A STAC 1.0 or 1.1 item with ``skerry:digest`` and ``skerry:prefix`` in its properties,
        ``skerry:source_digest`` too if it was made of one product from elsewhere, and
        asset hrefs that are store keys below that prefix.
    collection
        Its collection.

    Raises
    ------
    InvalidInputError
        Naming the first value that is wrong.
    """
    check_json(item, what="item")
    document = {**item, "collection": collection}
    if item.get("collection") not in (None, collection):
        raise InvalidInputError(
            f"The item says collection {item['collection']!r} but is sent to {collection!r}.",
            remedy="Make both the same.",
        )
    document.setdefault("stac_version", "1.1.0")
    document["links"] = _keep_links(document.get("links"))
    _validate("Item", document)
    properties = dict(document["properties"])
    check_properties(properties)
    _name_siblings(document["links"], properties.get(DERIVED_FROM) or [])
    for name in OWN_PROPERTIES:
        properties.pop(name, None)
    document["properties"] = properties
    if SOURCE_DIGEST in properties:
        _check_digest(properties, SOURCE_DIGEST)
    prefix = check_prefix(str(properties.get("skerry:prefix", "")))
    _check_assets(document["assets"], prefix)
    return CheckedItem(
        document=document,
        id=check_name(str(document["id"]), what="item id"),
        digest=_check_digest(properties, DIGEST),
        prefix=prefix,
        span=read_span(properties),
        boxes=_find_boxes(document),
    )


def check_collection(collection: Mapping[str, Any], identifier: str) -> tuple[dict[str, Any], bool]:
    """Check a collection's document; return it, and whether it is public.

    Raises
    ------
    InvalidInputError
        Naming the first value that is wrong.
    """
    check_name(identifier, what="collection id")
    check_json(collection, what="collection")
    if collection.get("id", identifier) != identifier:
        raise InvalidInputError(
            f"The collection says id {collection['id']!r} but is sent to {identifier!r}.",
            remedy="Make both the same.",
        )
    public = collection.get("skerry:public", False)
    if not isinstance(public, bool):
        raise InvalidInputError(
            f"skerry:public is {public!r}.", remedy="Write true or false; false when left out."
        )
    document = {**collection, "id": identifier, "type": "Collection"}
    document.setdefault("stac_version", "1.1.0")
    document.setdefault("license", "other")
    document.pop("skerry:public", None)
    document["links"] = _keep_links(document.get("links"))
    _validate("Collection", document)
    for bbox in document["extent"]["spatial"]["bbox"]:
        split_bbox(bbox)
    return document, public


def draft_collection(identifier: str, title: str) -> dict[str, Any]:
    """Return the document of a collection that has only a title."""
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": identifier,
        "title": title,
        "description": title,
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [["2015-06-23T00:00:00Z", None]]},
        },
        "links": [],
    }


def _name_siblings(links: list[dict[str, Any]], sources: list[str]) -> None:
    """Make addresses of our own items relative, because the platform's address may change."""
    for link in links:
        match = _ADDRESS.fullmatch(str(link["href"]))
        if match and f"{match[1]}/{match[2]}" in sources:
            link["href"] = f"../../{match[1]}/items/{match[2]}"


def find_sibling(href: str) -> tuple[str, str] | None:
    """Return collection and id of the item that a relative link names, None for another link.

    Items name the items they come from as ``../../<collection>/items/<item>``.
    """
    match = _SIBLING.fullmatch(href)
    return (match[1], match[2]) if match else None


def _validate(kind: str, document: Mapping[str, Any]) -> None:
    import stac_pydantic
    from pydantic import ValidationError

    try:
        getattr(stac_pydantic, kind).model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the document"
        raise InvalidInputError(
            f"This is not a STAC {kind.lower()}: {place}: {first['msg']} "
            f"(got {str(first.get('input'))[:140]!r}).",
            remedy="Mend it as the STAC 1.1 specification says.",
        ) from None
    except OverflowError:
        raise InvalidInputError(
            f"This is not a STAC {kind.lower()}: a time in {str(document)[:140]!r}... leaves the"
            " calendar in UTC.",
            remedy="Give times between the years 1 and 9999 in UTC.",
        ) from None


def _keep_links(links: Any) -> list[dict[str, Any]]:
    """Keep links about the data; the others depend on the server of the item."""
    if links is None:
        return []
    if not isinstance(links, list) or not all(isinstance(link, dict) for link in links):
        raise InvalidInputError("links is not a list of objects.", remedy="Send a list, or none.")
    own_links = [dict(link) for link in links if str(link.get("rel")) in _GIVEN_LINKS]
    for link in own_links:
        href = str(link.get("href", ""))
        if not href.startswith(("https://", "http://")) and find_sibling(href) is None:
            raise InvalidInputError(
                f"The link {link.get('rel')!r} has the address {href[:140]!r}.",
                remedy="Use an http or https address, or ../../<collection>/items/<item>.",
            )
    return own_links


def _check_assets(assets: Mapping[str, Any], prefix: str) -> None:
    if not assets:
        raise InvalidInputError("The item has no assets.", remedy="Name at least 'product'.")
    for name, asset in assets.items():
        href = check_key(str(asset.get("href", "")).removesuffix("/"))
        if not f"{href}/".startswith(prefix):
            raise InvalidInputError(
                f"The asset {name!r} has the key {href!r}, which is not below {prefix!r}.",
                remedy="Keep all of an item's assets below its skerry:prefix.",
            )


def _check_digest(properties: Mapping[str, Any], name: str) -> str:
    text = str(properties.get(name))
    if not is_digest(text):
        raise InvalidInputError(
            f"{name} is {text[:80]!r}.",
            remedy="Give a BLAKE3 multihash, as skerry.core.digests makes it.",
        )
    return text


def _find_boxes(document: Mapping[str, Any]) -> list[Box]:
    geometry = document.get("geometry")
    if geometry is None:
        return []
    area = read_geometry(geometry, what="item's geometry")
    parts = getattr(area, "geoms", [area])
    own = [split_bbox(part.bounds)[0] for part in parts]
    bbox = split_bbox(document["bbox"])
    if len(bbox) == 2:  # noqa: PLR2004
        _check_cut(own, east_side=bbox[0], west_side=bbox[1])
    # a bbox that is too small would hide the item from searches; the geometry decides
    if len(bbox) == 2 and len(own) > 1:  # noqa: PLR2004  (both sides of the antimeridian)
        east = [item for item in own if item[0] >= 0]
        west = [item for item in own if item[0] < 0]
        return [_hull(side) for side in (east, west) if side]
    return [_hull(own)]


def _check_cut(parts: list[Box], *, east_side: Box, west_side: Box) -> None:
    """Refuse a geometry that goes the long way round, while its bbox crosses the antimeridian.

    Searches would find it at every longitude but those where the data are.
    """
    for west, _, east, _ in parts:
        if west <= west_side[2] and east >= east_side[0]:
            raise InvalidInputError(
                f"The item's geometry reaches from longitude {west:g} to {east:g}, its bbox from"
                f" {east_side[0]:g} across the antimeridian to {west_side[2]:g}.",
                remedy="Cut the geometry in two at the antimeridian (RFC 7946, section 3.1.9).",
            )


def _hull(boxes: list[Box]) -> Box:
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return min(wests), min(souths), max(easts), max(norths)
