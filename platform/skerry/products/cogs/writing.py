"""Write a product as a folder of COGs, a file for each variable, with a STAC item for all.

``item.json`` is an ordinary STAC item for any client; what a GeoTIFF cannot hold (group,
attributes, packing to the last digit, type of booleans) stands in its ``skerry:`` fields, by
which the folder opens again as the product it was.
"""

import json
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress, ignore_progress
from skerry.products.coding.cf import PACKING, encode, list_reserved
from skerry.products.coding.codecs import Codec
from skerry.products.coding.json_values import set_apart, to_document, to_json
from skerry.products.cogs.cog import BLOCK, USUAL, Options, describe_band, make_cog
from skerry.products.filling.layout import Wishes
from skerry.products.grids import grid_of, north_up, refuse_swaths
from skerry.products.outlines import outline_grid
from skerry.products.stac_items import build_item
from skerry.storage.writing import make_aside

ITEM = "item.json"
TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"


def write_cog_set(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunk: int | None = None,
    codec: Codec | str | None = None,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> list[str]:
    """Write a product as a folder of COGs and an item.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset. Variables ``(y, x)`` and
        ``(band, y, x)`` on a grid are written, ``<group>/<variable>.tif``.
    path
        The folder to make; it appears under its name only when complete.
    chunk
        Edge of a block in pixels, a multiple of 16; by default each variable's own where it is
        square and such a multiple, else 512.
    codec
        Compression (``zlib:6``, ``zstd:9``, ``none``); by default each variable's own where a
        GeoTIFF has it, else ``zlib:6``.
    progress
        Called with the completed fraction and the variable that was written.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses.

    Returns
    -------
    list of str
        Paths of variables that are left out, as they are not rasters (angles, tie points, tables).

    Raises
    ------
    ConflictError
        If `path` exists, or another writer makes it meanwhile.
    InvalidInputError
        If there is no raster (a swath), or GeoTIFF has no such codec or block.
    """
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    refuse_swaths(tree, "COG")
    wishes = Wishes.of(chunk, None, codec)
    if wishes.codec is not None:
        wishes.codec.to_geotiff()
    rasters, left_out = _split(tree)
    if not rasters:
        raise InvalidInputError(
            f"{tree.name or path} holds no raster with pixels, so that there is no COG to write.",
            remedy="Write NetCDF or EOPF Zarr.",
        )
    report = _Report(progress or ignore_progress, sum(item.size for item in rasters.values()))
    keys = _name_assets(list(rasters))
    with make_aside(Path(path)) as aside:
        folder = aside.absolute()  # GDAL takes a relative `http:/...` for an address
        assets = {}
        for where, raster in rasters.items():
            options = Options(
                wishes.chunk if isinstance(wishes.chunk, int) else _choose_block(raster),
                wishes.choose_codec(raster.encoding, USUAL, Codec.to_geotiff),
                memory_bytes,
                report.of(where, int(raster.size)),
            )
            assets[keys[where]] = _write_raster(folder, where, raster, options)
            report.done += int(raster.size)
        item = _describe(tree, rasters, assets, left_out)
        text = json.dumps(item, indent=1, allow_nan=False)
        (folder / ITEM).write_text(text, encoding="utf-8")
    return left_out


def _split(tree: xr.DataTree) -> tuple[dict[str, xr.DataArray], list[str]]:
    """Return rasters by path, and the paths of all other variables and coordinates."""
    rasters: dict[str, xr.DataArray] = {}
    left_out = []
    for node in tree.subtree:
        data = north_up(node.to_dataset(inherit=True))
        grid = grid_of(data)
        leading = set()
        for name, item in data.data_vars.items():
            label = f"{node.path.strip('/')}/{name}".lstrip("/")
            raster = grid is not None and item.dims[-2:] == ("y", "x") and item.ndim <= 3  # noqa: PLR2004 -- band, y, x
            if raster and item.size and item.dtype.kind in "iufb" and item.dtype != np.float16:
                rasters[label] = item
                leading |= set(item.dims[:-2])
            else:
                left_out.append(label)
        coordinates = {"x", "y", "spatial_ref", *leading} if grid is not None else set()
        own = node.to_dataset(inherit=False).coords
        left_out += [
            f"{node.path.strip('/')}/{item}".lstrip("/") for item in own if item not in coordinates
        ]
    return rasters, left_out


def _name_assets(paths: list[str]) -> dict[str, str]:
    """Return an asset name for each path: as much of its end as tells it from the others.

    Where there are several groups, the last one's name is always part of it; a measurement has
    the shorter name (``r20m-b05``) and a mask of the same name the longer one.
    """
    least = 1 if len({item.rpartition("/")[0] for item in paths}) == 1 else 2
    names = {}
    for path in paths:
        parts = path.split("/")
        measured = [item for item in paths if item.startswith("measurements/")]
        rivals = measured if path in measured else paths
        for count in range(min(least, len(parts)), len(parts) + 1):
            names[path] = "-".join(parts[-count:])
            if Tally("-".join(rival.split("/")[-count:]) for rival in rivals)[names[path]] == 1:
                break
    return names


@dataclass
class _Report:
    """Tells how much of all rasters is written."""

    tell: Progress
    total: int
    done: int = 0

    def of(self, where: str, size: int) -> Progress:
        """Return what is told of the raster being written, which has so many pixels."""
        return lambda share, _: self.tell((self.done + share * size) / self.total, where)


def _write_raster(
    folder: Path, where: str, raster: xr.DataArray, options: Options
) -> dict[str, Any]:
    """Write one COG and return its asset."""
    target = folder / f"{where}.tif"
    target.parent.mkdir(parents=True, exist_ok=True)
    on_disk = encode(str(raster.name), raster.variable)
    make_cog(raster, target, options)
    grid = grid_of(raster)
    assert grid is not None  # noqa: S101 -- `_split` asked
    bands = raster.shape[0] if raster.ndim > 2 else 1  # noqa: PLR2004 -- band, y, x
    packing = {key: on_disk.attrs[key] for key in PACKING if key in on_disk.attrs}
    stored = {
        "dtype": "bool" if raster.dtype == bool else on_disk.dtype.name,
        "chunks": [1] * (raster.ndim - 2) + [options.block, options.block],
        "codec": str(options.codec),
    }
    asset: dict[str, Any] = {
        "href": f"./{where}.tif", "type": TYPE, "roles": ["data"],
        "title": str(raster.attrs.get("long_name", raster.name)),
        **_describe_grid(grid),
        "raster:bands": [describe_band(target, raster)] * bands,
        "skerry:variable": where,
        "skerry:attributes": to_document(set_apart(raster.attrs, list_reserved(raster.variable))),
        "skerry:encoding": _spell(packing | stored),
    }  # fmt: skip
    if raster.ndim > 2:  # noqa: PLR2004 -- band, y, x
        asset["skerry:bands"] = _describe_leading(raster)
    return asset


def _spell(encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers as JSON has them; NaN as text."""
    return {
        key: "nan" if item == "NaN" else item for key, item in to_json(dict(encoding))[0].items()
    }


def _describe_leading(raster: xr.DataArray) -> dict[str, Any]:
    name = str(raster.dims[0])
    facts: dict[str, Any] = {"dimension": name}
    if name in raster.coords:
        coordinate = raster[name]
        values = coordinate.to_numpy()
        text = values.astype(str) if values.dtype.kind in "MmO" else values
        facts |= {
            "dtype": values.dtype.str if values.dtype.kind != "O" else "str",
            "values": text.tolist(), "attributes": to_document(set_apart(coordinate.attrs, ())),
        }  # fmt: skip
    return facts


def _describe_grid(grid: GeoBox) -> dict[str, Any]:
    crs = grid.crs
    code = ":".join(map(str, crs.authority)) if crs is not None and crs.authority[0] else None
    box = grid.boundingbox
    facts: dict[str, Any] = {
        "proj:code": code,
        "proj:shape": [int(grid.shape.y), int(grid.shape.x)],
        "proj:transform": [float(item) for item in grid.affine[:6]],
        "proj:bbox": [box.left, box.bottom, box.right, box.top],
    }
    if crs is not None and crs.epsg is not None:
        facts["proj:epsg"] = int(crs.epsg)  # for clients before STAC 1.1
    if code is None and crs is not None:
        facts["proj:wkt2"] = crs.proj.to_wkt()
    return facts


def _choose_block(raster: xr.DataArray) -> int:
    own = raster.encoding.get("chunks") or ()
    edge = int(own[-1]) if own else BLOCK
    return edge if own and own[-1] == own[-2] and edge % 16 == 0 and edge > 0 else BLOCK


def _describe(
    tree: xr.DataTree,
    rasters: Mapping[str, xr.DataArray],
    assets: dict[str, Any],
    left_out: list[str],
) -> dict[str, Any]:
    """Return the STAC item."""
    item = tree.attrs.get("stac_discovery")
    discovery: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
    finest = min(
        (grid for raster in rasters.values() if (grid := grid_of(raster)) is not None),
        key=lambda entry: abs(entry.affine.a),
    )
    geometry, bbox = outline_grid(finest)
    earlier = discovery.get("properties")
    properties = {"datetime": None, **(earlier if isinstance(earlier, Mapping) else {})}
    properties.setdefault("title", str(tree.attrs.get("title", tree.name or "")))
    for key in ("proj:code", "proj:shape", "proj:transform", "proj:bbox"):
        properties.pop(key, None)  # each asset has its own values
    nodes = {node.path: to_document(set_apart(node.attrs, ())) for node in tree.subtree}
    described = build_item(
        discovery.get("id") or tree.name or "product",
        properties,
        geometry=discovery.get("geometry") or geometry,
        bbox=discovery.get("bbox") or bbox,
        assets=assets,
    )
    listed = [*(discovery.get("stac_extensions") or []), *described["stac_extensions"]]
    # From items that list the projection extension pystac takes proj:epsg away, without which
    # stackstac does not find the grid.
    described["stac_extensions"] = [
        entry for entry in dict.fromkeys(listed) if "/projection/" not in entry
    ]
    # The item is for any client: NaN in its properties is text there, and itself in the groups.
    item, _ = to_json({**described, "skerry:groups": nodes, "skerry:left_out": left_out})
    return item
