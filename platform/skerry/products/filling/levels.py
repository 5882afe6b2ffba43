"""An array with overviews: each level is computed from the finer level, in the same pass."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from skerry.products.coding.pyramid import Rule, halve
from skerry.products.filling.loop import Sink
from skerry.products.filling.regions import Assembly, Region
from skerry.products.filling.sources import Source


class Levels:
    """The arrays of all levels of one variable; rows and columns are last.

    Parameters
    ----------
    arrays
        Finest first; each has half the size of the array before, rounded up. Regions are even.
    rule
        How four pixels become one.
    missing
        The number that means no data.
    """

    def __init__(self, arrays: Sequence[Sink], rule: Rule, missing: float | None) -> None:
        self.layout, self.steps = arrays[0].layout, arrays[0].steps
        self._arrays, self._rule, self._missing = arrays, rule, missing
        self._assemblies = [
            Assembly(array.layout.shape, array.layout.dtype, array.steps) for array in arrays
        ]

    @property
    def held_bytes(self) -> int:
        """Bytes of incomplete regions of coarser levels: a row of each level."""
        return sum(assembly.row_bytes for assembly in self._assemblies[1:])

    def put(self, region: Region, numbers: npt.NDArray[Any]) -> None:
        """Write a region, and every region of coarser levels that it completes."""
        self._put(0, region, numbers)

    def list_copies(self, _source: Source) -> None:
        """Return None, because the coarser levels need decoded numbers."""

    def _put(self, level: int, region: Region, numbers: npt.NDArray[Any]) -> None:
        self._arrays[level].put(region, numbers)
        if level + 1 == len(self._arrays):
            return
        half = halve(numbers, self._rule, self._missing)
        *leading, rows, columns = region
        coarse = tuple(slice(item.start // 2, (item.stop + 1) // 2) for item in (rows, columns))
        for chunk, block in self._assemblies[level + 1].add((*leading, *coarse), half):
            self._put(level + 1, chunk, block)
