"""Write one variable as a cloud optimized GeoTIFF."""

import errno
import math
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress
from skerry.products.coding.cf import encode, find_coding
from skerry.products.coding.codecs import Codec
from skerry.products.coding.packing import fit_fill, packing_of
from skerry.products.coding.pyramid import list_levels, rule_for
from skerry.products.filling.layout import Layout
from skerry.products.filling.levels import Levels
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.regions import Region, choose_steps
from skerry.products.filling.sources import Source, find_source
from skerry.products.grids import grid_of, north_up
from skerry.storage.writing import make_aside

BLOCK = 512
BLOCK_UNIT = 16
"""The edge of a TIFF block is a multiple of this many pixels."""
USUAL = Codec("zlib", 6)
DRIVER_BYTES = 96 * 10**6
"""Memory that GDAL's COG driver needs for itself."""
CACHE_SHARE = 8
"""GDAL's block cache gets the memory divided by this number: JPEG 2000 is decoded through it."""
COPY_CACHE_SHARE = 32
"""The same for the copy at the end: the driver has memory of its own, and reads each block once."""
LARGEST_NODATA = 2**53
"""Rasterio takes nodata as float64, which does not hold every whole number beyond this."""
OVERVIEW = ".ovr"
"""Ending, after a raster file's whole name, of the file of its first overview."""
NAMED = ".vrt"
"""Ending of the file that names nodata which rasterio cannot."""
SAID = ("long_name", "comment", "source", "references")
"""Attributes that also become the band's metadata, so that a GIS user can read them."""


