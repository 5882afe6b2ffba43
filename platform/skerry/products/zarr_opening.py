"""Open a GeoZarr or an EOPF Zarr as the tree that the SAFE reader gives."""

from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from xarray.backends import ZarrStore
from zarr.errors import GroupNotFoundError

from skerry.core.errors import InvalidInputError
from skerry.products.conventions import without_conventions
from skerry.products.packing import unpack
from skerry.products.safe.jp2 import READ_PIXELS


def open_zarr_product(path: Path, *, level: int = 0) -> xr.DataTree:
    """Open a Zarr product lazily.

    A multiscale group appears as its level `level` (or its coarsest, if it has fewer), without
    the level groups.

    Raises
    ------
    InvalidInputError
        If the store cannot be read, or holds no array.
    """
    try:
        root = zarr.open_group(path, mode="r")
        datasets = dict(_walk(root, "", level))
    except (GroupNotFoundError, KeyError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"{path} is no readable Zarr product: {error}.",
            remedy="Write it again, or fetch it again from its provider.",
        ) from error
    if not any(one.variables for one in datasets.values()):
        raise InvalidInputError(
            f"The Zarr store {path} holds no array.", remedy="Give a complete product."
        )
    return xr.DataTree.from_dict(datasets, name=path.name.removesuffix(".zarr"))


def _walk(group: zarr.Group, path: str, level: int) -> list[tuple[str, xr.Dataset]]:
    attrs = dict(group.attrs)
    children = dict(group.groups())
    assets: list[str] = []
    if "multiscales" in attrs:
        multiscales: Any = attrs["multiscales"]
        assets = [str(one["asset"]) for one in multiscales["layout"]]
        data = _open_dataset(group[assets[min(level, len(assets) - 1)]])
        data.attrs = without_conventions(attrs)
    else:
        data = _open_dataset(group)
    found = [(path or "/", data)]
    for name, child in sorted(children.items()):
        if name not in assets:
            found += _walk(child, f"{path}/{name}", level)
    return found


def _open_dataset(group: Any) -> xr.Dataset:
    raw = xr.open_dataset(
        ZarrStore(group, mode="r"),
        chunks=_choose_chunks(group),
        mask_and_scale=False,
        decode_coords="all",
    )
    raw.attrs = without_conventions(raw.attrs)
    for name in raw.data_vars:
        raw[name] = unpack(raw[name])
    for name in raw.coords:
        raw[name].attrs.pop("_FillValue", None)
    return _add_grid_mapping(raw)


def _choose_chunks(group: Any) -> dict[str, int]:
    """Return chunks for computing: several stored chunks each, so that graphs stay small."""
    stored = [one.chunks[-2:] for _, one in group.arrays() if one.ndim > 1]
    if not stored:
        return {}
    return {
        axis: size * max(1, READ_PIXELS // max(size, 1))
        for axis, size in zip(("y", "x"), stored[0], strict=True)
    }


def _add_grid_mapping(data: xr.Dataset) -> xr.Dataset:
    """Give an EOPF Zarr, whose arrays name their system as ``proj:epsg``, a grid mapping."""
    if "spatial_ref" in data.coords or not {"x", "y"} <= set(data.coords):
        return data
    codes = {one.attrs["proj:epsg"] for one in data.data_vars.values() if "proj:epsg" in one.attrs}
    if len(codes) != 1:
        return data
    from odc.geo.xr import assign_crs

    return assign_crs(data, f"EPSG:{codes.pop()}", crs_coord_name="spatial_ref")
