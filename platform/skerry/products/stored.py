"""Arrays in a Zarr store, read lazily; writers find the numbers behind an untouched one."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError

READ_PIXELS = 2048
"""Edge of the blocks computed at once, about; a multiple of what the store keeps together."""

_KNOWN: WeakValueDictionary[str, "StoredArray"] = WeakValueDictionary()

Decode = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


class StoredArray:
    """An array-like over a Zarr array that decodes what it reads.

    Attributes
    ----------
    numbers
        The Zarr array, as stored.
    decode
        Turns stored numbers into values of `dtype`; None where they are the same.
    dtype, shape, ndim
        Of the values.
    """

    def __init__(self, numbers: Any, decode: Decode | None, dtype: np.dtype[Any]) -> None:
        self.numbers = numbers
        self.decode = decode
        self.dtype = dtype
        self.shape: tuple[int, ...] = tuple(numbers.shape)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        try:
            read = np.asarray(self.numbers[key])
        except (ValueError, RuntimeError, OSError) as error:
            raise InvalidInputError(
                f"The array {self.numbers.name} of {self.numbers.store} cannot be read: {error}.",
                remedy="Its chunks are damaged or missing: fetch the product again.",
            ) from error
        return read if self.decode is None else self.decode(read)


def make_lazy(stored: StoredArray) -> da.Array:
    """Return a dask array over a stored one, in blocks of whole stored chunks."""
    name = f"stored-{uuid4().hex}"
    _KNOWN[name] = stored
    return da.from_array(  # type: ignore[no-untyped-call,no-any-return]
        stored,
        chunks=_choose_chunks(stored.numbers),
        name=name,
        meta=np.empty((0,) * stored.ndim, stored.dtype),
    )


def stored_behind(data: Any) -> StoredArray | None:
    """Return the stored array whose values `data` are, untouched and whole; None otherwise.

    What is computed from a lazy array has another name, so that it is never taken for it.
    """
    return _KNOWN.get(data.name) if isinstance(data, da.Array) else None


def _choose_chunks(numbers: Any) -> tuple[int, ...]:
    """Return several stored chunks a block in the last two dimensions, so graphs stay small."""
    unit = tuple(numbers.shards or numbers.chunks)
    leading, raster = unit[:-2], unit[-2:]
    return leading + tuple(size * max(1, READ_PIXELS // max(size, 1)) for size in raster)