def write_cog(
    variable: xr.DataArray,
    path: Path | str,
    *,
    nodata: float | None = None,
    scale: float | None = None,
    offset: float | None = None,
    description: str = "",
    block: int = BLOCK,
    codec: Codec = USUAL,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Write a cloud optimized GeoTIFF with overviews.

    Parameters
    ----------
    variable
        ``(y, x)``, or ``(band, y, x)`` for a file of several bands, with coordinates of pixel
        centres and a ``spatial_ref``. Values that were read from packed integers are packed again
        the same way; the file then holds integers with scale, offset and nodata.
    path
        The file to write; it appears when complete, and replaces a file that is there.
    nodata, scale, offset
        Override the packing: physical = number * scale + offset.
    description
        What the file is, for its own metadata (``TIFFTAG_IMAGEDESCRIPTION``).
    block
        Edge of a block in pixels, a multiple of 16.
    codec
        Compression: ``zlib``, ``zstd`` or ``none``.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses.

    Raises
    ------
    InvalidInputError
        If `variable` is not a georeferenced raster, or GeoTIFF has no such type, block or codec.
    """
    variable = _check_raster(variable, block)
    if nodata is not None or scale is not None or offset is not None:
        variable = variable.copy(deep=False)
        variable.encoding = _override_packing(variable, nodata, scale, offset)
    with make_aside(Path(path), replace=True) as aside:
        # GDAL takes a relative `http:/...` for an address.
        options = Options(block, codec, memory_bytes)
        _write(variable, aside.absolute(), description, options)


@dataclass(frozen=True)
class Options:
    """How a COG is written: block in pixels, codec, memory, and who gets the progress."""

    block: int = BLOCK
    codec: Codec = USUAL
    memory_bytes: int = MEMORY_BYTES
    progress: Progress | None = None


def make_cog(variable: xr.DataArray, path: Path, options: Options) -> None:
    """Write a cloud optimized GeoTIFF as `write_cog` does, into a folder that is written aside."""
    _write(_check_raster(variable, options.block), path, "", options)


def describe_band(path: Path, variable: xr.DataArray) -> dict[str, Any]:
    """Return the fields of STAC's ``raster:bands`` for a written file, as the file has them.

    Nodata which float64 does not hold is that of the variable, which the file was written with.
    """
    import rasterio

    with rasterio.open(path) as file:
        band = {
            "data_type": file.dtypes[0],
            "scale": float(file.scales[0]),
            "offset": float(file.offsets[0]),
        }
        nodata, unit = file.nodata, file.units[0]
    fill_value = fit_fill(variable.encoding.get("_FillValue"), np.dtype(band["data_type"]))
    if _is_long(fill_value):
        band["nodata"] = fill_value
    elif nodata is not None:
        band["nodata"] = "nan" if math.isnan(nodata) else nodata
    return band | ({"unit": unit} if unit else {})


def _check_raster(variable: xr.DataArray, block: int) -> xr.DataArray:
    """Return a raster with a name and north up, if GeoTIFF can hold it."""
    if variable.name is None:
        variable = variable.rename("data")
    if block < BLOCK_UNIT or block % BLOCK_UNIT:
        raise InvalidInputError(
            f"A GeoTIFF cannot have blocks of {block} pixels.", remedy="Use a multiple of 16."
        )
    variable = north_up(variable.to_dataset())[variable.name]
    if grid_of(variable) is None or variable.dims[-2:] != ("y", "x") or variable.ndim > 3:  # noqa: PLR2004 -- band, y, x
        raise InvalidInputError(
            f"The variable {variable.name!r} with dimensions {variable.dims} is not a "
            "georeferenced raster (y, x).",
            remedy="Select one time or band, and give the system with .rio.write_crs('EPSG:...').",
        )
    if variable.dtype.kind not in "iufb" or variable.dtype == np.float16:
        raise InvalidInputError(
            f"The variable {variable.name!r} holds {variable.dtype}, which GeoTIFF cannot hold.",
            remedy="Turn it into integers, float32 or float64.",
        )
    return variable


def _override_packing(
    variable: xr.DataArray, nodata: float | None, scale: float | None, offset: float | None
) -> dict[str, Any]:
    packing = packing_of(variable)
    if scale is None and offset is None and packing is None:
        return {**variable.encoding, "_FillValue": nodata}
    encoding: dict[str, Any] = {"dtype": "int16", "_FillValue": np.iinfo(np.int16).min}
    encoding = encoding if packing is None else packing.attrs | {"dtype": packing.stored}
    if scale is not None or offset is not None:
        encoding["scale_factor"] = 1.0 if scale is None else scale
        encoding["add_offset"] = 0.0 if offset is None else offset
        if nodata is not None:
            encoding["_FillValue"] = int(nodata)
    return encoding


def _write(variable: xr.DataArray, target: Path, description: str, options: Options) -> None:
    from rasterio.errors import RasterioIOError
    from rasterio.shutil import copy

    numbers = encode(str(variable.name), variable.variable)
    raw = _place_levels(variable, target, options.block)
    finest = next(iter(raw))
    memory_bytes = options.memory_bytes
    try:
        with _using_gdal(memory_bytes // CACHE_SHARE):
            _fill_levels(raw, variable, numbers, description, options)
        with _using_gdal(memory_bytes // COPY_CACHE_SHARE):
            copy(
                _name_nodata(finest, numbers), target, driver="COG", BLOCKSIZE=str(options.block),
                BIGTIFF="IF_SAFER", INTERLEAVE="BAND", OVERVIEWS="FORCE_USE_EXISTING",
                NUM_THREADS="ALL_CPUS", **options.codec.to_geotiff(),
            )  # fmt: skip
        _check_length(target, _find_end(target))
    except RasterioIOError as error:
        raise OSError(errno.EIO, str(error), str(target)) from error
    finally:
        for path in (*raw, finest.with_suffix(NAMED)):
            path.unlink(missing_ok=True)


def _using_gdal(cache_bytes: int) -> Any:
    import rasterio

    return rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", GDAL_CACHEMAX=cache_bytes)


def _place_levels(variable: xr.DataArray, target: Path, block: int) -> dict[Path, GeoBox]:
    """Return the files of all levels, uncompressed, by names under which GDAL finds the next."""
    grid = grid_of(variable)
    assert grid is not None  # noqa: S101 -- `_check_raster` asked
    name = f".{target.name}.raw"
    return {
        target.with_name(name + OVERVIEW * number): level
        for number, level in enumerate(list_levels(grid, block))
    }


def _fill_levels(
    raw: dict[Path, GeoBox], variable: xr.DataArray, numbers: xr.Variable, description: str,
    options: Options,
) -> None:  # fmt: skip
    """Write the numbers and their overviews in one pass."""
    import rasterio

    name = str(variable.name)
    source = find_source(variable.variable, find_coding(name, variable.variable), numbers.dtype)
    memory = max(options.memory_bytes - DRIVER_BYTES, options.memory_bytes // 2)
    with ExitStack() as stack:
        files = [
            stack.enter_context(rasterio.open(path, "w", **_describe_file(numbers, level)))
            for path, level in raw.items()
        ]
        _describe_bands(files[0], variable, numbers, description)
        bands = [_TiffBands(file, numbers) for file in files]
        levels = Levels(bands, rule_for(variable), _find_fill(numbers))
        fill([Filling(name, numbers, levels, source)], memory, options.progress)
    for path, level in raw.items():
        size = math.prod(numbers.shape[:-2]) * math.prod(level.shape)
        _check_length(path, size * numbers.dtype.itemsize)


def _find_fill(numbers: xr.Variable) -> Any:
    """Return the number on disk for no data; NaN for floats by default, else None."""
    fill = numbers.attrs.get("_FillValue", math.nan if numbers.dtype.kind == "f" else None)
    return np.asarray(fill).item()


def _is_long(fill_value: Any) -> bool:
    """Tell whether rasterio would change a number for no data."""
    return isinstance(fill_value, int) and abs(fill_value) > LARGEST_NODATA


def _name_nodata(raw: Path, numbers: xr.Variable) -> Path:
    """Return the file to copy: a virtual file of `raw` where rasterio could not name nodata."""
    from rasterio.shutil import copy

    fill_value = _find_fill(numbers)
    if not _is_long(fill_value):
        return raw
    named = raw.with_suffix(NAMED)
    copy(raw, named, driver="VRT")
    band = re.compile("<VRTRasterBand [^>]*>")
    text = f"\\g<0><NoDataValue>{fill_value}</NoDataValue>"
    named.write_text(band.sub(text, named.read_text(encoding="utf-8")), encoding="utf-8")
    return named


def _check_length(path: Path, least_bytes: int) -> None:
    """Refuse a file that was cut off: when a disk gets full GDAL does not always say so."""
    if path.stat().st_size < least_bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


def _find_end(path: Path) -> int:
    """Return where the last band's last block ends, which is at the end of a COG."""
    import rasterio

    with rasterio.open(path) as file:
        rows, columns = file.block_shapes[-1]
        last = f"{(file.width - 1) // columns}_{(file.height - 1) // rows}"
        start, size = (
            int(file.get_tag_item(f"BLOCK_{name}_{last}", "TIFF", bidx=file.count) or 0)
            for name in ("OFFSET", "SIZE")
        )
    return start + size


def _describe_file(numbers: xr.Variable, grid: GeoBox) -> dict[str, Any]:
    fill_value = _find_fill(numbers)
    return {
        "driver": "GTiff", "width": grid.shape.x, "height": grid.shape.y,
        "count": numbers.shape[0] if numbers.ndim > 2 else 1,  # noqa: PLR2004 -- band, y, x
        "dtype": "uint8" if numbers.dtype == bool else numbers.dtype.name,
        "crs": str(grid.crs), "transform": grid.affine, "interleave": "band",
        "nodata": None if _is_long(fill_value) else fill_value,
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "IF_SAFER",
    }  # fmt: skip


def _describe_bands(
    sink: Any, variable: xr.DataArray, numbers: xr.Variable, description: str
) -> None:
    count = sink.count
    if "scale_factor" in numbers.attrs or "add_offset" in numbers.attrs:
        sink.scales = (float(numbers.attrs.get("scale_factor", 1.0)),) * count
        sink.offsets = (float(numbers.attrs.get("add_offset", 0.0)),) * count
    sink.units = (str(variable.attrs.get("units", "")),) * count
    tags = {item: variable.attrs[item] for item in SAID if item in variable.attrs}
    for band in range(1, count + 1):
        sink.set_band_description(band, _name_band(variable, band))
        sink.update_tags(band, **tags)
    if description:
        sink.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)


