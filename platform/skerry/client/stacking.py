"""`skerry.stack`: several items' COGs as one lazy array over time, through stackstac.

stackstac 0.5.1 fails on items that have only ``proj:code`` and returns raw numbers when scale
and offset stand anywhere but in ``raster:bands``; both are handed over here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from skerry.client.grants import grant_reading
from skerry.client.inputs import record_input
from skerry.client.references import (
    COG_PREFIX,
    ItemReference,
    fetch_item,
    parse_reference,
    read_key,
)
from skerry.client.searching import read_geometry
from skerry.client.session import Session, connect
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.time import parse_time
from skerry.storage.granted import granting_together
from skerry.storage.remote import is_remote

if TYPE_CHECKING:
    import pystac
    import xarray as xr


def stack(
    items: Iterable[str | pystac.Item],
    *,
    assets: Sequence[str] | None = None,
    bounds: Sequence[float] | None = None,
    aoi: Any = None,
    resolution: float | None = None,
    epsg: int | None = None,
    chunksize: int = 1024,
    session: Session | None = None,
) -> xr.DataArray:
    """Stack items' COGs.

    Parameters
    ----------
    items
        Items from `skerry.search`, or ``"collection/item"`` names.
    assets
        Variables, such as ``["b04", "b08"]`` (their assets are ``cog-b04``, ...); all when None.
    bounds
        West, south, east, north in the stack's CRS.
    aoi
        GeoJSON, shapely geometry or GeoDataFrame in EPSG:4326 whose bounding box is read.
    resolution
        Pixel size in units of the CRS; the finest one present when None. Nearest neighbour.
    epsg
        The stack's CRS; the items' own when None, which they must then share.
    chunksize
        Chunk edge in pixels.
    session
        Another session than this process's own.

    Returns
    -------
    xarray.DataArray
        Lazy (Dask), float64, dims ``(time, band, y, x)``, physical units, nodata NaN, ``x`` and
        ``y`` at pixel centres, ``band`` without the ``cog-`` prefix, in the order of the items'
        times (of a period: its start). The graph holds paths or ``s3://`` addresses, and no token.

    Raises
    ------
    InvalidInputError
        If there are no items, or they share no CRS and `epsg` is not given.
    NotFoundError
        If an item has no COG of a variable.
    """
    import stackstac

    session = session or connect()
    references = [parse_reference(item) for item in items]
    if not references:
        raise InvalidInputError(
            "There are no items to stack.", remedy="Widen the search that should find them."
        )
    records = [fetch_item(session, reference) for reference in references]
    names = [COG_PREFIX + name for name in assets] if assets else _list_cogs(records)
    with granting_together():
        local = [
            _localise(session, reference, record, names)
            for reference, record in zip(references, records, strict=True)
        ]
    stacked: xr.DataArray = stackstac.stack(
        local,
        assets=names,
        epsg=epsg or _find_epsg(local),
        resolution=resolution,
        bounds=tuple(bounds) if bounds is not None else None,
        bounds_latlon=_bound_area(aoi) if aoi is not None else None,
        chunksize=chunksize,
        xy_coords="center",
        rescale=True,
        **_choose_reader(local),
    )
    bands = [str(name).removeprefix(COG_PREFIX) for name in stacked["band"].values]
    return stacked.assign_coords(band=bands)


def _localise(
    session: Session, reference: ItemReference, record: dict[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Return the item as stackstac wants it, its COGs as granted paths."""
    keys = {name: read_key(record, name) for name in names}
    grant = grant_reading(session, reference)
    record_input(session, record)
    properties = record["properties"]
    epsg = _read_epsg(properties)
    assets = {}
    for name, key in keys.items():
        described = record["assets"][name]
        assets[name] = {
            "href": str(grant.locate(key)),
            "type": described["type"],
            "proj:epsg": _read_epsg(described) or epsg,
            "proj:shape": described["proj:shape"],
            "proj:transform": described["proj:transform"],
            "raster:bands": described["raster:bands"],
        }
    plain = {name: properties[name] for name in ("platform", "title") if name in properties}
    return {
        "type": "Feature",
        "id": record["id"],
        "collection": reference.collection,
        "bbox": record["bbox"],
        "geometry": record["geometry"],
        "properties": {**plain, "datetime": _spell_time(record), "proj:epsg": epsg},
        "assets": assets,
    }


def _choose_reader(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how stackstac reads the items: files by its own way, buckets under their grants."""
    hrefs = [asset["href"] for item in items for asset in item["assets"].values()]
    if not any(is_remote(href) for href in hrefs):
        return {}
    from skerry.client.granted_rasters import GrantedReader

    return {"reader": GrantedReader}


def _spell_time(record: dict[str, Any]) -> str:
    """Return an item's time, or the start of its period, in UTC with six digits of a second.

    stackstac sorts items by the text of their times, has NaT for null, and takes no other zones
    beside UTC.
    """
    properties = record["properties"]
    text = properties.get("datetime") or properties.get("start_datetime")
    return parse_time(str(text)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read_epsg(fields: dict[str, Any]) -> int | None:
    code = fields.get("proj:code")
    if isinstance(code, str) and code.upper().startswith("EPSG:"):
        return int(code[5:])
    epsg = fields.get("proj:epsg")
    return int(epsg) if epsg is not None else None


def _list_cogs(records: list[dict[str, Any]]) -> list[str]:
    """Return the COG assets that every item has."""
    present = [
        [name for name in record["assets"] if name.startswith(COG_PREFIX)] for record in records
    ]
    shared = [name for name in present[0] if all(name in names for names in present)]
    if not shared:
        raise NotFoundError(
            f"The {len(records)} items have no COG in common.",
            remedy="Import their products with 'skerry import --cog'.",
        )
    return shared


def _find_epsg(items: list[dict[str, Any]]) -> int:
    codes = {asset["proj:epsg"] for item in items for asset in item["assets"].values()}
    if len(codes) != 1 or None in codes:
        raise InvalidInputError(
            f"The items do not share one CRS: EPSG {sorted(map(str, codes))}.",
            remedy="Say which one to use with epsg=.",
        )
    return int(codes.pop())


def _bound_area(aoi: Any) -> tuple[float, float, float, float]:
    from shapely.geometry import shape

    if hasattr(aoi, "to_crs"):
        aoi = aoi.to_crs(4326)
    west, south, east, north = shape(read_geometry(aoi)).bounds
    return west, south, east, north
