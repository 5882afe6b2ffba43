"""Overview levels: their grids, and how four pixels become one.

Each level has half of the resolution of the one before and the same upper left corner. Odd sizes
round up: the last row or column of cells then reaches past the data, and its values come from
the pixels that are there.
"""

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from skerry.products.coding.packing import round_into

COARSEST_EDGE = 256
"""Levels are added while one side is longer than this many pixels: the coarsest fits in a tile."""


class Rule(StrEnum):
    """How four pixels become one."""

    MEAN = "average"
    MODE = "mode"


def rule_for(variable: xr.DataArray) -> Rule:
    """Return `Rule.MODE` for classes and flags (CF ``flag_*`` attributes, booleans), else mean."""
    if variable.dtype == bool or any(key.startswith("flag_") for key in variable.attrs):
        return Rule.MODE
    return Rule.MEAN


def list_levels(grid: GeoBox) -> list[GeoBox]:
    """Return the grids of all levels, `grid` first."""
    levels = [grid]
    while max(levels[-1].shape) > COARSEST_EDGE:
        last = levels[-1]
        a, b, c, d, e, f = last.affine[:6]
        shape = ((last.shape.y + 1) // 2, (last.shape.x + 1) // 2)
        levels.append(GeoBox(shape, Affine(2 * a, 2 * b, c, 2 * d, 2 * e, f), last.crs))
    return levels


def halve(numbers: npt.NDArray[Any], rule: Rule, missing: float | None) -> npt.NDArray[Any]:
    """Halve the last two axes.

    Parameters
    ----------
    numbers
        ``(..., y, x)``.
    rule
        Mean over the valid ones of each two by two pixels (rounded half to even for integers), or
        their most frequent value, the first in reading order among equals.
    missing
        The number that stands for no data; NaN always does.

    Returns
    -------
    numpy.ndarray
        ``(..., ceil(y / 2), ceil(x / 2))`` of the same type; `missing` (NaN for floats) where no
        pixel is valid.
    """
    corners, valid = _take_corners(numbers, missing)
    if rule is Rule.MODE:
        return _find_mode(corners, valid)
    count = valid.sum(axis=0, dtype=np.uint8)
    # Sums of four float32 or of four 16-bit integers are exact enough in float32.
    narrow = numbers.dtype == np.float32 or np.can_cast(numbers.dtype, np.uint16)
    wide = np.float32 if narrow else np.float64
    total = np.where(valid, corners, 0).sum(axis=0, dtype=wide)
    mean = total / np.maximum(count, 1)
    if np.issubdtype(numbers.dtype, np.floating):
        mean[count == 0] = np.nan
        return np.asarray(mean, numbers.dtype)
    rounded = round_into(mean, numbers.dtype)
    if missing is not None:
        rounded = _avoid(rounded, int(missing), count > 0)
        rounded[count == 0] = int(missing)
    return rounded


def _take_corners(
    numbers: npt.NDArray[Any], missing: float | None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return the four pixels of each cell, ``(4, ..., y, x)``, and which of them are valid."""
    rows, columns = numbers.shape[-2:]
    half = (*numbers.shape[:-2], (rows + 1) // 2, (columns + 1) // 2)
    corners = np.zeros((4, *half), numbers.dtype)
    valid = np.zeros((4, *half), np.bool_)
    for place, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        part = numbers[..., row::2, column::2]
        inside = (..., slice(part.shape[-2]), slice(part.shape[-1]))
        corners[place][inside] = part
        valid[place][inside] = _is_valid(part, missing)
    return corners, valid


def _is_valid(part: npt.NDArray[Any], missing: float | None) -> Any:
    if np.issubdtype(part.dtype, np.floating):
        return ~np.isnan(part)
    return True if missing is None else part != missing


def _find_mode(corners: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    votes = np.zeros(corners.shape, np.uint8)
    for index in range(4):
        for other in range(4):
            votes[index] += valid[index] & valid[other] & (corners[index] == corners[other])
    winner = votes.argmax(axis=0)
    return np.asarray(np.take_along_axis(corners, winner[np.newaxis], axis=0)[0])


def _avoid(
    numbers: npt.NDArray[Any], missing: int, measured: npt.NDArray[np.bool_]
) -> npt.NDArray[Any]:
    """Move measured numbers off the one that stands for no data."""
    neighbour = missing + 1 if missing < np.iinfo(numbers.dtype).max else missing - 1
    return np.where((numbers == missing) & measured, neighbour, numbers).astype(numbers.dtype)
