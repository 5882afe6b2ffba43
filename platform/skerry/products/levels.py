"""The levels of one multiscale group: arrays, strips of rows, overviews."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox
from zarr.codecs import BloscCodec

from skerry.core.errors import InvalidInputError
from skerry.products.conventions import describe_level, describe_multiscale
from skerry.products.packing import encode_values, packing_of
from skerry.products.pyramid import Rule, halve, list_levels, rule_for
from skerry.products.zarr_attributes import plain, write_coordinates, write_other

CHUNK = 512
"""Edge of a chunk in pixels: 0.5 MiB of packed reflectance, a few milliseconds to decode."""
BATCH_BYTES = 256 * 2**20
"""Variables are computed together (they often share work) up to this size of a strip of rows."""
STRIP_ROWS = 2048
"""Rows computed at a time when the data have no chunks of their own."""

Progress = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and what was just written."""


@dataclass
class Counter:
    """Pixels written of pixels to write."""

    report: Progress | None
    total: int = 0
    done: int = 0

    def add(self, pixels: int, what: str) -> None:
        """Count pixels as written and report."""
        self.done += pixels
        if self.report is not None:
            self.report(min(1.0, self.done / max(self.total, 1)), what)


@dataclass
class _Raster:
    """One variable on its way to disk."""

    name: str
    values: xr.DataArray
    packing: dict[str, Any] | None
    rule: Rule
    levels: list[zarr.Array[Any]] = field(default_factory=list)

    @property
    def missing(self) -> float | None:
        """The number on disk that stands for no data."""
        if self.packing is not None:
            return float(self.packing["_FillValue"])
        return float("nan") if np.issubdtype(self.values.dtype, np.floating) else None

    def encode(self) -> xr.DataArray:
        """Return the numbers for the disk, as lazy as the values."""
        if self.packing is None:
            return self.values
        encoded: xr.DataArray = xr.apply_ufunc(
            encode_values,
            self.values,
            kwargs={"encoding": self.packing},
            dask="parallelized",
            output_dtypes=[np.dtype(self.packing["dtype"])],
        )
        return encoded


def raster_variables(data: xr.Dataset) -> list[xr.DataArray]:
    """Return the variables with rows and columns last; refuse those that are not numbers."""
    found = [one for one in data.data_vars.values() if one.dims[-2:] == ("y", "x")]
    for one in found:
        if one.dtype.kind not in "iufb":
            raise InvalidInputError(
                f"The variable {one.name!r} holds {one.dtype}, which cannot be written.",
                remedy="Turn it into numbers or leave it out.",
            )
    return found


def write_multiscale(
    group: zarr.Group, data: xr.Dataset, grid: GeoBox, chunk: int, counter: Counter
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
    chunk
        Edge of a chunk in pixels.
    counter
        Told of every block written.
    """
    levels = list_levels(grid)
    group.attrs.update({**plain(data.attrs), **describe_multiscale(levels)})
    rasters = [
        _Raster(str(one.name), one, packing_of(one), rule_for(one))
        for one in raster_variables(data)
    ]
    for number, level in enumerate(levels):
        place = group.create_group(str(number), attributes=describe_level(level))
        write_coordinates(place, data, level)
        for raster in rasters:
            raster.levels.append(_create_array(place, raster, level, chunk))
    for one in data.data_vars.values():
        if one.dims[-2:] != ("y", "x"):
            write_other(group["0"], one)
    for batch in _batch(rasters):
        _write_finest(batch, counter)
    for raster in rasters:
        _write_overviews(raster, chunk, counter)


def _create_array(place: zarr.Group, raster: _Raster, level: GeoBox, chunk: int) -> zarr.Array[Any]:
    values, packing = raster.values, raster.packing
    leading = values.shape[:-2]
    shape = (*leading, int(level.shape.y), int(level.shape.x))
    attrs = plain(values.attrs) | {"grid_mapping": "spatial_ref"}
    fill: Any = raster.missing
    if packing is not None:
        attrs |= {key: packing[key] for key in ("scale_factor", "add_offset", "_FillValue")}
        fill = packing["_FillValue"]
    return place.create_array(
        raster.name,
        shape=shape,
        chunks=(*leading, min(chunk, shape[-2]), min(chunk, shape[-1])),
        dtype=values.dtype if packing is None else packing["dtype"],
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
        fill_value=0 if fill is None else fill,
        dimension_names=[str(one) for one in values.dims],
        attributes=attrs,
    )


def _batch(rasters: list[_Raster]) -> Iterator[list[_Raster]]:
    """Put variables together that have the same row chunks, up to `BATCH_BYTES` a strip."""
    batch: list[_Raster] = []
    size = 0
    for raster in rasters:
        bounds = _list_strips(raster.values)
        strip = raster.values.nbytes * (bounds[0][1] - bounds[0][0]) // raster.values.sizes["y"]
        same = not batch or _list_strips(batch[0].values) == bounds
        if batch and (size + strip > BATCH_BYTES or not same):
            yield batch
            batch, size = [], 0
        batch.append(raster)
        size += strip
    if batch:
        yield batch


def _list_strips(values: xr.DataArray) -> list[tuple[int, int]]:
    """Return row ranges along the chunks of the data, so that no chunk is computed twice."""
    rows = values.sizes["y"]
    sizes = values.chunksizes.get("y", (STRIP_ROWS,) * (rows // STRIP_ROWS + 1))
    bounds, start, stop = [], 0, 0
    for size in sizes:
        stop = min(stop + size, rows)
        if stop - start >= min(CHUNK, rows) or stop == rows:
            bounds.append((start, stop))
            start = stop
        if stop == rows:
            break
    return bounds


def _write_finest(batch: list[_Raster], counter: Counter) -> None:
    numbers = xr.Dataset({one.name: one.encode().variable for one in batch})
    for start, stop in _list_strips(batch[0].values):
        strip = numbers.isel(y=slice(start, stop)).compute()
        for raster in batch:
            block = strip[raster.name].to_numpy()
            raster.levels[0][..., start:stop, :] = block
            counter.add(block.size, raster.name)


def _write_overviews(raster: _Raster, chunk: int, counter: Counter) -> None:
    """Make each level from the one before, strip by strip."""
    for finer, coarser in zip(raster.levels, raster.levels[1:], strict=False):
        rows = coarser.shape[-2]
        step = chunk * max(1, STRIP_ROWS // chunk // 2)
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            block = np.asarray(finer[..., 2 * start : 2 * stop, :])
            half = halve(block, raster.rule, raster.missing)
            coarser[..., start:stop, :] = half
            counter.add(half.size, raster.name)
