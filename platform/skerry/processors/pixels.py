"""Run a NumPy kernel on each chunk, so that memory holds only inputs and results."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError

Floats = npt.NDArray[np.floating[Any]]
"""A block of numbers, usually float32."""
PART_PIXELS = 2**16
"""Approximate count of numbers of each input that a kernel gets in one call."""


def map_pixels(
    kernel: Callable[..., npt.NDArray[Any]],
    *arrays: xr.DataArray,
    name: str,
    attrs: Mapping[str, Any],
    dtype: npt.DTypeLike = np.float32,
) -> xr.DataArray:
    """Apply `kernel` to arrays on one grid, chunk by chunk.

    Parameters
    ----------
    kernel
        Takes one NumPy array per input, of one shape (or such that they broadcast), and returns
        one of that shape. It sees some rows of a chunk at a time.
    arrays
        With the same coordinates where they share dimensions.
    name, attrs
        Of the result.
    dtype
        Of the result.

    Returns
    -------
    xarray.DataArray
        As lazy as the inputs, with their coordinates and grid mapping, without their attributes
        and packing.

    Raises
    ------
    InvalidInputError
        If the arrays are on different grids.
    """
    try:
        result: xr.DataArray = xr.apply_ufunc(
            partial(_compute, kernel, np.dtype(dtype)),
            *arrays,
            join="exact",
            dask="parallelized",
            output_dtypes=[np.dtype(dtype)],
            keep_attrs="override",  # of the coordinates: the grid mapping is there
        )
    except ValueError as error:  # xarray's alignment error and Dask's broadcasting error
        sizes = "; ".join(f"{array.name}: {dict(array.sizes)}" for array in arrays)
        raise InvalidInputError(
            f"The inputs of {name} are on different grids ({sizes}).",
            remedy="Bring them to one grid first: skerry.products.regridding.",
        ) from error
    result.name = name
    result.attrs = dict(attrs)
    return result


def _compute(
    kernel: Callable[..., npt.NDArray[Any]], dtype: np.dtype[Any], *blocks: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Apply a kernel to some rows at a time: its intermediate values stay in the CPU's cache."""
    shape = np.broadcast_shapes(*(block.shape for block in blocks))
    result = np.empty(shape, dtype)
    if not shape:
        result[...] = kernel(*blocks)
        return result
    rows = max(1, PART_PIXELS * shape[0] // max(result.size, 1))
    long = [block.ndim == len(shape) and len(block) == shape[0] > 1 for block in blocks]
    for start in range(0, shape[0], rows):
        part = slice(start, start + rows)
        result[part] = kernel(
            *(item[part] if cut else item for item, cut in zip(blocks, long, strict=True))
        )
    return result
