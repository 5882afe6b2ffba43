"""Open a folder of COGs, one a variable, as the product that it was."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.core.errors import InvalidInputError
from skerry.products.cf import PACKING, decode
from skerry.products.codecs import parse_codec
from skerry.products.cogs.writing import ITEM
from skerry.products.raster_files import RasterFile
from skerry.storage.objects import check_key
from skerry.storage.remote import RemotePath

MAX_ITEM_BYTES = 64 * 2**20
READ_PIXELS = 2048


def open_cog_set(place: Path | RemotePath) -> xr.DataTree:
    """Open a folder that `write_cog_set` made, lazily.

    Raises
    ------
    InvalidInputError
        If its item is damaged, too large, or was not made by `write_cog_set`.
    """
    label = place / ITEM
    item = _read_item(label)
    datasets: dict[str, xr.Dataset] = {}
    try:
        for path, attrs in item["skerry:groups"].items():
            datasets[path] = xr.Dataset(attrs=attrs)
        for asset in item["assets"].values():
            group, _, name = check_key(asset["skerry:variable"]).rpartition("/")
            raster = _open_one(place, name, asset)
            known = datasets.get(f"/{group}", xr.Dataset())
            datasets[f"/{group}"] = known.assign_coords(raster.coords).assign({name: raster})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"{label} does not describe a set of COGs ({type(error).__name__}: {error}).",
            remedy="Give a folder that skerry convert --format cog made.",
        ) from error
    return xr.DataTree.from_dict(datasets, name=item["id"])


def _read_item(label: Path | RemotePath) -> dict[str, Any]:
    if isinstance(label, RemotePath):
        text = label.read_bytes(MAX_ITEM_BYTES)
    else:
        if label.stat().st_size > MAX_ITEM_BYTES:
            raise InvalidInputError(
                f"{label} has {label.stat().st_size} bytes, more than {MAX_ITEM_BYTES}.",
                remedy="Write the product again with less in its attributes.",
            )
        text = label.read_bytes()
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{label} is no JSON ({error}).", remedy="Fetch the product again."
        ) from error
    return found


def _open_one(place: Path | RemotePath, name: str, asset: dict[str, Any]) -> xr.DataArray:
    where = f"{asset['skerry:variable']}.tif"
    at = place / where
    remote = at if isinstance(at, RemotePath) else None
    file = RasterFile(at.name if remote else str(at), str(at), remote)
    encoding = dict(asset["skerry:encoding"])
    grid = _read_grid(asset)
    bands = asset.get("skerry:bands")
    shape = (*([len(asset["raster:bands"])] if bands else []), *asset["proj:shape"])
    dims = (*([bands["dimension"]] if bands else []), "y", "x")
    numbers = _Numbers(file, shape, np.dtype(encoding.pop("dtype")))
    attrs = {
        key: float("nan") if one == "nan" else one
        for key, one in encoding.items()
        if key in PACKING
    }
    raw = xr.Variable(dims, numbers.to_dask(), {**asset["skerry:attributes"], **attrs})
    raw.encoding = {
        "grid_mapping": "spatial_ref",
        "chunks": tuple(encoding["chunks"]),
        "compressors": parse_codec(encoding["codec"]).to_configs(),
    }
    values = decode(raw)
    coords = dict(xr_coords(grid, crs_coord_name="spatial_ref"))
    if bands and "values" in bands:
        leading = np.asarray(bands["values"]).astype(bands["dtype"])
        coords[dims[0]] = xr.DataArray(leading, dims=dims[:1], attrs=bands["attributes"])
    raster = xr.DataArray(values, coords=coords, name=name)
    raster.encoding = values.encoding  # which a new array drops
    return raster


def _read_grid(asset: Mapping[str, Any]) -> GeoBox:
    crs = asset.get("proj:code") or asset["proj:wkt2"]
    return GeoBox(tuple(asset["proj:shape"]), Affine(*asset["proj:transform"]), crs)


@dataclass(frozen=True)
class _Numbers:
    """The numbers of a COG, read window by window; the file is opened anew for each."""

    file: RasterFile
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        """Read a window."""
        from rasterio.windows import Window

        rows, columns = (
            slice(*one.indices(size)) for one, size in zip(key[-2:], self.shape[-2:], strict=True)
        )
        window = Window.from_slices(rows, columns)
        with self.file.open("GTiff") as source:
            if (source.height, source.width) != tuple(self.shape[-2:]):
                raise InvalidInputError(
                    f"{self.file.label} has {source.height} by {source.width} pixels and its item "
                    f"says {self.shape[-2]} by {self.shape[-1]}.",
                    remedy="Write the set of COGs again.",
                )
            if self.ndim == 2:  # noqa: PLR2004 -- y, x
                read = source.read(1, window=window)
            else:
                bands = list(range(1, self.shape[0] + 1))[key[0]]
                read = source.read(bands, window=window)
        return np.asarray(read).astype(self.dtype)

    def to_dask(self) -> Any:
        """Return a lazy array in blocks of whole stored ones."""
        import dask.array as da
        from dask.base import tokenize

        chunks = (*self.shape[:-2], *(min(READ_PIXELS, one) for one in self.shape[-2:]))
        name = f"cog-{tokenize(self.file.label, self.shape, self._stamp())}"
        return da.from_array(  # type: ignore[no-untyped-call]
            self, chunks=chunks, name=name, meta=np.empty((0,) * self.ndim, self.dtype)
        )

    def _stamp(self) -> int:
        path = Path(self.file.path)
        return path.stat().st_mtime_ns if self.file.remote is None and path.exists() else 0