def _name_band(variable: xr.DataArray, band: int) -> str:
    if variable.ndim == 2:  # noqa: PLR2004 -- y, x
        return str(variable.name)
    leading = variable.dims[0]
    label = variable[leading].to_numpy()[band - 1] if leading in variable.coords else band
    return f"{variable.name} {label}"


class _TiffBands:
    """The bands of a GeoTIFF that is open for writing; GDAL lets one thread in at a time."""

    held_bytes = 0

    def __init__(self, sink: Any, numbers: xr.Variable) -> None:
        shape = (*numbers.shape[:-2], sink.height, sink.width)
        chunks = (*shape[:-2], *(min(BLOCK, size) for size in shape[-2:]))
        self.layout = Layout(shape, np.dtype(sink.dtypes[0]), chunks)
        self.steps = choose_steps(chunks, shape, even=True)
        self._sink, self._lock = sink, Lock()

    def put(self, region: Region, numbers: npt.NDArray[Any]) -> None:
        """Write a region."""
        from rasterio.windows import Window

        rows, columns = region[-2:]
        window = Window.from_slices(rows, columns)
        data = np.asarray(numbers, self.layout.dtype)
        with self._lock:
            self._sink.write(data, **({"indexes": 1} if data.ndim == 2 else {}), window=window)  # noqa: PLR2004 -- y, x

    def list_copies(self, _source: Source) -> None:
        """Return None, because GDAL takes numbers only."""
