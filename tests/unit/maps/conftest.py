"""Small GeoZarrs, written here with zarr alone so that the maps room is tested on its own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

Write = Callable[..., Path]


def average(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Halve a raster over valid cells, odd sizes rounded up; the test's own way of doing it."""
    height, width = values.shape
    wide = np.full((-(-height // 2) * 2, -(-width // 2) * 2), np.nan)
    wide[:height, :width] = values
    if nodata is not None:
        wide[wide == nodata] = np.nan
    blocks = wide.reshape(wide.shape[0] // 2, 2, wide.shape[1] // 2, 2).swapaxes(1, 2)
    blocks = blocks.reshape(*blocks.shape[:2], 4)
    valid = np.isfinite(blocks).sum(axis=-1)
    mean = np.nansum(blocks, axis=-1) / np.maximum(valid, 1)
    mean[valid == 0] = np.nan
    if values.dtype.kind == "f":
        return mean.astype(values.dtype)
    return np.where(np.isnan(mean), nodata or 0, np.round(mean)).astype(values.dtype)


def write_levels(
    top: Path,
    values: np.ndarray,
    *,
    name: str = "v",
    group: str = "",
    crs: str = "EPSG:32633",
    transform: tuple[float, ...] = (10.0, 0.0, 400_000.0, 0.0, -10.0, 5_100_000.0),
    chunk: int = 128,
    folder: str = "product.zarr",
    attributes: dict[str, Any] | None = None,
) -> Path:
    """Write `values` with overviews below `top`, and return the store's folder."""
    path = top / folder
    root = zarr.open_group(path, mode="a")
    parent = root.require_group(group) if group else root
    nodata = (attributes or {}).get("_FillValue")
    layout: list[dict[str, Any]] = []
    a, b, c, d, e, f = transform
    while True:
        asset = str(len(layout))
        level = parent.require_group(asset)
        array = level.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            chunks=tuple(min(chunk, size) for size in values.shape),
            attributes=attributes or {},
        )
        array[...] = values
        layout.append({"asset": asset, "spatial:transform": [a, b, c, d, e, f]})
        if max(values.shape) <= 256:
            break
        values, a, e = average(values, nodata), a * 2, e * 2
    parent.attrs.update({"multiscales": {"layout": layout}, "proj:code": crs})
    return path


@pytest.fixture
def write_pyramid(tmp_path: Path) -> Write:
    """Return a function that writes `values` with overviews, and gives the store's folder."""
    return partial(write_levels, tmp_path)
