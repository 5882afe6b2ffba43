"""The levels of one multiscale group: arrays, strips of rows, overviews."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import Codec
from skerry.products.coding.pyramid import Rule, halve, list_levels, rule_for
from skerry.products.coding.zarr_conventions import describe_level, describe_multiscale
from skerry.products.geozarr.attributes import (
    attributes_of,
    attributes_of_group,
    choose_compressors,
    encode_for_zarr,
    fill_of,
    write_coordinates,
    write_other,
)
from skerry.products.stores.strips import STRIP_ROWS, Counter, iterate_blocks

CHUNK = 512
"""Edge of a chunk in pixels: 0.5 MiB of packed reflectance, a few milliseconds to decode."""


@dataclass(frozen=True)
class Storage:
    """How rasters are stored; None where each variable's own way counts.

    Attributes
    ----------
    chunk
        Edge of a chunk in pixels.
    shard
        Edge of a shard in pixels, a multiple of the chunk's; 0 for no shards.
    codec
        Compression.
    """

    chunk: int | None = CHUNK
    shard: int | None = 0
    codec: Codec | None = None

    def chunks_of(self, raster: "_Raster", shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the chunk of an array of a level."""
        own = raster.numbers.encoding.get("chunks") or ()
        if self.chunk is None and len(own) == len(shape):
            wanted = tuple(int(item) for item in own)
        else:
            wanted = (*shape[:-2], *(self.chunk or CHUNK,) * 2)
        return tuple(max(1, min(item, size)) for item, size in zip(wanted, shape, strict=True))

    def shards_of(
        self, raster: "_Raster", shape: tuple[int, ...], chunks: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """Return the shard of an array of a level, whole chunks that reach over the array."""
        own = raster.numbers.encoding.get("shards")
        if self.shard is None and own is not None and len(own) == len(shape):
            wanted = tuple(int(item) for item in own)
        elif self.shard:
            wanted = (*chunks[:-2], self.shard, self.shard)
        else:
            return None
        for item, size, chunk in zip(wanted, shape, chunks, strict=True):
            if self.shard and item % chunk and item < size:
                raise InvalidInputError(
                    f"A shard of {item} pixels does not hold whole chunks of {chunk}, which "
                    f"{raster.name!r} has.",
                    remedy="Use a multiple, or choose the chunks as well.",
                )
        sizes = zip(wanted, shape, chunks, strict=True)
        return tuple(
            chunk * max(1, min(-(-item // chunk), -(-size // chunk))) for item, size, chunk in sizes
        )


@dataclass
class _Raster:
    """One variable on its way to disk."""

    name: str
    numbers: xr.Variable
    rule: Rule
    levels: list[zarr.Array[Any]] = field(default_factory=list)

    @property
    def missing(self) -> float | None:
        """The number on disk that stands for no data."""
        fill = self.numbers.attrs.get("_FillValue")
        if fill is not None:
            return np.asarray(fill).item()  # type: ignore[no-any-return]
        return float("nan") if self.numbers.dtype.kind == "f" else None


def raster_variables(data: xr.Dataset) -> list[xr.DataArray]:
    """Return the variables with rows and columns last; refuse those that are not numbers."""
    found = [variable for variable in data.data_vars.values() if variable.dims[-2:] == ("y", "x")]
    for item in found:
        if item.dtype.kind not in "iufb":
            raise InvalidInputError(
                f"The variable {item.name!r} holds {item.dtype}, which cannot be written.",
                remedy="Turn it into numbers or leave it out.",
            )
    return found


def write_multiscale(
    group: zarr.Group, data: xr.Dataset, grid: GeoBox, storage: Storage, counter: Counter
) -> None:
    """Write one dataset as a multiscale group.

    Parameters
    ----------
    group
        The group to fill.
    data
        Rows and columns last, north up.
    grid
        The dataset's grid.
    storage
        Chunks, shards, compression.
    counter
        Told of every block written.
    """
    levels = list_levels(grid)
    group.attrs.update({**attributes_of_group(data), **describe_multiscale(levels)})
    encoded = encode_for_zarr(data)
    rasters = {
        str(item.name): _Raster(str(item.name), encoded[str(item.name)], rule_for(item))
        for item in raster_variables(data)
    }
    for number, level in enumerate(levels):
        place = group.create_group(str(number), attributes=describe_level(level))
        write_coordinates(place, data, level, encoded, finest=not number)
        for raster in rasters.values():
            raster.levels.append(_create_array(place, raster, level, storage))
    for name in data.data_vars:
        if str(name) not in rasters:
            write_other(group["0"], str(name), encoded[str(name)])
    for name, where, block in iterate_blocks({key: item.numbers for key, item in rasters.items()}):
        rasters[name].levels[0][where] = block
        counter.add(block.size, name)
    for raster in rasters.values():
        _write_overviews(raster, counter)


def _create_array(
    place: zarr.Group, raster: _Raster, level: GeoBox, storage: Storage
) -> zarr.Array[Any]:
    numbers = raster.numbers
    shape = (*numbers.shape[:-2], int(level.shape.y), int(level.shape.x))
    chunks = storage.chunks_of(raster, shape)
    return place.create_array(
        raster.name,
        shape=shape,
        chunks=chunks,
        shards=storage.shards_of(raster, shape, chunks),
        dtype=numbers.dtype,
        compressors=choose_compressors(numbers, storage.codec),
        fill_value=fill_of(numbers),
        dimension_names=[str(dim) for dim in numbers.dims],
        attributes=attributes_of(numbers) | {"grid_mapping": "spatial_ref"},
    )


def _write_overviews(raster: _Raster, counter: Counter) -> None:
    """Make each level from the one before, strip by strip of whole chunks."""
    for finer, coarser in zip(raster.levels, raster.levels[1:], strict=False):
        rows = coarser.shape[-2]
        unit = (coarser.shards or coarser.chunks)[-2]
        step = unit * max(1, STRIP_ROWS // unit // 2)
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            block = np.asarray(finer[..., 2 * start : 2 * stop, :])
            half = halve(block, raster.rule, raster.missing)
            coarser[..., start:stop, :] = half
            counter.add(half.size, raster.name)
