"""STAC items: a product's folder of files, described.

Hrefs are store keys relative to the objects root; the api turns them into addresses.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skerry.client.references import COG_PREFIX, PRODUCT_ASSET, ItemReference
from skerry.core.digests import digest_tree
from skerry.core.errors import InvalidInputError
from skerry.core.settings import API_PREFIX
from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION

PRODUCT_FOLDER = "product.zarr"
THUMBNAIL = "thumbnail.png"
COG_FOLDER = "cogs"

GEOZARR_TYPE = "application/vnd.zarr; version=3; profile=multiscales"
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
SIMULATED_TITLE = "Simulated: "

_SCHEMAS = "https://stac-extensions.github.io"
_EXTENSIONS = {
    "file:": f"{_SCHEMAS}/file/v2.1.0/schema.json",
    "processing:": f"{_SCHEMAS}/processing/v1.2.0/schema.json",
    "proj:": f"{_SCHEMAS}/projection/v2.0.0/schema.json",
    "raster:": f"{_SCHEMAS}/raster/v1.1.0/schema.json",
    "eo:": f"{_SCHEMAS}/eo/v1.1.0/schema.json",
    "sat:": f"{_SCHEMAS}/sat/v1.0.0/schema.json",
    "grid:": f"{_SCHEMAS}/grid/v1.1.0/schema.json",
    "product:": f"{_SCHEMAS}/product/v0.1.0/schema.json",
}
"""Prefix of a field to the schema that says what it means."""


def describe_item(
    folder: Path,
    prefix: str,
    *,
    item_id: str,
    collection: str,
    geometry: Mapping[str, Any],
    properties: Mapping[str, Any],
    digest: str,
    cogs: Mapping[str, Mapping[str, Any]] | None = None,
    derived_from: Sequence[ItemReference] = (),
    url: str = "",
) -> dict[str, Any]:
    """Return the STAC 1.1 item of a finished product folder.

    Parameters
    ----------
    folder
        Holds ``product.zarr`` and, where they were made, ``thumbnail.png`` and ``cogs/``.
    prefix
        The folder's store key prefix, with a trailing slash.
    item_id, collection
        The item's names.
    geometry
        Footprint as GeoJSON in EPSG:4326.
    properties
        Further properties; must hold ``datetime``.
    digest
        The whole-product digest: of the source for an import, of the bytes for a run's product.
    cogs
        Variable name to the projection and raster fields of ``cogs/<variable>.tif``.
    derived_from
        Items that this one was made of; ``skerry:derived_from`` keeps their names, which outlive
        the platform's present address in the links.
    url
        The platform's public address, for those links.
    """
    from skerry.products import find_drawable

    moment = format_time(utc_now())
    assets = _describe_assets(folder, prefix, cogs or {})
    fields = {"processing:", *properties, *(name for asset in assets.values() for name in asset)}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            schema
            for prefix, schema in _EXTENSIONS.items()
            if any(field.startswith(prefix) for field in fields)
        ],
        "id": item_id,
        "collection": collection,
        "geometry": dict(geometry),
        "bbox": bound_geometry(geometry),
        "properties": {
            **properties,
            "created": moment,
            "processing:datetime": moment,
            "processing:software": {"skerry": VERSION},
            "skerry:digest": digest,
            "skerry:prefix": prefix,
            "skerry:derived_from": [str(reference) for reference in derived_from],
            "skerry:variables": find_drawable(folder / PRODUCT_FOLDER),
        },
        "assets": assets,
        "links": [_link_source(url, reference) for reference in derived_from],
    }


def bound_geometry(geometry: Mapping[str, Any]) -> list[float]:
    """Return west, south, east, north of a GeoJSON geometry in degrees.

    West is greater than east when the parts meet at the antimeridian (RFC 7946, section 5.2).

    Raises
    ------
    InvalidInputError
        If it is empty.
    """
    from shapely.geometry import shape

    footprint = shape(dict(geometry))
    if footprint.is_empty:
        raise InvalidInputError(
            "The product has no valid pixel, so it has no footprint.",
            remedy="Check its masks and its nodata value.",
        )
    west, south, east, north = (float(number) for number in footprint.bounds)
    parts = [item.bounds for item in getattr(footprint, "geoms", [footprint])]
    if (west, east) == (-180.0, 180.0) and not any(part[0] < 0 < part[2] for part in parts):
        west = min(part[0] for part in parts if part[0] >= 0)
        east = max(part[2] for part in parts if part[2] <= 0)
    return [west, south, east, north]


def title_product(title: str, *, simulated: bool) -> str:
    """Return a title that says so when the data are simulated."""
    if not simulated or "simulated" in title.lower():
        return title
    return SIMULATED_TITLE + title


def _describe_assets(
    folder: Path, prefix: str, cogs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    assets: dict[str, dict[str, Any]] = {
        PRODUCT_ASSET: _describe_file(
            folder / PRODUCT_FOLDER,
            prefix + PRODUCT_FOLDER,
            GEOZARR_TYPE,
            role="data",
            title="GeoZarr",
        )
    }
    for variable, fields in cogs.items():
        name = f"{COG_FOLDER}/{variable}.tif"
        described = _describe_file(
            folder / name, prefix + name, COG_TYPE, role="data", title=variable
        )
        assets[COG_PREFIX + variable] = described | dict(fields)
    if (folder / THUMBNAIL).exists():
        assets["thumbnail"] = _describe_file(
            folder / THUMBNAIL, prefix + THUMBNAIL, "image/png", role="thumbnail", title="Quicklook"
        )
    return assets


def _describe_file(
    path: Path, key: str, media_type: str, *, role: str, title: str
) -> dict[str, Any]:
    """Describe one file, or a folder as a whole: its checksum covers names and contents."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {
        "href": key,
        "type": media_type,
        "roles": [role],
        "title": title,
        "file:checksum": digest_tree(path),
        "file:size": sum(file.stat().st_size for file in files),
    }


def _link_source(url: str, reference: ItemReference) -> dict[str, str]:
    return {
        "rel": "derived_from",
        "href": f"{url}{API_PREFIX}/{reference.path}",
        "type": "application/geo+json",
        "title": str(reference),
    }
