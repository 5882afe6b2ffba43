"""Open a folder of COGs, a file for each variable, as the original product."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj.exceptions import CRSError

from skerry.core.errors import InvalidInputError
from skerry.products.coding.cf import PACKING, decode
from skerry.products.coding.codecs import parse_codec
from skerry.products.coding.json_values import TYPES, from_document, from_json
from skerry.products.cogs.writing import ITEM
from skerry.products.healing.canonical import assemble_tree
from skerry.products.stores.raster_files import RasterWindows, locate_raster
from skerry.products.stores.zarr_stores import Place
from skerry.storage.objects import check_key
from skerry.storage.outside import check_inside

MAX_ITEM_BYTES = 64 * 2**20
READ_PIXELS = 2048


def open_cog_set(place: Place, *, product_type: str | None = None) -> xr.DataTree:
    """Open a folder that `write_cog_set` made, lazily.

    Raises
    ------
    InvalidInputError
        If its item is damaged, too large, or was not made by `write_cog_set`.
    """
    label = place / ITEM
    if isinstance(place, Path):
        check_inside(place, place / ITEM)
    item = read_item(label)
    datasets: dict[str, xr.Dataset] = {}
    absent = []
    try:
        for path, attrs in item["skerry:groups"].items():
            datasets[path] = xr.Dataset(attrs=from_document(attrs))
        for asset in item["assets"].values():
            variable = check_key(asset["skerry:variable"])
            if isinstance(place, Path) and not (place / f"{variable}.tif").is_file():
                absent.append(variable)
                continue
            group, _, name = variable.rpartition("/")
            raster = _open_one(place, name, asset)
            dataset = datasets.get(f"/{group}", xr.Dataset())
            datasets[f"/{group}"] = dataset.assign_coords(raster.coords).assign({name: raster})
        left_out = [str(entry) for entry in item.get("skerry:left_out", [])]
        return assemble_tree(
            datasets, str(item["id"]), absent=absent, left_out=left_out, product_type=product_type
        )
    except (LookupError, TypeError, ValueError, AttributeError, CRSError) as error:
        raise InvalidInputError(
            f"{label} does not describe a set of COGs ({type(error).__name__}: {error}).",
            remedy="Give a folder that skerry convert --format cog made.",
        ) from error


def read_item(label: Place) -> dict[str, Any]:
    """Return the item of a set of COGs, as stored.

    Raises
    ------
    InvalidInputError
        If it is not JSON, or too large.
    """
    if not isinstance(label, Path):
        text = label.read_bytes(MAX_ITEM_BYTES)
    else:
        if label.stat().st_size > MAX_ITEM_BYTES:
            raise InvalidInputError(
                f"{label} has {label.stat().st_size} bytes, more than {MAX_ITEM_BYTES}.",
                remedy="Write the product again with less in its attributes.",
            )
        text = label.read_bytes()
    try:
        item: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{label} is not JSON ({error}).", remedy="Fetch the product again."
        ) from error
    return item


def _open_one(place: Place, name: str, asset: dict[str, Any]) -> xr.DataArray:
    where = f"{asset['skerry:variable']}.tif"
    at = place / where
    if isinstance(place, Path):
        check_inside(place, place / where)
    # GDAL takes a relative `http:/...` for an address.
    file = locate_raster(at.absolute() if isinstance(at, Path) else at, str(at))
    encoding = dict(asset["skerry:encoding"])
    grid = _read_grid(asset)
    bands = asset.get("skerry:bands")
    shape = (*([len(asset["raster:bands"])] if bands else []), *asset["proj:shape"])
    dims = (*([bands["dimension"]] if bands else []), "y", "x")
    numbers = RasterWindows(file, shape, np.dtype(encoding.pop("dtype")), "GTiff")
    attrs = {
        key: float("nan") if item == "nan" else item
        for key, item in encoding.items()
        if key in PACKING
    }
    own = from_json(asset["skerry:attributes"], asset["skerry:attributes"].pop(TYPES, {}))
    raw = xr.Variable(dims, _make_lazy(numbers), own | attrs)
    raw.encoding = {
        "grid_mapping": "spatial_ref",
        "chunks": tuple(encoding["chunks"]),
        "compressors": parse_codec(encoding["codec"]).to_configs(),
    }
    values = decode(raw)
    coords = dict(xr_coords(grid, crs_coord_name="spatial_ref", always_yx=True))
    if bands and "values" in bands:
        leading = np.asarray(bands["values"]).astype(bands["dtype"])
        coords[dims[0]] = xr.DataArray(
            leading, dims=dims[:1], attrs=from_document(bands["attributes"])
        )
    raster = xr.DataArray(values, coords=coords, name=name)
    raster.encoding = values.encoding  # which a new array drops
    return raster


def _read_grid(asset: Mapping[str, Any]) -> GeoBox:
    crs = asset.get("proj:code") or asset["proj:wkt2"]
    return GeoBox(tuple(asset["proj:shape"]), Affine(*asset["proj:transform"]), crs)


def _make_lazy(numbers: RasterWindows) -> Any:
    """Return a lazy array in blocks of whole stored blocks."""
    import dask.array as da
    from dask.base import tokenize

    path = Path(numbers.file.path)
    stamp = path.stat().st_mtime_ns if numbers.file.remote is None and path.exists() else 0
    chunks = (*numbers.shape[:-2], *(min(READ_PIXELS, item) for item in numbers.shape[-2:]))
    return da.from_array(  # type: ignore[no-untyped-call]
        numbers,
        chunks=chunks,
        name=f"cog-{tokenize(numbers.file.label, numbers.shape, stamp)}",
        meta=np.empty((0,) * numbers.ndim, numbers.dtype),
    )
