"""Checks of the STAC item that a product carries: STAC 1.1.0 and its extensions."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.time import parse_time
from skerry.products.stac_items import SCHEMAS, is_listed
from skerry.validation.profiles import old_names
from skerry.validation.registry import check
from skerry.validation.subject import (
    Subject,
    discovery_with,
    is_number,
    the_discovery,
)

NEARLY_DEGREES = 1e-3
"""How far a bbox may differ from its geometry: some products round one and not the other."""
HALF_TURN = 180.0
OLD_NAMES = {
    "instrument": "instruments",
    "provider": "providers",
    "eo:bands": "bands",
    "raster:bands": "bands",
    "product:timeline": "product:timeliness_category",
}
"""Old attribute names to the current names."""
PRODUCT_TYPE = re.compile(r"S0[1-6][A-Z0-9]{3,6}")


def _eopf(subject: Subject) -> Iterator[tuple[str, Subject]]:
    if subject.is_eopf:
        yield "stac_discovery", subject


def _period(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    if {"start_datetime", "end_datetime"} & set(subject.properties):
        yield "stac_discovery/properties", subject.properties


def _properties(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    if subject.properties:
        yield "stac_discovery/properties", subject.properties


def _with_geometry(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    item = subject.discovery or {}
    if _is_box(item.get("bbox")) and isinstance(item.get("geometry"), dict):
        yield "stac_discovery/bbox", item


def _codes(subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give all attributes that name a system by a code."""
    places = [("stac_discovery/properties", subject.properties), *subject.groups.items()]
    places += [(path, item.attrs) for path, item in subject.arrays.items()]
    for place, attrs in places:
        if {"proj:code", "proj:epsg"} & set(attrs):
            yield place, attrs


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) in (4, 6) and all(is_number(item) for item in value)
    )


