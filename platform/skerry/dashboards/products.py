"""An item as the pages show it: its facts, what maps can draw of it, and its addresses."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from skerry.core.errors import InvalidInputError
from skerry.core.ids import check_name
from skerry.core.settings import API_PREFIX, DASHBOARDS_PREFIX, MAPS_PREFIX
from skerry.core.time import parse_time
from skerry.dashboards.board import show_time
from skerry.products.coding.true_colour import TRUE_COLOUR, list_drawn

WORLD = (-180.0, -85.0, 180.0, 85.0)
"""The place of a product without a place."""

_MISSING_SHOWN = 3
_TITLES = {TRUE_COLOUR: {"long_name": "True colour"}}


@dataclass(frozen=True)
class Variable:
    """A variable of an item that maps can draw.

    Attributes
    ----------
    name
        The key in the item's ``skerry:variables``.
    title
        Title for people: the long name, else the name.
    units
        Units; empty when it has none.
    """

    name: str
    title: str
    units: str


@dataclass(frozen=True)
class Product:
    """An item as the pages show it.

    Attributes
    ----------
    bbox
        West, south, east, north in degrees.
    simulated
        Whether its content is simulated; every title then says so.
    facts
        Names and values for the metadata panel.
    thumbnail
        Path of a small picture below the api; empty when there is none.
    """

    collection: str
    item: str
    title: str
    simulated: bool
    status: str
    bbox: tuple[float, float, float, float]
    variables: tuple[Variable, ...]
    facts: tuple[tuple[str, str], ...] = field(repr=False)
    thumbnail: str = ""

    @property
    def address(self) -> str:
        """Link to this product's map page."""
        return link_map(self.collection, self.item)

    def find_variable(self, name: str) -> Variable | None:
        """Return the variable called `name`; None when there is none."""
        return next((variable for variable in self.variables if variable.name == name), None)


def parse_item_name(text: str) -> tuple[str, str]:
    """Split ``collection/item`` as the map's address carries it.

    Raises
    ------
    InvalidInputError
        If it is anything else.
    """
    collection, slash, item = text.partition("/")
    if not slash:
        raise InvalidInputError(
            f"{text[:140]!r} names no item.", remedy="Write it as collection/item."
        )
    return check_name(collection, what="collection id"), check_name(item, what="item id")


def link_map(collection: str, item: str, variable: str = "") -> str:
    """Return the permanent address of the map of one item."""
    address = f"{DASHBOARDS_PREFIX}/map?item={quote(collection)}/{quote(item)}"
    return f"{address}&variable={quote(variable)}" if variable else address


def link_export(collection: str, item: str, variable: str) -> str:
    """Return the address from which one variable of an item can be downloaded as a COG."""
    return f"{DASHBOARDS_PREFIX}/export/{quote(collection)}/{quote(item)}/{quote(variable)}.tif"


def link_tiles(collection: str, item: str, variable: str) -> str:
    """Return the tiles' address below the maps program, without the last parts."""
    return f"{MAPS_PREFIX}/tiles/{quote(collection)}/{quote(item)}/{quote(variable)}"


def describe_product(item: Mapping[str, Any]) -> Product:
    """Return a STAC item's facts for the pages; wrong values of an odd item are left out."""
    properties = read_properties(item)
    return Product(
        collection=str(item["collection"]),
        item=str(item["id"]),
        title=_read_text(properties.get("title")) or str(item["id"]),
        simulated=bool(properties.get("skerry:simulated")),
        status=_read_text(properties.get("skerry:status")),
        bbox=_read_bbox(item.get("bbox")) or WORLD,
        variables=tuple(_list_variables(properties.get("skerry:variables"))),
        facts=tuple(_list_facts(item)),
        thumbnail=_find_thumbnail(item),
    )


def _list_variables(described: Any) -> Iterator[Variable]:
    """Yield the variables that can be drawn, true colour first where the item has the bands."""
    entries = _read_mapping(described)
    for name in list_drawn(entries):
        mapping = _read_mapping(entries.get(name)) or _TITLES.get(name, {})
        title = _read_text(mapping.get("long_name")) or name
        yield Variable(
            name=name,
            title=_begin_with_capital(title),
            units=_read_text(mapping.get("units")),
        )


