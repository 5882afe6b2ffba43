"""JPEG 2000 files: a cheap check at opening, and windows read lazily through GDAL.

Options of a group: ``resolution_m``, the pixel size. The mapping's entries ``rows``, ``columns``,
``left``, ``top`` (for ``{source}``, the resolution) and ``crs`` define the grid.

Source: ISO/IEC 15444-1, annex A (codestream markers) and annex I (boxes).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from dask.base import tokenize
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from pyproj import CRS
from pyproj.exceptions import CRSError

from skerry.core.errors import DamagedError, InvalidInputError
from skerry.products.coding.packing import Packing
from skerry.products.grids import grid_of
from skerry.products.safe.attributes import read_named
from skerry.products.safe.files import ProductFiles
from skerry.products.sensors.records import Group, Kind
from skerry.products.stores.raster_files import RasterWindows
from skerry.products.stores.stored import StoredArray, make_lazy

if TYPE_CHECKING:
    from skerry.products.safe.product import SafeFolder, SafeProduct

READ_PIXELS = 2048
"""Approximate edge of computed windows; the real edge is a multiple of the file's tiles."""

HEADER_BYTES = 4 * 2**10
"""Bytes to read when opening a file behind an address; metadata boxes may need more."""

_PLANE_DIMS = 2
_SIZ_BYTES = 64
_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
_SOC_SIZ = b"\xff\x4f\xff\x51"
_EOC = b"\xff\xd9"
_MAX_BOXES = 1000


@dataclass(frozen=True)
class Jp2Header:
    """What a JPEG 2000 file says about itself.

    Attributes
    ----------
    height, width
        Size in pixels.
    bands
        Number of components.
    bits
        Bits of the first component.
    tile_height, tile_width
        Size of the codestream's tiles in pixels: the smallest unit of decoding.
    """

    height: int
    width: int
    bands: int
    bits: int
    tile_height: int
    tile_width: int


def check_jp2(files: ProductFiles, name: str) -> Jp2Header:
    """Read a JPEG 2000 file's header and check that its end is there, without decoding.

    Raises
    ------
    InvalidInputError
        If it is not a JPEG 2000 file or is shorter than its boxes say.
    """
    size, label = files.sizes[name], f"{name} in {files.path}"
    with files.open(name, HEADER_BYTES) as stream:
        start, end = _find_codestream(stream, size, label)
        if end > size:
            raise _damaged(label, f"it should have {end} bytes and has {size}")
        stream.seek(start)
        header = _read_header(stream.read(_SIZ_BYTES), label)
        if isinstance(files.locate(name), Path):  # elsewhere it costs a request or inflating
            stream.seek(end - len(_EOC))
            if stream.read(len(_EOC)) != _EOC:
                raise _damaged(label, "its codestream has no end marker")
    return header


def _find_codestream(stream: IO[bytes], size: int, label: str) -> tuple[int, int]:
    """Return where the contiguous codestream starts and stops, in bytes."""
    start = stream.read(len(_SIGNATURE))
    if start != _SIGNATURE and not _SIGNATURE.startswith(start):
        raise InvalidInputError(
            f"{label} is damaged: it does not begin as a JPEG 2000 file.",
            remedy="Fetch the product again from its provider.",
        )
    if start != _SIGNATURE:
        raise _damaged(label, "it is cut short")
    position = len(_SIGNATURE)
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        head = stream.read(16)
        if len(head) < 8:  # noqa: PLR2004 -- a box begins with its length and type, 4 bytes each
            break
        length, kind = struct.unpack(">I4s", head[:8])
        content = position + 8
        if length == 1 and len(head) == 16:  # noqa: PLR2004 -- extended length
            length, content = struct.unpack(">Q", head[8:])[0], position + 16
        end = size if length == 0 else position + length
        if kind == b"jp2c":
            return content, end
        if end <= position:
            break
        position = end
    raise _damaged(label, "its codestream is missing")


