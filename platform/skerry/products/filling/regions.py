"""Regions of arrays, and the assembly of blocks to complete regions."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

Region = tuple[slice, ...]
EDGE_PIXELS = 2048
"""Approximate edge in pixels of a region."""
LINE_NUMBERS = 2**22
"""Count of numbers in a region of a one-dimensional array."""


def choose_steps(
    unit: Sequence[int], shape: Sequence[int], *, even: bool = False
) -> tuple[int, ...]:
    """Return the lengths of regions: each is a whole unit, or several small units.

    Parameters
    ----------
    unit
        Lengths of the part that is written as one object.
    shape
        Of the array.
    even
        Whether rows and columns have to be even numbers, so that they can be halved.
    """
    steps = list(unit)
    least = EDGE_PIXELS if len(unit) > 1 else LINE_NUMBERS
    for axis in range(max(0, len(unit) - 2), len(unit)):
        steps[axis] *= max(1, least // max(unit[axis], 1))
        if even and steps[axis] % 2:
            steps[axis] *= 2
    return tuple(
        max(1, min(step, size + size % 2)) for step, size in zip(steps, shape, strict=True)
    )


def list_regions(shape: Sequence[int], steps: Sequence[int]) -> Iterator[Region]:
    """Yield the regions of an array row by row; at the end of the array they are smaller."""
    ranges = [range(0, size, step) for size, step in zip(shape, steps, strict=True)]
    for starts in itertools.product(*ranges):
        yield tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(starts, steps, shape, strict=True)
        )


def count_numbers(region: Region) -> int:
    """Return how many numbers a region has."""
    return math.prod(item.stop - item.start for item in region)


def cut_region(
    region: Region, numbers: npt.NDArray[Any], unit: tuple[int, ...]
) -> Iterable[tuple[tuple[int, ...], npt.NDArray[Any]]]:
    """Yield the units of a region: their places in the array, and their numbers."""
    ranges = [
        range(item.start // step, -(-item.stop // step))
        for item, step in zip(region, unit, strict=True)
    ]
    for place in itertools.product(*ranges):
        yield (
            place,
            numbers[
                tuple(
                    slice(at * step - item.start, (at + 1) * step - item.start)
                    for at, step, item in zip(place, unit, region, strict=True)
                )
            ],
        )


def pad(block: npt.NDArray[Any], shape: tuple[int, ...], fill: Any) -> npt.NDArray[Any]:
    """Return a block in C order, filled up to a chunk's full shape."""
    if block.shape == shape:
        return np.ascontiguousarray(block)
    chunk = np.full(shape, 0 if fill is None else fill, block.dtype)
    chunk[tuple(slice(0, size) for size in block.shape)] = block
    return chunk


class Assembly:
    """Assembles regions from blocks in any order; several threads may add at once.

    Parameters
    ----------
    shape, dtype
        Of the array.
    steps
        Lengths of a region.
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype[Any], steps: Sequence[int]) -> None:
        self.shape, self.dtype, self.steps = tuple(shape), dtype, tuple(steps)
        self._lock = Lock()
        self._parts: dict[tuple[int, ...], tuple[npt.NDArray[Any], int]] = {}

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of regions: they wait in memory when blocks come row by row."""
        *leading, rows, columns = (1, 1, *self.shape)
        height = min(rows, self.steps[-2] if len(self.steps) > 1 else 1)
        return math.prod(leading) * height * columns * self.dtype.itemsize

    def add(self, region: Region, block: npt.NDArray[Any]) -> Iterator[tuple[Region, Any]]:
        """Add a block; yield the regions that it completes, with their numbers."""
        touched = [
            range(item.start // step, -(-item.stop // step))
            for item, step in zip(region, self.steps, strict=True)
        ]
        for place in itertools.product(*touched):
            chunk = tuple(
                slice(at * step, min((at + 1) * step, size))
                for at, step, size in zip(place, self.steps, self.shape, strict=True)
            )
            numbers = self._put(place, chunk, region, block)
            if numbers is not None:
                yield chunk, numbers

    def _put(
        self, place: tuple[int, ...], chunk: Region, region: Region, block: npt.NDArray[Any]
    ) -> npt.NDArray[Any] | None:
        """Copy the block's part of a region; return the region's numbers if it is complete now."""
        common = [
            (max(one.start, other.start), min(one.stop, other.stop))
            for one, other in zip(chunk, region, strict=True)
        ]
        part = block[
            tuple(
                slice(low - item.start, high - item.start)
                for (low, high), item in zip(common, region, strict=True)
            )
        ]
        total = count_numbers(chunk)
        if part.size == total:
            return part
        with self._lock:
            numbers, left = self._parts.pop(place, (None, total))
            if numbers is None:
                numbers = np.empty([item.stop - item.start for item in chunk], self.dtype)
            numbers[
                tuple(
                    slice(low - item.start, high - item.start)
                    for (low, high), item in zip(common, chunk, strict=True)
                )
            ] = part
            if left == part.size:
                return numbers
            self._parts[place] = (numbers, left - part.size)
        return None
