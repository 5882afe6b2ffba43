"""Put values into arrays, several pieces at a time and never more than memory allows.

Three ways, the cheapest that is right: a chunk's bytes as they are, where the array is stored
as before; stored numbers, read and written again, where chunks or codec change; computed
values, encoded.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from skerry.core.progress import Progress
from skerry.products.eopf.arrays import Storage
from skerry.products.stores.chunk_bytes import (
    can_copy,
    can_recode,
    copy_chunk,
    list_chunks,
    recode_chunk,
)
from skerry.products.stores.stored import StoredArray, coding_behind, stored_behind

MEMORY_BYTES = 192 * 2**20
"""Bound of the pieces in memory at any time."""
SMALL_BYTES = 2**20
"""Variables up to this size are computed many at a time, whatever their group and grid."""
WORKERS = 4
Region = tuple[slice, ...]


@dataclass(frozen=True)
class Filling:
    """An empty array and the variable that goes into it.

    Attributes
    ----------
    array
        The Zarr array to fill.
    variable
        Canonical values.
    storage
        How they are stored.
    """

    array: Any
    variable: xr.Variable
    storage: Storage

    @property
    def source(self) -> StoredArray | None:
        """The stored array whose numbers may be taken as they are."""
        stored = stored_behind(self.variable.data)
        if stored is None or stored.dtype != self.variable.dtype:
            return None
        coding = coding_behind(self.variable.data)
        if self.storage.dtype != stored.numbers.dtype or self.storage.coding != coding:
            return None
        return stored if coding is not None or stored.decode is None else None


class _Meter:
    """Bytes written of bytes to write, told from several threads."""

    def __init__(self, total: int, report: Progress | None) -> None:
        self.total = total
        self.done = 0
        self.report = report
        self.lock = threading.Lock()

    def add(self, size: int, what: str) -> None:
        with self.lock:
            self.done += size
            if self.report is not None:
                self.report(min(1.0, self.done / max(self.total, 1)), what)


def fill_arrays(
    filling: list[Filling], memory_bytes: int = MEMORY_BYTES, progress: Progress | None = None
) -> None:
    """Fill all arrays.

    Parameters
    ----------
    filling
        Arrays and what goes into them.
    memory_bytes
        Bound of the pieces in memory at any time; a larger piece is worked on alone.
    progress
        Told the fraction done and the array's path.
    """
    meter = _Meter(sum(_count_bytes(item) for item in filling), progress)
    jobs: list[tuple[int, str, Callable[[], None]]] = []
    computed: list[Filling] = []
    small: list[Filling] = []
    for item in filling:
        source = item.source
        if source is not None:
            jobs += _list_copies(item, source)
        elif isinstance(item.variable.data, da.Array):
            (small if _count_bytes(item) <= SMALL_BYTES else computed).append(item)
        else:
            _write_whole(item, item.variable.values)
            meter.add(_count_bytes(item), item.storage.path)
    _run_bounded(jobs, memory_bytes, meter)
    _compute_small(small, memory_bytes, meter)
    for batch in _batch_alike(computed):
        _compute(batch, memory_bytes, meter)


def _count_bytes(filling: Filling) -> int:
    return int(filling.variable.size) * filling.storage.dtype.itemsize


def _list_copies(
    filling: Filling, source: StoredArray
) -> Iterator[tuple[int, str, Callable[[], None]]]:
    """Yield, piece by piece, its size in memory, its array's path and the work."""
    numbers, array = source.numbers, filling.array
    path = filling.storage.path
    unit = int(np.prod(filling.storage.unit, dtype=np.int64)) * filling.storage.dtype.itemsize
    if can_copy(numbers, array):
        for key in list_chunks(array):
            yield unit // 8, path, lambda key=key: copy_chunk(numbers, array, key)  # type: ignore[misc]
        return
    if can_recode(numbers, array):
        for key in list_chunks(array):
            yield 2 * unit, path, lambda key=key: recode_chunk(numbers, array, key)  # type: ignore[misc]
        return
    for region in list_regions(filling.storage.shape, filling.storage.unit):
        size = _size_of(region, filling.storage.dtype)
        # Read, written and compressed: a piece is in memory about twice.
        yield 2 * size, path, lambda region=region: _rewrite(source, array, region)  # type: ignore[misc]


def _rewrite(source: StoredArray, array: Any, region: Region) -> None:
    array[region] = StoredArray(source.numbers, None, source.numbers.dtype)[region]


