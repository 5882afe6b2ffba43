"""Coordinates, small variables and attributes, as Zarr arrays and JSON."""

from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox


def write_coordinates(place: zarr.Group, data: xr.Dataset, level: GeoBox) -> None:
    """Write pixel centres, the grid mapping, and what other numeric coordinates there are."""
    transform = level.affine
    rows, columns = (np.arange(int(one)) + 0.5 for one in level.shape)
    axes = {"y": transform.f + transform.e * rows, "x": transform.c + transform.a * columns}
    for axis, centres in axes.items():
        _put(place, axis, centres.astype(np.float64), (axis,), plain(data[axis].attrs))
    crs = level.crs
    if crs is not None:
        geotransform = " ".join(f"{one:.17g}" for one in transform.to_gdal())
        reference = {**plain(crs.proj.to_cf()), "GeoTransform": geotransform}
        reference["spatial_ref"] = reference.get("crs_wkt", "")
        _put(place, "spatial_ref", np.array(crs.epsg or 0, np.int32), (), reference)
    place.attrs["coordinates"] = "spatial_ref"
    for name, coordinate in data.coords.items():
        if name in {"x", "y", "spatial_ref"} or coordinate.dtype.kind not in "iufbM":
            continue
        write_other(place, coordinate)


def write_other(place: Any, variable: xr.DataArray) -> None:
    """Write a small variable that is no raster."""
    encoded = xr.conventions.encode_cf_variable(variable.variable.load(), name=variable.name)
    dims = tuple(str(one) for one in encoded.dims)
    _put(place, str(variable.name), np.asarray(encoded.values), dims, plain(encoded.attrs))


def _put(
    place: zarr.Group, name: str, values: Any, dims: tuple[str, ...], attrs: dict[str, Any]
) -> None:
    array = place.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape or (),
        dimension_names=dims,
        attributes={key: value for key, value in attrs.items() if key != "_FillValue"},
    )
    array[...] = values


def plain(attrs: dict[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON values."""
    return {str(key): _plain_value(value) for key, value in attrs.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain_value(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain_value(one) for one in value]
    return value
