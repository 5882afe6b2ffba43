"""Write one variable as a cloud optimized GeoTIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.grids import grid_of, north_up
from skerry.products.packing import encode_values, packing_of
from skerry.products.pyramid import Rule, rule_for

BLOCK = 512
SAID = ("long_name", "comment", "source", "references")
"""Attributes that go along as the band's metadata, so that a GIS user can read them."""
STRIP_ROWS = 2048


def write_cog(
    variable: xr.DataArray,
    path: Path | str,
    *,
    nodata: float | None = None,
    scale: float | None = None,
    offset: float | None = None,
    description: str = "",
) -> None:
    """Write a cloud optimized GeoTIFF with overviews.

    Parameters
    ----------
    variable
        ``(y, x)`` with coordinates of pixel centres and a ``spatial_ref``. Values that were read
        from packed integers are packed again the same way; the file then holds integers with
        scale, offset and nodata.
    path
        The file to write; it appears when complete.
    nodata, scale, offset
        Override the packing: physical = number * scale + offset.
    description
        What the file is, for its own metadata (``TIFFTAG_IMAGEDESCRIPTION``).

    Raises
    ------
    InvalidInputError
        If `variable` is no georeferenced raster ``(y, x)``.
    """
    import rasterio
    from rasterio.shutil import copy

    if variable.name is None:
        variable = variable.rename("data")
    variable = north_up(variable.to_dataset())[variable.name]
    grid = grid_of(variable)
    if grid is None or variable.dims != ("y", "x"):
        raise InvalidInputError(
            f"The variable {variable.name!r} with dimensions {variable.dims} is no georeferenced "
            "raster (y, x).",
            remedy="Select one time or band, and give the system with .rio.write_crs('EPSG:...').",
        )
    packing = _choose_packing(variable, nodata, scale, offset)
    dtype = variable.dtype.name if packing is None else packing["dtype"]
    target = Path(path)
    raw, partial = (target.with_name(f".{target.name}.{part}") for part in ("raw", "partial"))
    profile = {
        "driver": "GTiff", "width": grid.shape.x, "height": grid.shape.y, "count": 1,
        "dtype": "uint8" if dtype == "bool" else dtype, "crs": str(grid.crs),
        "transform": grid.affine, "nodata": _nodata(variable, packing, nodata),
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK,
    }  # fmt: skip
    try:
        with rasterio.open(raw, "w", **profile) as sink:
            if packing is not None:
                sink.scales, sink.offsets = (packing["scale_factor"],), (packing["add_offset"],)
            sink.units = (str(variable.attrs.get("units", "")),)
            sink.set_band_description(1, str(variable.name))
            sink.update_tags(
                1, **{one: variable.attrs[one] for one in SAID if one in variable.attrs}
            )
            if description:
                sink.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
            _write_strips(sink, variable, packing)
        mean = rule_for(variable) is Rule.MEAN
        copy(
            raw, partial, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", LEVEL="6",
            BLOCKSIZE=str(BLOCK), OVERVIEW_RESAMPLING="AVERAGE" if mean else "MODE",
        )  # fmt: skip
        partial.replace(target)
    finally:
        raw.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)


def _choose_packing(
    variable: xr.DataArray, nodata: float | None, scale: float | None, offset: float | None
) -> dict[str, Any] | None:
    packing = packing_of(variable)
    if scale is None and offset is None:
        return packing
    packing = packing or {"dtype": "int16", "_FillValue": np.iinfo(np.int16).min}
    packing["scale_factor"] = 1.0 if scale is None else scale
    packing["add_offset"] = 0.0 if offset is None else offset
    if nodata is not None:
        packing["_FillValue"] = int(nodata)
    return packing


def _nodata(
    variable: xr.DataArray, packing: dict[str, Any] | None, nodata: float | None
) -> float | None:
    if packing is not None:
        return float(packing["_FillValue"])
    if nodata is None and np.issubdtype(variable.dtype, np.floating):
        return float("nan")
    return nodata


def _write_strips(sink: Any, variable: xr.DataArray, packing: dict[str, Any] | None) -> None:
    from rasterio.windows import Window

    rows, columns = variable.shape
    step = max(BLOCK, int(variable.chunksizes.get("y", (STRIP_ROWS,))[0]))
    for start in range(0, rows, step):
        block = variable.isel(y=slice(start, start + step)).to_numpy()
        if packing is not None:
            block = encode_values(block, packing)
        elif block.dtype.kind == "f" and not np.isnan(sink.nodata):
            block = np.where(np.isnan(block), sink.nodata, block).astype(block.dtype)
        if block.dtype == bool:
            block = block.astype(np.uint8)
        sink.write(block, 1, window=Window(0, start, columns, block.shape[0]))
