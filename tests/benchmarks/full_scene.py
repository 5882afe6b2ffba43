"""A full-sized simulated Sentinel-2 L2A EOPF product, packed and chunked as real ones.

The simulator's small product, enlarged: every raster repeats with noise of a sensor's size in every
pixel, so that it compresses as a real one does; everything else is copied. SIMULATED, as its
attributes say. Chunks as in real products: a quarter of a band, whole masks.
"""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

SMALL = 1098
"""Pixels of 10 m along an edge of what is enlarged."""
FACTOR = 10
NOISE = 12
"""Standard deviation of the noise in packed numbers: 0.0012 of reflectance."""
LEFT_OUT = (
    "conditions/mask/detector_footprint", "quality/mask", "quality/l2a_quicklook",
    "quality/atmosphere/r10m",
)  # fmt: skip
"""Left out, so that 1.9 GB remain: what a water service reads."""


def write_full_scene(
    folder: Path, *, day: str = "2026-05-01", only: tuple[str, ...] = (), factor: int = FACTOR
) -> Path:
    """Simulate, enlarge and write a product below `folder`; return its path (Zarr v2).

    `only` names the arrays and groups that are written instead of all but `LEFT_OUT`.
    """
    from skerry.products import open_product
    from skerry.products.eopf.writing import write_eopf_zarr
    from skerry.simulate import simulate_s2_l2a

    scene = simulate_s2_l2a(folder / "small", size=SMALL, day=day)
    small = folder / f"small-{day}.zarr"
    write_eopf_zarr(open_product(scene), small, zarr_format=2, profile="2025")
    full = folder / f"{scene.name.removesuffix('.SAFE')}.zarr"
    _enlarge(zarr.open_group(small, mode="r"), full, only, factor)
    return full


def _enlarge(small: zarr.Group, path: Path, only: tuple[str, ...], factor: int) -> None:
    full = zarr.create_group(path, zarr_format=2, attributes=dict(small.attrs))
    noise = np.random.default_rng(20260501)
    for name, member in small.members(max_depth=None):
        if name.startswith(LEFT_OUT) or (only and not _is_wanted(name, only)):
            continue
        if isinstance(member, zarr.Group):
            full.require_group(name).attrs.update(dict(member.attrs))
        else:
            _enlarge_array(member, full, name, factor, noise)
    zarr.consolidate_metadata(full.store)


def _is_wanted(name: str, only: tuple[str, ...]) -> bool:
    return any(name.startswith(item) or item.startswith(f"{name}/") for item in only)


def _enlarge_array(
    array: zarr.Array, full: zarr.Group, name: str, factor: int, noise: np.random.Generator
) -> None:
    attrs = dict(array.attrs)
    values: NDArray[Any] = np.asarray(array[...])
    dims = attrs["_ARRAY_DIMENSIONS"]
    raster = dims[-2:] == ["y", "x"] and not name.startswith("conditions/geometry")
    axis = dims in (["y"], ["x"]) and not name.startswith("conditions/geometry")
    if raster:
        shape = tuple(size * factor for size in values.shape)
        bands = name.startswith("measurements")
        chunks = tuple(min(size, 5490) for size in shape) if bands else shape
        attrs |= {"proj:shape": list(shape)} if "proj:shape" in attrs else {}
    else:
        if axis:
            step = values[1] - values[0]
            values = values[0] + step * np.arange(values.size * factor, dtype=values.dtype)
        shape = chunks = values.shape
    result = full.create_array(
        name, shape=shape, chunks=chunks, dtype=values.dtype, fill_value=array.fill_value,
        compressors=array.compressors, attributes=attrs,
        # Without a fill value zarr 2, which eopf uses, reads what was in memory for absent chunks.
        config={"write_empty_chunks": True},
    )  # fmt: skip
    if not raster:
        result[...] = values
        return
    for window in np.ndindex(*(length // size for length, size in zip(shape, chunks, strict=True))):
        block = np.tile(
            values, [size // old for size, old in zip(chunks, values.shape, strict=True)]
        )
        if values.dtype == np.uint16:
            shifted = block + np.rint(noise.normal(0, NOISE, block.shape)).astype(np.int32)
            block = np.where(block == 0, 0, np.clip(shifted, 1, 65534)).astype(np.uint16)
        starts = [number * size for number, size in zip(window, chunks, strict=True)]
        result[tuple(slice(at, at + size) for at, size in zip(starts, chunks, strict=True))] = block
