"""Overview levels: their grids, and how four pixels become one.

Each level has half the resolution of the level before and the same upper left corner. Odd sizes
round up: the last row or column of cells then reaches past the data, and its values come from
the existing pixels.
"""

import math
from enum import StrEnum
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from skerry.products.coding.packing import round_into

COARSEST_EDGE = 256
"""Levels are added while one side is longer than this many pixels: the coarsest fits in a tile."""

BLOCK_ROWS = 64
"""Rows of cells to halve at a time, so that intermediate values stay in the CPU's cache."""
WIDEST_SUMMED = 4
"""Integers of at most this many bytes are summed as integers of twice as many bytes."""
Numbers = npt.NDArray[Any]
Corners = tuple[Numbers, ...]


class Rule(StrEnum):
    """How four pixels become one."""

    MEAN = "average"
    MODE = "mode"


def rule_for(variable: xr.DataArray) -> Rule:
    """Return `Rule.MODE` for classes and flags (CF ``flag_*``, booleans), else the mean."""
    if variable.dtype == bool or any(key.startswith("flag_") for key in variable.attrs):
        return Rule.MODE
    return Rule.MEAN


def list_levels(grid: GeoBox, coarsest: int = COARSEST_EDGE) -> list[GeoBox]:
    """Return the grids of all levels, `grid` first, until none of its sides is longer."""
    levels = [grid]
    while max(levels[-1].shape) > coarsest:
        last = levels[-1]
        a, b, c, d, e, f = last.affine[:6]
        shape = ((last.shape.y + 1) // 2, (last.shape.x + 1) // 2)
        levels.append(GeoBox(shape, Affine(2 * a, 2 * b, c, 2 * d, 2 * e, f), last.crs))
    return levels


def halve(numbers: Numbers, rule: Rule, missing: float | None) -> Numbers:
    """Halve the last two axes.

    Parameters
    ----------
    numbers
        ``(..., y, x)``.
    rule
        Mean over the valid pixels of each two by two (rounded half to even for integers), or
        their most frequent value; of equally frequent values the first in reading order.
    missing
        The number that means no data; NaN always means no data, too.

    Returns
    -------
    numpy.ndarray
        ``(..., ceil(y / 2), ceil(x / 2))`` of the same type; `missing` (NaN for floats without
        such a number) where no pixel is valid.
    """
    *leading, rows, columns = numbers.shape
    halved = np.empty((*leading, (rows + 1) // 2, (columns + 1) // 2), numbers.dtype)
    whole = rows // 2, columns // 2
    for start in range(0, whole[0], BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, whole[0])
        part = numbers[..., 2 * start : 2 * stop, : 2 * whole[1]]
        halved[..., start:stop, : whole[1]] = _halve_whole(part, rule, missing)
    # Cells at odd ends have fewer pixels.
    if columns % 2:
        halved[..., whole[1] :] = _halve_any(
            *_take_corners(numbers[..., -1:], missing), rule, missing
        )
    if rows % 2:
        halved[..., whole[0] :, :] = _halve_any(
            *_take_corners(numbers[..., -1:, :], missing), rule, missing
        )
    return halved


def _halve_whole(numbers: Numbers, rule: Rule, missing: float | None) -> Numbers:
    """Halve all cells of four pixels as if all were valid, then halve cells with gaps again."""
    corners = tuple(numbers[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    halved = _vote(corners) if rule is Rule.MODE else _average(corners)
    gaps = _find_gaps(corners, missing)
    if gaps is not None:
        cells = np.stack([corner[gaps] for corner in corners])
        halved[gaps] = _halve_any(cells, ~_is_gap(cells, missing), rule, missing)
    if rule is Rule.MEAN and _is_number(missing):
        measured = halved == missing if gaps is None else (halved == missing) & ~gaps
        halved[measured] = _neighbour(missing, numbers.dtype)
    return halved


def _find_gaps(corners: Corners, missing: float | None) -> npt.NDArray[np.bool_] | None:
    """Return the cells with an invalid pixel; None if all pixels are valid."""
    if corners[0].dtype.kind != "f" and missing is None:
        return None
    gaps = _is_gap(corners[0], missing)
    for corner in corners[1:]:
        gaps |= _is_gap(corner, missing)
    return gaps if gaps.any() else None


def _average(corners: Corners) -> Numbers:
    """Return means of four pixels, integers rounded half to even without leaving integers."""
    first, *rest = corners
    dtype = first.dtype
    if dtype.kind == "f":
        total = first.astype(dtype if dtype == np.float32 else np.float64)
        for corner in rest:
            total += corner
        total /= 4
        return total.astype(dtype)
    if dtype.itemsize > WIDEST_SUMMED:
        return _average_exactly(np.stack(corners), np.full(first.shape, 4, dtype))
    # A sum of four numbers needs two more bits; halves are rounded to the even number.
    wide = np.dtype(f"{dtype.kind if dtype.kind in 'iu' else 'u'}{2 * dtype.itemsize}")
    total = first.astype(wide)
    for corner in rest:
        total += corner
    total += ((total >> 2) & 1) + 1
    total >>= 2
    return total.astype(dtype)


def _average_exactly(corners: Numbers, count: Numbers) -> Numbers:
    """Return means of up to four integers each, whose sum their type may not hold.

    Parameters
    ----------
    corners
        ``(4, ...)``, 0 where a pixel is not valid.
    count
        How many pixels are valid, at least 1, of the same type.
    """
    mean = (corners // count).sum(axis=0, dtype=corners.dtype)
    rest = (corners % count).sum(axis=0, dtype=corners.dtype)
    mean += rest // count
    twice = 2 * (rest % count)
    mean += (twice > count) | ((twice == count) & (mean % 2 == 1))
    return mean


def _vote(corners: Corners) -> Numbers:
    """Return the most frequent of four values, the first in reading order among equals."""
    first, second, third, fourth = corners
    voted = first.copy()
    lonely = (first != second) & (first != third) & (first != fourth)
    if lonely.any():
        voted[lonely & (third == fourth)] = third[lonely & (third == fourth)]
        pairs = lonely & ((second == third) | (second == fourth))
        voted[pairs] = second[pairs]
    return voted


def _take_corners(numbers: Numbers, missing: float | None) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return the four pixels of each cell, ``(4, ..., y, x)``, and which of them are valid."""
    rows, columns = numbers.shape[-2:]
    half = (*numbers.shape[:-2], (rows + 1) // 2, (columns + 1) // 2)
    corners = np.zeros((4, *half), numbers.dtype)
    valid = np.zeros((4, *half), np.bool_)
    for place, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        part = numbers[..., row::2, column::2]
        inside = (..., slice(part.shape[-2]), slice(part.shape[-1]))
        corners[place][inside] = part
        valid[place][inside] = ~_is_gap(part, missing)
    return corners, valid


def _is_gap(part: Numbers, missing: float | None) -> npt.NDArray[np.bool_]:
    if part.dtype.kind != "f":
        return np.zeros(part.shape, np.bool_) if missing is None else np.asarray(part == missing)
    gaps = np.isnan(part)
    return gaps | (part == missing) if _is_number(missing) else gaps


def _is_number(missing: float | None) -> TypeGuard[float]:
    return missing is not None and not math.isnan(missing)


def _halve_any(
    corners: Numbers, valid: npt.NDArray[np.bool_], rule: Rule, missing: float | None
) -> Numbers:
    """Halve cells in which some of the four pixels may not be valid."""
    if rule is Rule.MODE:
        return _find_mode(corners, valid)
    count = valid.sum(axis=0, dtype=np.uint8)
    mean = _average_valid(np.where(valid, corners, corners.dtype.type(0)), np.maximum(count, 1))
    if _is_number(missing):
        mean[(mean == missing) & (count > 0)] = _neighbour(missing, corners.dtype)
    if missing is not None or corners.dtype.kind == "f":
        mean[count == 0] = np.nan if missing is None else missing
    return mean


def _average_valid(corners: Numbers, count: Numbers) -> Numbers:
    """Return the sums of four pixels, divided by how many of them are valid."""
    dtype = corners.dtype
    if dtype.kind != "f" and dtype.itemsize > WIDEST_SUMMED:
        return _average_exactly(corners, count.astype(dtype))
    # Sums of four float32 or of four 16-bit integers are exact enough in float32.
    narrow = dtype == np.float32 or np.can_cast(dtype, np.uint16)
    mean: Numbers = corners.sum(axis=0, dtype=np.float32 if narrow else np.float64) / count
    return np.asarray(mean, dtype) if dtype.kind == "f" else round_into(mean, dtype)


def _find_mode(corners: Numbers, valid: npt.NDArray[np.bool_]) -> Numbers:
    votes = np.zeros(corners.shape, np.uint8)
    for index in range(4):
        for other in range(4):
            votes[index] += valid[index] & valid[other] & (corners[index] == corners[other])
    winner = votes.argmax(axis=0)
    return np.asarray(np.take_along_axis(corners, winner[np.newaxis], axis=0)[0])


def _neighbour(missing: float, dtype: np.dtype[Any]) -> Any:
    """Return the number next to the number for no data; measurements use it instead."""
    if dtype.kind == "f":
        return np.nextafter(dtype.type(missing), dtype.type(1 if missing == 0 else 0))
    return int(missing) + 1 if missing < np.iinfo(dtype).max else int(missing) - 1