def _read_header(data: bytes, label: str) -> Jp2Header:
    if data[:4] != _SOC_SIZ or len(data) < 43:  # noqa: PLR2004 -- the SIZ marker of one component
        raise _damaged(label, "its codestream has no header")
    fields = struct.unpack(">HHIIIIIIIIHB", data[4:43])
    _, _, x_size, y_size, x_origin, y_origin, tile_x, tile_y, _, _, bands, depth = fields
    return Jp2Header(
        height=y_size - y_origin,
        width=x_size - x_origin,
        bands=bands,
        bits=(depth & 0x7F) + 1,
        tile_height=min(tile_y, y_size),
        tile_width=min(tile_x, x_size),
    )


def _damaged(label: str, why: str) -> DamagedError:
    return DamagedError(
        f"{label} is damaged: {why}.", remedy="Fetch the product again from its provider."
    )


def read(product: "SafeProduct", group: Group) -> xr.Dataset:
    """Read the rasters of a group, lazily.

    A damaged file counts as missing.

    Returns
    -------
    xarray.Dataset
        ``(y, x)``, or ``(band, y, x)`` with bands counted from 1; coordinates of pixel centres
        and the grid mapping ``spatial_ref``.

    Raises
    ------
    InvalidInputError
        If a file's size in pixels differs from the metadata.
    """
    variables = {}
    grid: GeoBox | None = None
    for name, variable in group.variables.items():
        pattern = (variable.file or group.file).replace("{source}", variable.source)
        file = product.files.find(pattern)
        if file is None:
            if not group.optional:
                product.missing.append(f"{group.path}/{name}")
            continue
        if grid is None:
            grid = _read_grid(product, group)
            product.grids.append(grid)
        kind = product.mapping.kind_of(group, variable)
        try:
            header = check_jp2(product.files, file)
        except DamagedError as error:
            product.damaged.append(error.what)
            product.missing.append(f"{group.path}/{name}")
            continue
        _check_shape(f"{file} in {product.files.path}", header, (kind.bands, *grid.shape))
        packing = _find_packing(product, kind, variable.source)
        values = _read_lazily(product.files, file, header, kind, packing)
        variables[name] = _describe(values, kind, packing)
    if grid is None:
        return xr.Dataset()
    data = xr.Dataset(variables, coords=xr_coords(grid, "spatial_ref"))
    return data.assign_coords(band=np.arange(1, data.sizes["band"] + 1)) if "band" in data else data


def _read_grid(product: "SafeProduct", group: Group) -> GeoBox:
    step = group.options["resolution_m"]
    rows, columns, left, top = (
        read_named(product, name, str(step)) for name in ("rows", "columns", "left", "top")
    )
    crs = read_named(product, "crs")
    try:
        CRS.from_user_input(crs)
    except CRSError as error:
        document = product.documents[product.mapping.entries["crs"].document]
        raise document.refuse(f"has the coordinate reference system {crs!r}") from error
    return GeoBox((rows, columns), Affine(float(step), 0.0, left, 0.0, -float(step), top), crs)


def _check_shape(label: str, header: Jp2Header, expected: tuple[int, ...]) -> None:
    actual = (header.bands, header.height, header.width)
    if actual != expected:
        raise InvalidInputError(
            f"{label} has (bands, rows, columns) {actual}; the product's metadata say {expected}.",
            remedy="Fetch the product again from its provider.",
        )


def _read_lazily(
    files: ProductFiles, name: str, header: Jp2Header, kind: Kind, packing: Packing | None
) -> da.Array:
    """Return lazy values in windows of whole tiles, so that each tile is decoded once."""
    plane = (header.height, header.width)
    shape = plane if len(kind.dims) == _PLANE_DIMS else (kind.bands, *plane)
    dtype = np.dtype(kind.dtype)
    windows = RasterWindows(
        file=files.raster(name),
        shape=shape,
        dtype=dtype,
        driver="JP2OpenJPEG",
        packed_bands=kind.bands if kind.pack_bits else 0,
        chunks=(
            *shape[:-2],
            _window_edge(header.tile_height, header.height),
            _window_edge(header.tile_width, header.width),
        ),
    )
    token = tokenize(windows, files.sizes[name], files.changed_ns(name), packing)
    if packing is None:
        return make_lazy(StoredArray(windows, None, dtype), f"jp2-{token}")
    return make_lazy(StoredArray(windows, packing.decode, packing.values), f"jp2-{token}")


