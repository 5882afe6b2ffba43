"""Coordinates, small variables and attributes, as Zarr 3 arrays and JSON."""

from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox

from skerry.products.coding.cf import encode, set_apart_array
from skerry.products.coding.codecs import Codec
from skerry.products.coding.json_values import to_document
from skerry.products.coding.stored_numbers import spell_fill
from skerry.products.coding.zarr_conventions import set_apart_group
from skerry.products.filling.layout import Wishes

USUAL = Codec("blosc-zstd", 3, "bit")
AS_THEY_ARE = Wishes()
OWN = ("x", "y", "spatial_ref")
"""Coordinates of which every level has its own."""


def encode_for_zarr(data: xr.Dataset) -> dict[str, xr.Variable]:
    """Return variables as they stand in Zarr, with CF's ``coordinates`` and ``grid_mapping``.

    Booleans stay what they are: Zarr has them.
    """
    encoded = {str(name): _encode(str(name), item) for name, item in data.variables.items()}
    for name, item in encoded.items():
        own = item.encoding.get("grid_mapping")
        if own in data.coords and name in data.data_vars:
            item.attrs["grid_mapping"] = own
    listed = [str(name) for name in data.coords if name not in OWN]
    variables, _ = xr.conventions.encode_dataset_coordinates(
        xr.Dataset(encoded).set_coords(listed).drop_vars(OWN, errors="ignore")
    )
    return encoded | {str(name): item for name, item in variables.items()}


def _encode(name: str, values: xr.Variable) -> xr.Variable:
    attrs = set_apart_array(values)
    if values.dtype != bool:
        return encode(name, values, attrs)
    encoded = values.copy(deep=False)
    encoded.attrs = attrs
    return encoded


def fill_of(numbers: xr.Variable) -> Any:
    """Return the value of chunks that were never written."""
    fill = numbers.attrs.get("_FillValue")
    if fill is not None:
        return np.asarray(fill).item()
    return {"f": float("nan"), "b": False, "O": "", "T": "", "U": ""}.get(numbers.dtype.kind, 0)


def attributes_of(numbers: xr.Variable) -> dict[str, Any]:
    """Return a variable's attributes as JSON values."""
    attrs = dict(numbers.attrs)
    if "_FillValue" in attrs:
        attrs["_FillValue"] = spell_fill(np.asarray(attrs["_FillValue"]).item(), numbers.dtype)
    return to_document(attrs)


def attributes_of_group(data: xr.Dataset) -> dict[str, Any]:
    """Return a group's attributes as JSON values."""
    return to_document(set_apart_group(data.attrs))


def write_coordinates(
    place: zarr.Group,
    data: xr.Dataset,
    level: GeoBox,
    encoded: dict[str, xr.Variable],
    *,
    finest: bool,
) -> None:
    """Write pixel centres, the grid mapping, and what other coordinates fit the level."""
    transform = level.affine
    rows, columns = (np.arange(int(item)) + 0.5 for item in level.shape)
    axes = {"y": transform.f + transform.e * rows, "x": transform.c + transform.a * columns}
    for axis, centres in axes.items():
        values = xr.Variable(
            (axis,), centres.astype(np.float64), set_apart_array(data.variables[axis])
        )
        write_other(place, axis, values)
    crs = level.crs
    if crs is not None:
        geotransform = " ".join(f"{item:.17g}" for item in transform.to_gdal())
        reference = {**to_document(crs.proj.to_cf()), "GeoTransform": geotransform}
        reference["spatial_ref"] = reference.get("crs_wkt", "")
        number = np.array(crs.epsg or 0, np.int32)
        write_other(place, "spatial_ref", xr.Variable((), number, reference))
    for name in data.coords:
        coordinate = encoded[str(name)]
        fits = finest or not {"x", "y"} & set(coordinate.dims)
        if name not in OWN and fits:
            write_other(place, str(name), coordinate)


def write_other(place: Any, name: str, numbers: xr.Variable) -> None:
    """Write a small variable whole, text too."""
    values = np.asarray(numbers.load().values)
    text = values.dtype.kind in "UOT"
    own = numbers.encoding.get("chunks") or ()
    chunks = tuple(int(item) for item in own) if len(own) == values.ndim else values.shape
    array = place.create_array(
        name,
        shape=values.shape,
        dtype=str if text else values.dtype,
        chunks=tuple(max(1, chunk) for chunk in chunks),
        compressors="auto"
        if text
        else AS_THEY_ARE.choose_codec(numbers.encoding, USUAL, Codec.to_zarr3).to_zarr3(),
        fill_value=fill_of(numbers),
        dimension_names=[str(dim) for dim in numbers.dims],
        attributes=attributes_of(numbers),
    )
    if values.size:
        array[...] = values.astype(str) if text else values
