"""A full Sentinel-2 L2A EOPF product of 4.2 GB, as the metadata of a real one describe it.

Groups, arrays, types, chunks, codecs and attributes are the real ones. Numbers are made: fields
with a sensor's noise in every pixel, smooth atmosphere, masks of stripes and round clouds, so that
they compress about as real ones do. Its metadata come from the folder of real products that
``SKERRY_REAL_DATA`` names.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

METADATA = "eopf/s2/S2A_MSIL2A_20251008T100041_N0511_R122_T32TQM_20251008T122613.json"
FIELD_M, CLOUD_M, DETECTOR_M = 960, 7_000, 24_000
NOISE, QUICKLOOK_NOISE = 128, 0.7
"""Standard deviations of the noise in stored numbers.

Chosen by what real rasters at 60 m take for a pixel with data (Blosc, zstd 3, bit shuffle, chunks
of 256): bands 11.6 bits and the quicklook's three colours 11.0, in the product that
``SKERRY_REAL_DATA`` holds. Made ones take 11.2 and 10.9.
"""
STRETCH = 255 / 6000
EMPTY = 0.06
"""Share of the columns without data, at the left edge."""


def find_metadata() -> Path | None:
    """Return the metadata of the real product, None where there are none."""
    place = Path(os.environ.get("SKERRY_REAL_DATA") or "/nonexistent") / METADATA
    return place if place.is_file() else None


def write_real_scene(folder: Path, metadata: Path) -> Path:
    """Write the product below `folder`; return its path (Zarr 2)."""
    product = folder / f"{metadata.stem}.zarr"
    document = json.loads(metadata.read_text())
    root = zarr.create_group(product, zarr_format=2, attributes=document["attributes"])
    noise = np.random.default_rng(20260501)
    _fill_group(root, document["members"], noise)
    zarr.consolidate_metadata(root.store)
    return product


def _fill_group(group: zarr.Group, members: dict[str, Any], noise: np.random.Generator) -> None:
    for name, member in members.items():
        if "members" in member:
            child = group.create_group(name, attributes=member["attributes"])
            _fill_group(child, member["members"], noise)
            continue
        array = group.create_array(
            name,
            shape=tuple(member["shape"]),
            chunks=tuple(max(1, size) for size in member["chunks"]),
            dtype=np.dtype(member["dtype"]),
            compressors=_read_codec(member["compressor"]),
            fill_value=member["fill_value"],
            attributes=member["attributes"],
            chunk_key_encoding={"name": "v2", "separator": member["dimension_separator"]},
            config={"write_empty_chunks": True},
        )
        _fill_array(array, members, noise)


def _read_codec(config: dict[str, Any] | None) -> Any:
    import numcodecs

    return None if config is None else numcodecs.get_codec(config)


def _fill_array(array: Any, members: dict[str, Any], noise: np.random.Generator) -> None:
    if array.name.rpartition("/")[2] in ("x", "y") and array.ndim == 1:
        array[...] = _place_axis(array, members)
    elif array.dtype.kind in "UT":
        array[...] = np.arange(array.size).reshape(array.shape).astype(array.dtype)
    elif array.ndim < 2 or array.shape[-1] < 1000:
        array[...] = np.linspace(1, 60, array.size).reshape(array.shape).astype(array.dtype)
    else:
        for window in _list_windows(array):
            array[window] = _draw(array, window, noise)


def _place_axis(array: Any, members: dict[str, Any]) -> NDArray[Any]:
    """Return pixel centres, by the transform of a raster beside the axis."""
    for member in members.values():
        transform = member["attributes"].get("proj:transform")
        if transform is not None:
            step, start = transform[0:3:2] if array.name.endswith("x") else transform[4:6]
            return np.asarray(start + (np.arange(array.size) + 0.5) * step, array.dtype)
    return np.arange(array.size, dtype=array.dtype) * 5000


def _list_windows(array: Any) -> list[tuple[slice, ...]]:
    counts = [-(-size // step) for size, step in zip(array.shape, array.chunks, strict=True)]
    return [
        tuple(slice(at * step, (at + 1) * step) for at, step in zip(at, array.chunks, strict=True))
        for at in np.ndindex(*counts)
    ]


def _draw(array: Any, window: tuple[slice, ...], noise: np.random.Generator) -> NDArray[Any]:
    """Return the numbers of a window of a raster."""
    pixel = 109_800 / array.shape[-1]
    rows, columns = (
        np.arange(*item.indices(size)) * pixel
        for item, size in zip(window[-2:], array.shape[-2:], strict=True)
    )
    name = array.name.lstrip("/")
    shape = (len(rows), len(columns))
    if name.startswith("measurements"):
        drawn = _draw_fields(rows, columns, noise) + NOISE * _draw_noise(noise, shape)
    elif "quicklook" in name:
        plane = _draw_fields(rows, columns, noise) * STRETCH
        drawn = plane + QUICKLOOK_NOISE * _draw_noise(noise, (array.shape[0], *shape))
    elif "atmosphere" in name:
        drawn = 200 + 60 * np.sin(rows[:, None] / 9e3) * np.cos(columns / 7e3)
    elif "detector" in name:
        drawn = 1 + (columns + rows[:, None] / 8) // DETECTOR_M % 12
    else:
        clouds = np.sin(rows[:, None] / CLOUD_M) * np.sin(columns / CLOUD_M) - 0.3
        levels = 100 if "probability" in name else 8 if "scl" in name else 1
        drawn = np.ceil(np.clip(clouds, 0, 1) * levels)
    limits = np.iinfo(array.dtype)
    numbers = np.clip(np.rint(drawn), limits.min, limits.max).astype(array.dtype)
    if name.startswith("measurements"):
        numbers[..., columns < EMPTY * 109_800] = 0
    return numbers


def _draw_noise(noise: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return noise.standard_normal(shape, dtype=np.float32)


def _draw_fields(
    rows: NDArray[Any], columns: NDArray[Any], noise: np.random.Generator
) -> NDArray[Any]:
    """Return fields of different brightness, 1200 to 5000."""
    fields = noise.uniform(1200, 5000, (116, 116)).astype(np.float32)
    return fields[np.ix_((rows // FIELD_M).astype(int), (columns // FIELD_M).astype(int))]