def _window_edge(tile: int, length: int) -> int:
    return min(length, tile * max(1, round(READ_PIXELS / tile)))


def _find_packing(product: "SafeProduct", kind: Kind, source: str) -> Packing | None:
    """Return the packing, with factors from metadata if so mapped; None for plain numbers."""
    if kind.scale_factor is None:
        return None
    scale, offset = (
        read_named(product, item.replace("{source}", source)) if isinstance(item, str) else item
        for item in (kind.scale_factor, kind.add_offset or 0.0)
    )
    fills = () if kind.fill_value is None else (kind.fill_value, *kind.further_fills)
    values = np.dtype(kind.decoded or "float32")
    return Packing(np.dtype(kind.dtype), values, scale, offset, fills)


def _describe(values: da.Array, kind: Kind, packing: Packing | None) -> xr.DataArray:
    variable = xr.DataArray(values, dims=kind.dims, attrs=dict(kind.attrs))
    if packing is None:
        variable.encoding = {"dtype": np.dtype(kind.dtype), "grid_mapping": "spatial_ref"}
        return variable
    variable.encoding = {
        "dtype": np.dtype(kind.dtype),
        "scale_factor": packing.scale,
        "add_offset": packing.offset,
        "_FillValue": int(packing.missing[0]) if packing.missing else None,
        "grid_mapping": "spatial_ref",
    }
    return variable


def write(folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
    """Write a group's rasters without loss, a file for each.

    Raises
    ------
    InvalidInputError
        If the group has no grid.
    """
    grid = grid_of(data)
    if grid is None:
        raise InvalidInputError(
            f"{group.path} has no grid.",
            remedy="Give it coordinates y and x and a coordinate reference system.",
        )
    for name, variable in group.variables.items():
        if name not in data:
            continue
        kind = folder.mapping.kind_of(group, variable)
        path = folder.place(variable.file or group.file, variable.source)
        write_jp2(path, _encode(data[name], kind), grid)


def _encode(variable: xr.DataArray, kind: Kind) -> npt.NDArray[Any]:
    """Return the numbers of the file, ``(band, y, x)``."""
    dtype = np.dtype(kind.dtype)
    encoding = variable.encoding
    if encoding.get("scale_factor") is not None:
        fill = encoding.get("_FillValue", kind.fill_value)
        fills = () if fill is None else (float(fill), *kind.further_fills)
        scale, offset = encoding["scale_factor"], encoding.get("add_offset")
        packing = Packing(dtype, variable.dtype, scale, offset, fills)
        variable = xr.apply_ufunc(  # chunk by chunk: packed numbers are half as large
            packing.encode,
            variable,
            dask="parallelized",
            output_dtypes=[dtype],
        )
    values = variable.to_numpy()
    if kind.pack_bits:
        values = np.stack([(values >> bit) & 1 for bit in range(kind.bands)])
    planes = values if values.ndim > _PLANE_DIMS else values[np.newaxis]
    return np.asarray(planes, dtype)


def write_jp2(path: Any, planes: npt.NDArray[Any], grid: GeoBox) -> None:
    """Write ``(band, y, x)`` numbers as a JPEG 2000 file, losslessly."""
    import rasterio

    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", count=planes.shape[0], height=planes.shape[1],
        width=planes.shape[2], dtype=planes.dtype.name, crs=str(grid.crs), transform=grid.affine,
        QUALITY="100", REVERSIBLE="YES", YCBCR420="NO",
    ) as sink:  # fmt: skip
        sink.write(planes)
