"""Read arrays in a Zarr store lazily; writers get the stored numbers of unchanged arrays.

Real products store chunks of 30 to 120 million numbers. Computation uses smaller blocks, so that
a few blocks and their results fit in memory. A chunk that several blocks share is decoded once and
cached, in its stored number type, until all of it has been read or the cache is full.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError
from skerry.products.stores.chunk_bytes import DAMAGE, can_decode, decode_chunk
from skerry.storage.chunk_cache import ChunkCache

READ_PIXELS = 2048
"""Largest edge of the blocks for computing; a block is one or several stored chunks."""
PART_PIXELS = 1024
"""Approximate edge of equal parts of larger chunks; small because the chunk is cached too."""
KEPT_BYTES = 832 * 2**20
"""Limit of the cache of decoded chunks: twelve variables of 5490 x 5490 pixels."""

_CHUNKS = ChunkCache(KEPT_BYTES)
_COUNTING = Lock()
_BY_NAME: WeakValueDictionary[str, "StoredArray"] = WeakValueDictionary()

Decode = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


class StoredArray:
    """An array-like over a Zarr array that decodes what it reads.

    Attributes
    ----------
    numbers
        The Zarr array, as stored.
    decode
        Turns stored numbers into values of `dtype`; None if the numbers are the values.
    dtype, shape, ndim
        Type, shape and number of dimensions of the values.
    """

    def __init__(self, numbers: Any, decode: Decode | None, dtype: np.dtype[Any]) -> None:
        self.numbers = numbers
        self.identity = uuid4().hex
        self.served: dict[tuple[int, ...], int] = {}
        self.decode = decode
        self.dtype = dtype
        self.shape: tuple[int, ...] = tuple(numbers.shape)
        self.ndim = len(self.shape)

    @property
    def unit(self) -> tuple[int, ...]:
        """Lengths of a shard, or of a chunk without shards: the unit of reading."""
        return tuple(self.numbers.shards or self.numbers.chunks)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of stored chunks, which reading by strips caches as a whole."""
        unit = (1, 1, *self.unit)
        height, columns = min(unit[-2], (1, *self.shape)[-2]), (1, *self.shape)[-1]
        return math.prod((*self.shape[:-2], height, columns)) * int(self.numbers.dtype.itemsize)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        numbers = self.read_numbers(key)
        return numbers if self.decode is None else self.decode(numbers)

    def read_numbers(self, key: Any) -> npt.NDArray[Any]:
        """Return the stored numbers of a window, not decoded.

        Raises
        ------
        InvalidInputError
            If it is damaged.
        """
        try:
            return self._read(key)
        except DAMAGE as error:
            store = getattr(self.numbers, "store", None)
            name = getattr(self.numbers, "name", "")
            raise InvalidInputError(
                f"The array {name} of {getattr(store, 'place', store)} cannot be read: {error}.",
                remedy="Its chunks are damaged or missing: fetch the product again.",
            ) from error

    def _read(self, key: Any) -> npt.NDArray[Any]:
        """Read a window: parts of stored chunks through the cache, whole chunks directly."""
        bounds = _list_bounds(key, self.shape)
        if bounds is None:
            return np.asarray(self.numbers[key])
        ranges, view = bounds
        unit = self.unit
        if any(stop == start for start, stop in ranges):
            window = np.empty([stop - start for start, stop in ranges], self.numbers.dtype)
        elif _is_part(ranges, unit, self.shape):
            window = self._read_parts(ranges, unit)
        else:
            window = self._read_whole(ranges, unit)
        return np.asarray(window[view])

    def _read_parts(self, ranges: list[tuple[int, int]], unit: tuple[int, ...]) -> npt.NDArray[Any]:
        window = np.empty([stop - start for start, stop in ranges], self.numbers.dtype)
        touched = [
            range(start // size, -(-stop // size))
            for (start, stop), size in zip(ranges, unit, strict=True)
        ]
        for place in itertools.product(*touched):
            self._fill(window, ranges, place, unit)
        return window

    def _read_whole(self, ranges: list[tuple[int, int]], unit: tuple[int, ...]) -> npt.NDArray[Any]:
        """Read whole stored chunks, without the cache, because no other block needs them."""
        if not can_decode(self.numbers):
            return np.asarray(self.numbers[tuple(slice(*item) for item in ranges)])
        window = np.empty([stop - start for start, stop in ranges], self.numbers.dtype)
        touched = [
            range(start // size, -(-stop // size))
            for (start, stop), size in zip(ranges, unit, strict=True)
        ]
        for place in itertools.product(*touched):
            numbers = decode_chunk(self.numbers, place)
            if numbers is not None and numbers.shape == window.shape:
                return numbers
            inside = tuple(
                slice(at * size - start, min((at + 1) * size, stop) - start)
                for at, size, (start, stop) in zip(place, unit, ranges, strict=True)
            )
            if numbers is None:
                window[inside] = self.numbers.fill_value or 0
            else:
                window[inside] = numbers[tuple(slice(0, item.stop - item.start) for item in inside)]
        return window

    def _fill(
        self,
        window: npt.NDArray[Any],
        ranges: list[tuple[int, int]],
        place: tuple[int, ...],
        unit: tuple[int, ...],
    ) -> None:
        """Copy the part of the stored chunk at `place` that is in `window`."""
        corners = [number * size for number, size in zip(place, unit, strict=True)]
        region = tuple(slice(at, at + size) for at, size in zip(corners, unit, strict=True))
        chunk = _CHUNKS.get((self.identity, place), lambda: self._load(place, region))
        source, target = [], []
        for (start, stop), corner, size in zip(ranges, corners, unit, strict=True):
            low, high = max(start, corner), min(stop, corner + size)
            source.append(slice(low - corner, high - corner))
            target.append(slice(low - start, high - start))
        part = chunk[tuple(source)]
        window[tuple(target)] = part
        inside = [
            min(size, length - corner)
            for size, length, corner in zip(unit, self.shape, corners, strict=True)
        ]
        self._count(place, part.size, math.prod(inside))

    def _load(self, place: tuple[int, ...], region: tuple[slice, ...]) -> npt.NDArray[Any]:
        """Decode the stored chunk at `place`; if possible without a second copy in memory."""
        numbers = decode_chunk(self.numbers, place) if can_decode(self.numbers) else None
        return np.asarray(self.numbers[region]) if numbers is None else numbers

    def _count(self, place: tuple[int, ...], numbers: int, total: int) -> None:
        """Count the numbers read of a chunk; drop the chunk when all of it has been read."""
        with _COUNTING:
            served = self.served.get(place, 0) + numbers
            self.served[place] = served % total
        if served >= total:
            _CHUNKS.drop((self.identity, place))


@contextmanager
def keeping_at_most(limit_bytes: int) -> Iterator[None]:
    """Limit the cache of decoded chunks while the block runs, never above `KEPT_BYTES`."""
    before = _CHUNKS.limit_bytes
    _CHUNKS.limit_bytes = min(limit_bytes, KEPT_BYTES)
    try:
        yield
    finally:
        _CHUNKS.limit_bytes = before


def make_lazy(stored: StoredArray, name: str = "") -> da.Array:
    """Return a dask array over a stored array, in blocks of whole stored chunks.

    A `name` that identifies the values lets dask share results between arrays opened twice.
    """
    name = name or f"stored-{uuid4().hex}"
    _BY_NAME[name] = stored
    return da.from_array(  # type: ignore[no-untyped-call,no-any-return]
        stored,
        chunks=_choose_chunks(stored.unit),
        name=name,
        meta=np.empty((0,) * stored.ndim, stored.dtype),
    )


def stored_behind(data: Any) -> StoredArray | None:
    """Return the stored array if `data` is all of it, unchanged; None otherwise.

    Results computed from a lazy array have another name, so they are never mistaken for it.
    """
    return _BY_NAME.get(data.name) if isinstance(data, da.Array) else None


def list_stored(data: Any) -> list[StoredArray]:
    """Return the known stored arrays from which lazy values are computed."""
    layers = data.dask.layers if isinstance(data, da.Array) else ()
    return [stored for name in layers if (stored := _BY_NAME.get(name)) is not None]


def list_steps(data: Any) -> list[str]:
    """Return the names of the steps by which lazy values are computed from stored arrays."""
    layers = data.dask.layers if isinstance(data, da.Array) else ()
    return [name for name in layers if name not in _BY_NAME]


def coding_behind(data: Any) -> Any:
    """Return the object whose ``decode`` gives the values of an unchanged stored array."""
    stored = stored_behind(data)
    return None if stored is None else getattr(stored.decode, "__self__", None)


def _list_bounds(
    key: Any, shape: tuple[int, ...]
) -> tuple[list[tuple[int, int]], tuple[Any, ...]] | None:
    """Return where each dimension starts and stops, and the index to apply after reading.

    None if `key` holds anything except slices and whole numbers.
    """
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(shape):
        return None
    ranges: list[tuple[int, int]] = []
    view: list[Any] = []
    for part, size in zip(parts, shape, strict=True):
        if isinstance(part, int | np.integer):
            at = range(size)[int(part)]
            ranges.append((at, at + 1))
            view.append(0)
        elif isinstance(part, slice):
            places = range(size)[part]
            ends = (places[0], places[-1]) if places else (0, -1)
            ranges.append((min(ends), max(ends) + 1) if places else (0, 0))
            view.append(slice(None, None, places.step))
        else:
            return None
    return ranges, tuple(view)


def _is_part(ranges: list[tuple[int, int]], unit: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Tell whether a window covers stored chunks in part, so that other windows need them too."""
    return any(
        start % size or (stop % size and stop != length)
        for (start, stop), size, length in zip(ranges, unit, shape, strict=True)
    )


def _choose_chunks(unit: tuple[int, ...]) -> tuple[int, ...]:
    """Return blocks of whole stored chunks, or equal parts of large chunks."""
    leading, raster = unit[:-2], unit[-2:]
    return leading + tuple(_choose_edge(size) for size in raster)


def _choose_edge(size: int) -> int:
    if size <= READ_PIXELS:
        return size * max(1, READ_PIXELS // max(size, 1))
    parts = -(-size // PART_PIXELS)
    return -(-size // parts)
