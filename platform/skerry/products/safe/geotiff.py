"""GeoTIFF files: a cheap check at opening, and windows read lazily through GDAL.

Source: TIFF 6.0 (strips and tiles, by offset and byte count), as GDAL shows it.
"""

from typing import Any

import numpy as np
import xarray as xr

from skerry.core.errors import DamagedError, InvalidInputError
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.product import SafeFolder, SafeProduct
from skerry.products.sensors.records import Group, Kind
from skerry.products.stores.raster_files import RasterWindows

_FETCH = "Fetch the product again from its provider."

CHUNK = (2048, 4096)
"""Rows and columns of a chunk, for computing and for writing again."""


def read(product: SafeProduct, group: Group) -> xr.Dataset:
    """Read the rasters of a group lazily; see `formats`. A damaged file counts as missing."""
    variables = {}
    for name, variable in group.variables.items():
        pattern = (variable.file or group.file).replace("{source}", variable.source)
        file = product.files.find(pattern)
        if file is None:
            if not group.optional:
                product.missing.append(f"{group.path}/{name}")
            continue
        kind = product.mapping.kind_of(group, variable)
        try:
            variables[name] = open_raster(product.files, file, kind)
        except DamagedError as error:
            product.damaged.append(error.what)
            product.missing.append(f"{group.path}/{name}")
    return xr.Dataset(variables)


def open_raster(files: ProductFiles, name: str, kind: Kind) -> xr.Variable:
    """Return a file's only band as a lazy variable of its own number type.

    Raises
    ------
    DamagedError
        If it is not a GeoTIFF, or is shorter than its header says.
    InvalidInputError
        If its numbers differ from `kind`.
    """
    import dask.array as da
    from dask.base import tokenize

    height, width = check_geotiff(files, name, kind.dtype)
    dtype = np.dtype(kind.dtype)
    chunk = (min(CHUNK[0], height), min(CHUNK[1], width))
    windows = RasterWindows(
        file=files.raster(name), shape=(height, width), dtype=dtype, driver="GTiff",
    )  # fmt: skip
    token = tokenize(windows, files.sizes[name], files.changed_ns(name))
    data = da.from_array(  # type: ignore[no-untyped-call]
        windows, chunks=chunk, name=f"geotiff-{token}", asarray=False, lock=False,
        meta=np.empty((0, 0), dtype),
    )  # fmt: skip
    return xr.Variable(kind.dims, data, dict(kind.attrs), {"dtype": dtype, "chunks": chunk})


def check_geotiff(files: ProductFiles, name: str, dtype: str) -> tuple[int, int]:
    """Read a GeoTIFF's header and check that its last block is there, without decoding.

    Returns
    -------
    tuple
        Height and width in pixels.

    Raises
    ------
    DamagedError, InvalidInputError
        As `open_raster`.
    """
    label = f"{name} in {files.path}"
    with expect_no_transform(), files.raster(name).open("GTiff") as source:
        end = _find_end(source)
        height, width, bands = source.height, source.width, (source.count, source.dtypes[0])
    if bands != (1, dtype):
        raise InvalidInputError(
            f"{label} has {bands[0]} bands of {bands[1]} instead of one of {dtype}.", remedy=_FETCH
        )
    if end > files.sizes[name]:
        raise DamagedError(
            f"{label} is damaged: it should have {end} bytes and has {files.sizes[name]}.",
            remedy=_FETCH,
        )
    return height, width


def _find_end(source: Any) -> int:
    """Return the position behind the last block (0 if that block is not stored)."""
    rows, columns = source.block_shapes[0]
    block = f"{(source.width - 1) // columns}_{(source.height - 1) // rows}"
    offset, size = (
        source.get_tag_item(f"BLOCK_{what}_{block}", "TIFF", bidx=1) for what in ("OFFSET", "SIZE")
    )
    return int(offset) + int(size) if offset and size else 0


def expect_no_transform() -> Any:
    """Return a context in which an image without a transform raises no warning."""
    import warnings

    from rasterio.errors import NotGeoreferencedWarning

    return warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning)


def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None:
    """Write a group's rasters, one band per file, without georeference; see `formats`."""
    import rasterio
    from rasterio.windows import Window

    for name, variable in group.variables.items():
        if name not in data:
            continue
        path = folder.place(variable.file or group.file, variable.source)
        kind = folder.mapping.kind_of(group, variable)
        values = data[name]
        with expect_no_transform(), rasterio.open(
            path, "w", driver="GTiff", count=1, dtype=kind.dtype,
            height=values.shape[0], width=values.shape[1],
        ) as sink:  # fmt: skip
            for first in range(0, values.shape[0], CHUNK[0]):
                block = values[first : first + CHUNK[0]].to_numpy().astype(kind.dtype)
                sink.write(block, 1, window=Window(0, first, block.shape[1], block.shape[0]))
