"""The numbers behind a variable that nobody changed: they are written without being decoded."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.products.coding.packing import Packing
from skerry.products.coding.times import Clock
from skerry.products.stores.stored import StoredArray, coding_behind, stored_behind

Region = tuple[slice, ...]


@dataclass(frozen=True)
class Source:
    """Stored numbers that may be written as they are.

    Attributes
    ----------
    stored
        The array they stand in.
    further
        Numbers that stand for no data there beside the first one, which replaces them.
    missing
        That first one.
    """

    stored: StoredArray
    further: tuple[float, ...] = ()
    missing: float = 0

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the numbers of a region."""
        numbers = self.stored.read_numbers(region)
        for number in self.further:
            gaps = numbers == number
            if gaps.any():
                numbers = np.where(gaps, numbers.dtype.type(self.missing), numbers)
        return numbers


def find_source(
    values: xr.Variable, coding: Packing | Clock | None, dtype: np.dtype[Any]
) -> Source | None:
    """Return the numbers behind untouched values, if writing would encode them to the same.

    Parameters
    ----------
    values
        Canonical.
    coding
        How they will be encoded; None if they are stored as they are.
    dtype
        Of the numbers to write.
    """
    stored = stored_behind(values.data)
    if stored is None or stored.dtype != values.dtype or stored.numbers.dtype != dtype:
        return None
    decoding = coding_behind(values.data)
    if decoding == coding and (decoding is not None or stored.decode is None):
        return Source(stored)
    if not isinstance(decoding, Packing) or not isinstance(coding, Packing):
        return None
    first, further = decoding.missing[:1], decoding.missing[1:]
    if first and replace(decoding, missing=first) == coding:
        return Source(stored, further, first[0])
    return None