def _flat(box: list[Any]) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a bbox, with or without heights."""
    half = len(box) // 2
    return float(box[0]), float(box[1]), float(box[half]), float(box[half + 1])


@check(
    "stac.item",
    of=_eopf,
    remedy="Write the root attribute stac_discovery: a STAC item with type, id and properties.",
)
def item_is_there(subject: Subject, _: Subject) -> str | None:
    """An EOPF product carries a STAC item."""
    item = subject.discovery
    if item is None:
        return "is not there"
    absent = [
        key
        for key in ("type", "id", "stac_version", "geometry", "bbox", "properties")
        if not item.get(key)
    ]
    if absent:
        return f"has no {', '.join(absent)}"
    if not str(item["stac_version"]).startswith("1."):
        return f"is of STAC {item['stac_version']!r}"
    return None if item["type"] == "Feature" else f"has the type {item['type']!r}"


@check(
    "stac.bbox",
    of=discovery_with("bbox"),
    remedy="Write [west, south, east, north] in degrees.",
)
def bbox_is_ordered(box: Any, subject: Subject) -> str | None:
    """The bbox is west, south, east, north."""
    if not _is_box(box):
        return f"is {box!r}"
    west, south, east, north = _flat(box)
    if south > north:
        return f"is {box}: its south is greater than its north"
    if not (south >= -90 and north <= 90 and all(-180 <= item <= 180 for item in (west, east))):  # noqa: PLR2004
        return f"is {box}: not on the Earth"
    # West beyond east is right only if the outline crosses the antimeridian.
    outline = _outline(subject.discovery or {})
    if west > east and (outline is None or outline[2] - outline[0] < HALF_TURN):
        return f"is {box}: its west is greater than its east"
    return None


@check(
    "stac.bbox-geometry",
    of=_with_geometry,
    remedy="Calculate the bbox from the geometry.",
)
def bbox_frames_geometry(item: dict[str, Any], _: Subject) -> str | None:
    """The bbox is the bounding box of the geometry."""
    outline = _outline(item)
    if outline is None or outline[2] - outline[0] >= HALF_TURN:
        return None
    west, south, east, north = _flat(item["bbox"])
    box = (min(west, east), min(south, north), max(west, east), max(south, north))
    off = max(abs(entry - other) for entry, other in zip(box, outline, strict=True))
    return (
        None
        if off <= NEARLY_DEGREES
        else f"is {item['bbox']}, but the geometry goes from {outline}"
    )


def _outline(item: dict[str, Any]) -> tuple[float, float, float, float] | None:
    from shapely.errors import GEOSException
    from shapely.geometry import shape

    try:
        return tuple(shape(item["geometry"]).bounds)  # type: ignore[return-value]
    except (GEOSException, KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None


@check(
    "stac.geometry",
    of=discovery_with("geometry"),
    remedy="Write a closed GeoJSON polygon (RFC 7946) in degrees that does not cross itself.",
)
def geometry_is_valid(geometry: Any, _: Subject) -> str | None:
    """The geometry is a valid GeoJSON polygon on the Earth."""
    from shapely.geometry import shape
    from shapely.validation import explain_validity

    if not isinstance(geometry, dict) or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        kind = geometry.get("type") if isinstance(geometry, dict) else geometry
        return f"is {kind!r}, no polygon"
    many = geometry["type"] == "MultiPolygon"
    for polygon in geometry["coordinates"] if many else [geometry["coordinates"]]:
        if any(list(ring[0]) != list(ring[-1]) for ring in polygon):
            return "has a ring that is not closed"
    outline = shape(geometry)
    if not outline.is_valid:
        return f"is not valid: {explain_validity(outline)}"
    west, south, east, north = outline.bounds
    fine = west >= -180 and east <= 180 and south >= -90 and north <= 90  # noqa: PLR2004
    return None if fine else f"goes from {outline.bounds}, not on the Earth"


@check(
    "stac.datetime",
    of=_properties,
    remedy="Write the sensing time as 2026-05-01T10:30:00Z.",
)
def datetime_is_an_instant(properties: dict[str, Any], _: Subject) -> str | None:
    """The property datetime is a time with a time zone."""
    if "datetime" not in properties:
        return "has no datetime"
    return _fault_of_time(properties["datetime"])


@check(
    "stac.period",
    of=_period,
    remedy="Write start_datetime and end_datetime, the earlier one first, datetime between them.",
)
def period_is_ordered(properties: dict[str, Any], _: Subject) -> str | None:
    """Start and end are both given and in order, and datetime is between them."""
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    for name, item in (("start_datetime", start), ("end_datetime", end)):
        fault = _fault_of_time(item)
        if fault:
            return f"{name} {fault}"
    first, last = _read_time(start), _read_time(end)
    if first > last:
        return f"starts at {start} and ends at {end}"
    moment = properties.get("datetime")
    if _fault_of_time(moment) is None and not first <= _read_time(moment) <= last:
        return f"has the datetime {moment} outside of {start} to {end}"
    return None


def _fault_of_time(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {value!r}"
    try:
        _read_time(value)
    except InvalidInputError:
        return f"is {value!r}, which is not an RFC 3339 time"
    return None


def _read_time(text: Any) -> datetime:
    return parse_time(str(text))


@check(
    "stac.projection",
    of=_codes,
    remedy="Write proj:code, such as EPSG:32633 (projection extension 2.0), beside proj:epsg.",
)
def code_is_todays(attrs: dict[str, Any], subject: Subject) -> str | None:
    """Coordinate reference systems are named by proj:code, not by the old proj:epsg alone."""
    if "proj:code" in attrs or "proj:epsg" in old_names(subject):
        return None
    return f"has proj:epsg {attrs['proj:epsg']} and no proj:code"


@check(
    "stac.names",
    of=_properties,
    remedy="Rename: " + ", ".join(f"{old} → {new}" for old, new in OLD_NAMES.items()) + ".",
)
def names_are_todays(properties: dict[str, Any], subject: Subject) -> str | None:
    """Properties have the names of STAC 1.1, not older ones."""
    old = [key for key in OLD_NAMES if key in properties and key not in old_names(subject)]
    return f"has {', '.join(old)}" if old else None


@check(
    "stac.extensions",
    of=the_discovery,
    remedy="List the extension's schema in stac_extensions.",
)
def extensions_are_listed(item: dict[str, Any], subject: Subject) -> str | None:
    """Every extension whose properties are used is listed."""
    assets = item.get("assets")
    places = [subject.properties, *(assets.values() if isinstance(assets, dict) else ())]
    used = {
        key.partition(":")[0]
        for place in places
        if isinstance(place, dict)
        for key in place
        if ":" in key
    }
    if any("proj:epsg" in place for place in places if isinstance(place, dict)):
        # pystac removes the old name from items that list the extension, so producers that need
        # the name for older clients leave the extension out.
        used.discard("proj")
    absent = [entry for entry in SCHEMAS if entry in used and not is_listed(entry, item)]
    return f"uses {', '.join(f'{entry}:' for entry in absent)}, not listed" if absent else None


@check(
    "stac.cloud-cover",
    of=discovery_with("eo:cloud_cover", "eo:snow_cover"),
    remedy="Write per cent, 0 to 100.",
)
def cover_is_per_cent(value: Any, _: Subject) -> str | None:
    """Cloud and snow cover are per cent."""
    return None if is_number(value) and 0 <= float(value) <= 100 else f"is {value!r}"  # noqa: PLR2004


@check(
    "stac.product-type",
    of=discovery_with("product:type"),
    remedy="Write the EOPF type, such as S02MSIL2A.",
)
def type_is_known(kind: Any, _: Subject) -> str | None:
    """The product type is an EOPF type."""
    return None if PRODUCT_TYPE.fullmatch(str(kind)) else f"is {kind!r}"