def _begin_with_capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _find_thumbnail(item: Mapping[str, Any]) -> str:
    asset = _read_mapping(_read_mapping(item.get("assets")).get("thumbnail"))
    try:
        path = urlsplit(_read_text(asset.get("href"))).path
    except ValueError:  # not a valid address
        return ""
    return path if path.startswith(f"{API_PREFIX}/files/") else ""


def read_properties(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties of an item, none if they are no mapping."""
    return _read_mapping(item.get("properties"))


def _read_text(value: Any) -> str:
    """Return text and numbers as text, an empty text for any other value."""
    return str(value) if isinstance(value, str | int | float) else ""


def _read_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping unchanged, an empty mapping for any other value."""
    return value if isinstance(value, Mapping) else {}


def _read_bbox(bbox: Any) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of four or six numbers (with heights), else None."""
    if not isinstance(bbox, Sequence) or len(bbox) not in (4, 6):
        return None
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in bbox):
        return None
    half = len(bbox) // 2  # GeoJSON: west, south, low, east, north, high
    return float(bbox[0]), float(bbox[1]), float(bbox[half]), float(bbox[half + 1])


def _list_facts(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    properties = read_properties(item)
    bbox = _read_bbox(item.get("bbox"))
    extent = "{:.3f}, {:.3f} to {:.3f}, {:.3f}".format(*bbox) if bbox else ""
    digest = _read_text(properties.get("skerry:digest"))
    instruments = properties.get("instruments")
    facts = [
        ("Collection", item["collection"]),
        ("Item", item["id"]),
        ("Data time", _show_instant(properties.get("datetime")) or _show_period(properties)),
        ("Status", _read_text(properties.get("skerry:status"))),
        ("Reason", _read_text(properties.get("skerry:reason"))),
        ("Files deleted", _show_instant(properties.get("skerry:bytes_deleted"))),
        ("Platform", _read_text(properties.get("platform"))),
        ("Instrument", _join(instruments if isinstance(instruments, list) else [])),
        ("Cloud cover", _show_cloud_cover(properties.get("eo:cloud_cover"))),
        ("Missing", _show_missing(properties.get("skerry:missing"))),
        ("Processing", _join([properties.get(f"processing:{k}") for k in ("level", "lineage")])),
        ("Coordinates", _read_text(properties.get("proj:code"))),
        ("Extent", extent),
        ("Published", _show_instant(properties.get("created"))),
        ("Digest", digest[4:20] + "…" if digest else ""),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _join(parts: list[Any]) -> str:
    return ", ".join(text for part in parts if (text := _read_text(part)))


def _show_cloud_cover(cover: Any) -> str:
    return f"{cover:.0f} %" if isinstance(cover, int | float) else ""


def _show_missing(parts: Any) -> str:
    """Name the first parts that a product lacks; a partial product may lack hundreds."""
    texts = (
        [text for part in parts if (text := _read_text(part))] if isinstance(parts, list) else []
    )
    more = len(texts) - _MISSING_SHOWN
    return ", ".join(texts[:_MISSING_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _show_instant(text: Any) -> str:
    """Return an instant of an item for people; as it is if it cannot be read."""
    if not isinstance(text, str):
        return ""
    try:
        return show_time(parse_time(text))
    except InvalidInputError:
        return text


def _show_period(properties: Mapping[str, Any]) -> str:
    ends = [_show_instant(properties.get(name)) for name in ("start_datetime", "end_datetime")]
    return " to ".join(end for end in ends if end)


def read_data_time(item: Mapping[str, Any]) -> datetime | None:
    """Return the data time of an item, or the start of its period; None if it has no valid time."""
    properties = read_properties(item)
    text = properties.get("datetime") or properties.get("start_datetime")
    try:
        return parse_time(str(text))
    except InvalidInputError:
        return None
