"""STAC items: their form, and the schemas that define the fields of each prefix."""

from collections.abc import Mapping, Sequence
from typing import Any

from skerry.products.outlines import bound_geometry

STAC_VERSION = "1.1.0"

_ROOT = "https://stac-extensions.github.io"
SCHEMAS = {
    "eopf": f"{_ROOT}/eopf/v1.2.0/schema.json",
    "file": f"{_ROOT}/file/v2.1.0/schema.json",
    "eo": f"{_ROOT}/eo/v2.0.0/schema.json",
    "raster": f"{_ROOT}/raster/v2.0.0/schema.json",
    "sat": f"{_ROOT}/sat/v1.1.0/schema.json",
    "view": f"{_ROOT}/view/v1.1.0/schema.json",
    "sci": f"{_ROOT}/scientific/v1.0.0/schema.json",
    "processing": f"{_ROOT}/processing/v1.2.0/schema.json",
    "product": f"{_ROOT}/product/v1.0.0/schema.json",
    "proj": f"{_ROOT}/projection/v2.0.0/schema.json",
    "grid": f"{_ROOT}/grid/v1.1.0/schema.json",
    "sar": f"{_ROOT}/sar/v1.2.0/schema.json",
}
"""Prefix of fields to the schema that defines them."""
RASTER_BANDS = f"{_ROOT}/raster/v1.1.0/schema.json"
"""The last raster extension that has ``raster:bands``, which clients before STAC 1.1 read."""


def build_item(
    identifier: str,
    properties: Mapping[str, Any],
    *,
    geometry: Mapping[str, Any] | None,
    bbox: Sequence[float] | None = None,
    assets: Mapping[str, Mapping[str, Any]] | None = None,
    links: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return an item, with the extensions that it uses.

    Parameters
    ----------
    identifier
        Its id.
    properties
        They hold ``datetime``.
    geometry
        Footprint as GeoJSON in degrees; None if it has no place on Earth.
    bbox
        West, south, east, north in degrees, if it is known already.
    assets, links
        Its files, and where it comes from.

    Raises
    ------
    InvalidInputError
        If the geometry is empty.
    """
    assets = assets or {}
    place: dict[str, Any] = {"geometry": geometry}
    if geometry is not None:
        place["bbox"] = list(bbox or bound_geometry(geometry))
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list_schemas(properties, *assets.values()),
        "id": identifier,
        **place,
        "properties": dict(properties),
        "links": [dict(link) for link in links],
        "assets": dict(assets),
    }


def list_schemas(*places: Mapping[str, Any]) -> list[str]:
    """Return the schemas that properties and assets of an item use."""
    keys = {key for place in places for key in place}
    used = {key.partition(":")[0] for key in keys if ":" in key}
    urls = [url for prefix, url in SCHEMAS.items() if prefix in used]
    if "raster:bands" in keys:
        urls[urls.index(SCHEMAS["raster"])] = RASTER_BANDS
    return urls


def is_listed(prefix: str, item: Mapping[str, Any]) -> bool:
    """Tell whether an item lists the extension of a prefix, in any version."""
    name = SCHEMAS[prefix].removeprefix(_ROOT).split("/")[1]
    return any(f"/{name}/" in str(entry) for entry in item.get("stac_extensions") or [])
