"""The stored numbers of an unchanged variable: they are written without decoding."""

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
    """Stored numbers that can be written without change.

    Attributes
    ----------
    stored
        The array that holds them.
    further
        Numbers that also mean no data in that array; `missing` replaces them.
    missing
        The first number that means no data.
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
    """Return the stored numbers of unchanged values, if writing would encode the same numbers.

    Parameters
    ----------
    values
        Values in canonical form.
    coding
        Their encoding; None if the values are stored without encoding.
    dtype
        Type of the numbers to write.
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