def list_regions(shape: tuple[int, ...], unit: tuple[int, ...]) -> Iterator[Region]:
    """Yield the regions of an array, each of `unit` or what is left at the edges."""
    ranges = [range(0, size, step) for size, step in zip(shape, unit, strict=True)]
    for starts in itertools.product(*ranges):
        yield tuple(
            slice(start, min(start + step, size))
            for start, step, size in zip(starts, unit, shape, strict=True)
        )


def _size_of(region: Region, dtype: np.dtype[Any]) -> int:
    return (
        int(np.prod([item.stop - item.start for item in region], dtype=np.int64)) * dtype.itemsize
    )


def _run_bounded(
    jobs: list[tuple[int, str, Callable[[], None]]], memory_bytes: int, meter: _Meter
) -> None:
    """Run jobs in threads, as long as those in work fit into memory together."""
    running: dict[Future[None], tuple[int, str]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for size, path, work in jobs:
                while running and (
                    sum(item for item, _ in running.values()) + size > memory_bytes
                    or len(running) >= WORKERS
                ):
                    _collect(running, meter)
                running[pool.submit(work)] = (size, path)
            while running:
                _collect(running, meter)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _collect(running: dict[Future[None], tuple[int, str]], meter: _Meter) -> None:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        size, path = running.pop(future)
        future.result()
        meter.add(size // 2, path)


def _compute_small(filling: list[Filling], memory_bytes: int, meter: _Meter) -> None:
    """Compute whole variables together, and write them here.

    A product may have a thousand; for each, a graph of its own costs more than its values.
    """
    for number in range(0, len(filling), most := max(1, memory_bytes // (3 * SMALL_BYTES))):
        batch = filling[number : number + most]
        values = compute(*(item.variable.data for item in batch))  # type: ignore[no-untyped-call]
        jobs: list[tuple[int, str, Callable[[], None]]] = [
            (2 * _count_bytes(item), item.storage.path, partial(_write_whole, item, found))
            for item, found in zip(batch, values, strict=True)
        ]
        _run_bounded(jobs, memory_bytes, meter)


def _write_whole(filling: Filling, values: Any) -> None:
    filling.array[...] = filling.storage.encode(np.asarray(values))


def _batch_alike(filling: list[Filling]) -> Iterator[list[Filling]]:
    """Put variables of one group and grid together: they often share work."""
    alike: dict[Any, list[Filling]] = {}
    for item in filling:
        group = item.storage.path.rpartition("/")[0]
        alike.setdefault((group, item.storage.shape, item.storage.unit), []).append(item)
    yield from alike.values()


def _compute(batch: list[Filling], memory_bytes: int, meter: _Meter) -> None:
    """Compute and write regions, as many at a time as memory allows, with the current scheduler.

    Variables of one region go together where they fit: what they share is computed once.
    """
    first = batch[0].storage
    pieces: list[tuple[da.Array, _Piece]] = []
    waiting = 0
    for region in list_regions(first.shape, first.unit):
        made = [(item.variable.data[region].rechunk(-1), _Piece(item, region)) for item in batch]
        together = sum(piece.memory_bytes for _, piece in made)
        for place, (values, piece) in enumerate(made):
            needed = piece.memory_bytes if place else together
            if pieces and waiting + needed > memory_bytes:
                _flush(pieces, meter)
                pieces, waiting = [], 0
            pieces.append((values, piece))
            waiting += piece.memory_bytes
    _flush(pieces, meter)


class _Piece:
    """A region of an array; as a target of Dask it takes the region's values.

    Not a dataclass, and without the variable: Dask would look into it and compute all of it.
    """

    def __init__(self, filling: Filling, region: Region) -> None:
        self.array, self.storage, self.region = filling.array, filling.storage, region
        self.memory_bytes = 3 * _size_of(region, filling.variable.dtype)
        """Bytes of values, of what they come from, and of their numbers, about."""

    def __setitem__(self, _: Any, values: Any) -> None:
        self.array[self.region] = self.storage.encode(np.asarray(values))


def _flush(pieces: list[tuple[da.Array, _Piece]], meter: _Meter) -> None:
    values, targets = zip(*pieces, strict=True)
    da.store(values, targets, lock=False)
    for target in targets:
        meter.add(_size_of(target.region, target.storage.dtype), target.storage.path)
