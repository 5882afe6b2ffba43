"""STAC items: a product's folder of files, described.

Hrefs are store keys relative to the objects root; the api turns them into addresses.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skerry.client.references import COG_PREFIX, PRODUCT_ASSET, ItemReference
from skerry.core.digests import digest_json, digest_part, list_digests
from skerry.core.settings import API_PREFIX
from skerry.core.time import format_time, utc_now
from skerry.core.version import VERSION
from skerry.products.stac_items import build_item

PRODUCT_FOLDER = "product.zarr"
MAP_FOLDER = "map.zarr"
MAP_ASSET = "map"
THUMBNAIL = "thumbnail.png"
COG_FOLDER = "cogs"

GEOZARR_TYPE = "application/vnd.zarr; version=3; profile=multiscales"
ZARR_TYPE = "application/vnd.zarr; version=3"
COG_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
SIMULATED_TITLE = "Simulated: "


def describe_item(
    folder: Path,
    prefix: str,
    *,
    reference: ItemReference,
    geometry: Mapping[str, Any],
    properties: Mapping[str, Any],
    source_digest: str | None = None,
    fields: Mapping[str, Mapping[str, Any]] | None = None,
    drawn_first: Sequence[str] = (),
    derived_from: Sequence[ItemReference] = (),
    url: str = "",
) -> dict[str, Any]:
    """Return the STAC 1.1 item of a finished product folder.

    Parameters
    ----------
    folder
        Holds ``product.zarr`` and, where they were made, ``map.zarr`` (what maps draw of a swath),
        ``thumbnail.png`` and ``cogs/``. Each file is read once, for all digests.
    prefix
        The folder's store key prefix, with a trailing slash.
    reference
        The item's names.
    geometry
        Footprint as GeoJSON in EPSG:4326.
    properties
        Further properties; must hold ``datetime``.
    source_digest
        For an import, the digest of the product that it was made of
        (``skerry:source_digest``). ``skerry:digest`` is always that of the folder's bytes.
    fields
        Asset name to its projection and raster fields, for ``cog-<variable>`` and ``map``.
    drawn_first
        Variables that maps list first, in their order.
    derived_from
        Items that this one was made of; ``skerry:derived_from`` keeps their names, which outlive
        the platform's present address in the links.
    url
        The platform's public address, for those links.
    """
    moment = format_time(utc_now())
    listing = list_digests(folder)
    assets = _describe_assets(folder, prefix, listing, fields or {})
    described = {
        **properties,
        "created": moment,
        "processing:datetime": moment,
        "processing:software": {"skerry": VERSION},
        "skerry:digest": digest_json(listing),
        "skerry:prefix": prefix,
        "skerry:derived_from": [str(source) for source in derived_from],
        "skerry:variables": list_layers(folder, drawn_first),
    }
    if source_digest is not None:
        described["skerry:source_digest"] = source_digest
    item = build_item(
        reference.item,
        described,
        geometry=geometry,
        assets=assets,
        links=[_link_source(url, source) for source in derived_from],
    )
    return {**item, "collection": reference.collection}


def list_layers(folder: Path, drawn_first: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Return ``skerry:variables`` of a product's folder: what maps draw, by name.

    Layers of ``map.zarr`` say so by ``asset``. Maps draw the first layer unless another is asked
    for: layers without a single value, such as sunlight at night, come last.
    """
    from skerry.products.pictures.drawable import find_drawable

    layers = find_drawable(folder / PRODUCT_FOLDER)
    if (folder / MAP_FOLDER).exists():
        layers = {
            name: {"asset": MAP_ASSET, **layer}
            for name, layer in find_drawable(folder / MAP_FOLDER).items()
        }
    names = list(drawn_first)

    def rank(name: str) -> tuple[bool, int]:
        empty = not {"display_min", "flag_values"} & set(layers[name])
        return empty, names.index(name) if name in names else len(names)

    return {name: layers[name] for name in sorted(layers, key=rank)}


def title_product(title: str, *, simulated: bool) -> str:
    """Return a title, with a mark when the data are simulated."""
    if not simulated or "simulated" in title.lower():
        return title
    return SIMULATED_TITLE + title


def _describe_assets(
    folder: Path,
    prefix: str,
    listing: Mapping[str, str],
    fields: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    on_map = (folder / MAP_FOLDER).exists()
    paths = {
        PRODUCT_ASSET: (
            PRODUCT_FOLDER,
            ZARR_TYPE if on_map else GEOZARR_TYPE,
            "data",
            "EOPF Zarr" if on_map else "GeoZarr",
        ),
        MAP_ASSET: (MAP_FOLDER, GEOZARR_TYPE, "visual", "What maps draw, on a grid"),
        **{
            name: (f"{COG_FOLDER}/{variable}.tif", COG_TYPE, "data", variable)
            for name in fields
            if (variable := name.removeprefix(COG_PREFIX)) != name
        },
        "thumbnail": (THUMBNAIL, "image/png", "thumbnail", "Quicklook"),
    }
    return {
        name: {
            "href": prefix + path,
            "type": media_type,
            "roles": [role],
            "title": title,
            "file:checksum": digest_part(listing, path),
            "file:size": _measure(folder / path),
            **fields.get(name, {}),
        }
        for name, (path, media_type, role, title) in paths.items()
        if (folder / path).exists()
    }


def _measure(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _link_source(url: str, reference: ItemReference) -> dict[str, str]:
    return {
        "rel": "derived_from",
        "href": f"{url}{API_PREFIX}/{reference.path}",
        "type": "application/geo+json",
        "title": str(reference),
    }
