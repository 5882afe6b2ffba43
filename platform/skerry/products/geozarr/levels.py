"""The levels of a multiscale group: arrays, and their content."""

from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.products.coding.cf import find_coding
from skerry.products.coding.codecs import Codec
from skerry.products.coding.pyramid import list_levels, rule_for
from skerry.products.coding.zarr_conventions import describe_level, describe_multiscale
from skerry.products.filling.layout import Layout, Wishes
from skerry.products.filling.levels import Levels
from skerry.products.filling.loop import Filling
from skerry.products.filling.sources import find_source
from skerry.products.filling.zarr_draft import ZarrDraft, put_attributes
from skerry.products.filling.zarr_files import ZarrFiles
from skerry.products.geozarr.attributes import (
    USUAL,
    attributes_of,
    attributes_of_group,
    encode_for_zarr,
    fill_of,
    write_coordinates,
    write_other,
)

CHUNK = 512
"""Edge of a chunk in pixels: 0.5 MiB of packed reflectance, a few milliseconds to decode."""


def raster_variables(data: xr.Dataset) -> list[xr.DataArray]:
    """Return the variables with rows and columns last; refuse those that are not numbers."""
    rasters = [variable for variable in data.data_vars.values() if variable.dims[-2:] == ("y", "x")]
    for item in rasters:
        if item.dtype.kind not in "iufb":
            raise InvalidInputError(
                f"The variable {item.name!r} holds {item.dtype}, which cannot be written.",
                remedy="Turn it into numbers or leave it out.",
            )
    return rasters


def make_multiscale(
    draft: ZarrDraft, group: zarr.Group, data: xr.Dataset, grid: GeoBox, wishes: Wishes
) -> list[Filling]:
    """Make a dataset's multiscale group, without the rasters' numbers.

    Parameters
    ----------
    draft
        The store.
    group
        The group to fill, in the draft.
    data
        Rows and columns last, north up.
    grid
        The dataset's grid.
    wishes
        Chunks, shards, compression.

    Returns
    -------
    list of Filling
        The rasters.
    """
    levels = list_levels(grid)
    put_attributes(group, {**attributes_of_group(data), **describe_multiscale(levels)})
    encoded = encode_for_zarr(data)
    rasters = {str(item.name): item for item in raster_variables(data)}
    arrays: dict[str, list[ZarrFiles]] = {name: [] for name in rasters}
    for number, level in enumerate(levels):
        attrs = describe_level(level) | {"coordinates": "spatial_ref"}
        place = group.create_group(str(number), attributes=attrs)
        write_coordinates(place, data, level, encoded, finest=not number)
        for name, several in arrays.items():
            array, layout = _make_array(place, name, encoded[name], level, wishes)
            several.append(ZarrFiles(draft.place(array, layout), layout, even=True))
    for other in (str(item) for item in data.data_vars if str(item) not in rasters):
        write_other(group["0"], other, encoded[other])
    return [
        Filling(
            f"{group.path}/{name}".strip("/"),
            encoded[name],
            Levels(arrays[name], rule_for(raster), _missing_of(encoded[name])),
            find_source(raster.variable, find_coding(name, raster.variable), encoded[name].dtype),
        )
        for name, raster in rasters.items()
    ]


def _missing_of(numbers: xr.Variable) -> float | None:
    """Return the number on disk that stands for no data."""
    fill = numbers.attrs.get("_FillValue")
    if fill is not None:
        return np.asarray(fill).item()  # type: ignore[no-any-return]
    return float("nan") if numbers.dtype.kind == "f" else None


def _make_array(
    place: zarr.Group, name: str, numbers: xr.Variable, level: GeoBox, wishes: Wishes
) -> tuple[Any, Layout]:
    shape = (*numbers.shape[:-2], int(level.shape.y), int(level.shape.x))
    chunks = wishes.choose_chunks(numbers, shape, _usual_chunk)
    codec = wishes.choose_codec(numbers.encoding, USUAL, Codec.to_zarr3)
    shards = wishes.choose_shards(numbers, shape, chunks)
    layout = Layout(shape, numbers.dtype, chunks, shards, codec, fill_of(numbers))
    array: Any = place.create_array(
        name,
        shape=shape,
        chunks=chunks,
        shards=shards,
        dtype=numbers.dtype,
        compressors=codec.to_zarr3(),
        fill_value=layout.fill,
        dimension_names=[str(dim) for dim in numbers.dims],
        attributes=attributes_of(numbers) | {"grid_mapping": "spatial_ref"},
    )
    return array, layout


def _usual_chunk(dim: str, size: int) -> int:
    return CHUNK if dim in ("y", "x") else size
