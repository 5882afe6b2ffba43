"""Write a product as GeoZarr: Zarr v3 with multiscales, spatial and proj conventions."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from odc.geo.geobox import GeoBox
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products.conventions import describe_level, describe_multiscale
from skerry.products.grids import grid_of, north_up
from skerry.products.packing import encode_values, packing_of
from skerry.products.pyramid import Rule, halve, list_levels, rule_for

CHUNK = 512
"""Edge of a chunk in pixels: 0.5 MiB of packed reflectance, a few milliseconds to decode."""
BATCH_BYTES = 256 * 2**20
"""Variables are computed together (they often share work) up to this size of a strip of rows."""
STRIP_ROWS = 2048
"""Rows computed at a time when the data have no chunks of their own."""

Progress = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and what was just written."""


@dataclass
class _Counter:
    """Pixels written of pixels to write."""

    report: Progress | None
    total: int = 0
    done: int = 0

    def add(self, pixels: int, what: str) -> None:
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


def write_geozarr(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunk: int = CHUNK,
    leave_out: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> None:
    """Write a product as a GeoZarr folder, with overviews.

    Every group with rasters (dimensions ``y`` and ``x``, a coordinate reference system) becomes a
    multiscale group with the levels ``0``, ``1``, ... inside; other groups are written as they
    are. Values that were read from packed integers are packed again the same way; rows run from
    north to south; coordinates of text are left out. Rows are computed and written strip by
    strip, so memory stays bounded. The folder appears under its name only when complete.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset ``(y, x)``.
    path
        The folder to make.
    chunk
        Edge of a chunk in pixels.
    leave_out
        Group paths that are not written, with all below them, such as ``quality/mask``.
    progress
        Told the fraction done and the variable written.

    Raises
    ------
    ConflictError
        If `path` exists.
    InvalidInputError
        If `product` has no raster.
    """
    target = Path(path)
    if target.exists():
        raise ConflictError(
            f"{target} exists already.", remedy="Remove it or write to another place."
        )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write_store(_list_groups(product, leave_out), partial, chunk, progress)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _list_groups(
    product: xr.DataTree | xr.Dataset, leave_out: tuple[str, ...]
) -> dict[str, xr.Dataset]:
    if isinstance(product, xr.Dataset):
        return {"": _arrange(product)}
    skipped = tuple(f"{one.strip('/')}/" for one in leave_out)
    return {
        node.path.strip("/"): _arrange(node.to_dataset(inherit=False))
        for node in product.subtree
        if not f"{node.path.strip('/')}/".startswith(skipped or ("\0",))
    }


def _arrange(data: xr.Dataset) -> xr.Dataset:
    """Return the dataset north up, with rows and columns last."""
    if {"y", "x"} <= set(data.dims):
        return north_up(data).transpose(..., "y", "x")
    return data


def _write_store(
    groups: dict[str, xr.Dataset], folder: Path, chunk: int, progress: Progress | None
) -> None:
    grids = {name: grid for name, data in groups.items() if (grid := grid_of(data)) is not None}
    if not grids:
        raise InvalidInputError(
            "The product has no raster: no group has dimensions y and x, regular coordinates and "
            "a coordinate reference system.",
            remedy="Name the dimensions y and x and give the system with "
            "dataset.rio.write_crs('EPSG:...').",
        )
    store = LocalStore(folder)
    root = zarr.create_group(store=store, zarr_format=3)
    counter = _Counter(progress)
    counter.total = sum(int(one.size) * 4 // 3 for name in grids for one in _rasters(groups[name]))
    for name, data in groups.items():
        if name in grids:
            _write_multiscale(_make_group(root, name), data, grids[name], chunk, counter)
        elif data.variables:
            data.to_zarr(store, group=name or None, mode="a", zarr_format=3, consolidated=False)
        else:
            _make_group(root, name).attrs.update(_plain(data.attrs))
    if "" not in grids and len({one.boundingbox for one in grids.values()}) == 1:
        # The whole product covers one box: say so at the top, on the finest grid.
        finest = min(grids.values(), key=lambda one: abs(one.affine.a))
        root.attrs.update(describe_level(finest))
    with warnings.catch_warnings():
        # Every reader of Zarr v3 that knows consolidated metadata reads these; others pass by.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(store)


def _make_group(root: zarr.Group, name: str) -> zarr.Group:
    return root.require_group(name) if name else root


def _rasters(data: xr.Dataset) -> list[xr.DataArray]:
    found = [one for one in data.data_vars.values() if one.dims[-2:] == ("y", "x")]
    for one in found:
        if one.dtype.kind not in "iufb":
            raise InvalidInputError(
                f"The variable {one.name!r} holds {one.dtype}, which cannot be written.",
                remedy="Turn it into numbers or leave it out.",
            )
    return found


def _write_multiscale(
    group: zarr.Group, data: xr.Dataset, grid: GeoBox, chunk: int, counter: _Counter
) -> None:
    levels = list_levels(grid)
    group.attrs.update({**_plain(data.attrs), **describe_multiscale(levels)})
    rasters = [
        _Raster(str(one.name), one, packing_of(one), rule_for(one)) for one in _rasters(data)
    ]
    for number, level in enumerate(levels):
        place = group.create_group(str(number), attributes=describe_level(level))
        _write_coordinates(place, data, level)
        for raster in rasters:
            raster.levels.append(_create_array(place, raster, level, chunk))
    for one in data.data_vars.values():
        if one.dims[-2:] != ("y", "x"):
            _write_other(group["0"], one)
    for batch in _batch(rasters):
        _write_finest(batch, counter)
    for raster in rasters:
        _write_overviews(raster, chunk, counter)


def _create_array(place: zarr.Group, raster: _Raster, level: GeoBox, chunk: int) -> zarr.Array[Any]:
    values, packing = raster.values, raster.packing
    leading = values.shape[:-2]
    shape = (*leading, int(level.shape.y), int(level.shape.x))
    attrs = _plain(values.attrs) | {"grid_mapping": "spatial_ref"}
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


def _write_coordinates(place: zarr.Group, data: xr.Dataset, level: GeoBox) -> None:
    """Write pixel centres, the grid mapping, and what other numeric coordinates there are."""
    transform = level.affine
    rows, columns = (np.arange(int(one)) + 0.5 for one in level.shape)
    axes = {"y": transform.f + transform.e * rows, "x": transform.c + transform.a * columns}
    for axis, centres in axes.items():
        _put(place, axis, centres.astype(np.float64), (axis,), _plain(data[axis].attrs))
    crs = level.crs
    if crs is not None:
        geotransform = " ".join(f"{one:.17g}" for one in transform.to_gdal())
        reference = {**_plain(crs.proj.to_cf()), "GeoTransform": geotransform}
        reference["spatial_ref"] = reference.get("crs_wkt", "")
        _put(place, "spatial_ref", np.array(crs.epsg or 0, np.int32), (), reference)
    place.attrs["coordinates"] = "spatial_ref"
    for name, coordinate in data.coords.items():
        if name in {"x", "y", "spatial_ref"} or coordinate.dtype.kind not in "iufbM":
            continue
        _write_other(place, coordinate)


def _write_other(place: Any, variable: xr.DataArray) -> None:
    """Write a small variable that is no raster."""
    encoded = xr.conventions.encode_cf_variable(variable.variable.load(), name=variable.name)
    dims = tuple(str(one) for one in encoded.dims)
    _put(place, str(variable.name), np.asarray(encoded.values), dims, _plain(encoded.attrs))


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


def _write_finest(batch: list[_Raster], counter: _Counter) -> None:
    numbers = xr.Dataset({one.name: one.encode().variable for one in batch})
    for start, stop in _list_strips(batch[0].values):
        strip = numbers.isel(y=slice(start, stop)).compute()
        for raster in batch:
            block = strip[raster.name].to_numpy()
            raster.levels[0][..., start:stop, :] = block
            counter.add(block.size, raster.name)


def _write_overviews(raster: _Raster, chunk: int, counter: _Counter) -> None:
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


def _plain(attrs: dict[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON values."""
    return {str(key): _plain_value(value) for key, value in attrs.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain_value(one) for one in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [_plain_value(one) for one in value]
    return value
