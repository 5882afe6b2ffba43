"""Fill arrays with numbers, several pieces at a time and never more than memory allows.

There are three ways, and the cheapest that is correct is used. If the array keeps its layout, a
chunk's bytes are copied. If only the layout changes, stored numbers are decoded once and encoded
again. Other values are computed part by part.
"""

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.memory import MEMORY_BYTES, keep_heap_small
from skerry.core.progress import Progress
from skerry.products.filling.layout import Layout
from skerry.products.filling.parts import Lazy, batch_variables, iterate_parts
from skerry.products.filling.regions import Assembly, Region, count_numbers, list_regions
from skerry.products.filling.sources import Source
from skerry.products.stores.stored import keeping_at_most

PIECES = 3 / 16
"""Share of the memory for pieces in work; the remainder caches decoded chunks of the source."""
WORKERS = min(8, len(os.sched_getaffinity(0))) + 1
"""One thread more than cores, because a thread may wait for a chunk that another decodes."""


class Sink(Protocol):
    """The target of the numbers of one array.

    Attributes
    ----------
    layout
        Of the array.
    steps
        Lengths of the regions that are put.
    """

    layout: Layout
    steps: tuple[int, ...]

    @property
    def held_bytes(self) -> int:
        """Largest number of bytes that the sink keeps between regions."""

    def put(self, region: Region, numbers: npt.NDArray[Any]) -> None:
        """Write a region; several threads do so at once."""

    def list_copies(self, source: Source) -> Iterable[Callable[[], None]] | None:
        """Return work that copies a source's chunks as they are; None if that cannot be done."""


@dataclass(frozen=True)
class Filling:
    """An empty array and the numbers that go into it.

    Attributes
    ----------
    path
        Path of the variable, for progress reports.
    numbers
        The numbers to store; they may be lazy.
    sink
        Target of the numbers.
    source
        Stored numbers that equal `numbers`.
    """

    path: str
    numbers: xr.Variable
    sink: Sink
    source: Source | None = None

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return max(1, self.sink.layout.dtype.itemsize)


def fill(
    fillings: list[Filling], memory_bytes: int = MEMORY_BYTES, progress: Progress | None = None
) -> None:
    """Fill all arrays.

    Parameters
    ----------
    fillings
        Arrays and the numbers for them.
    memory_bytes
        Approximate limit of memory; a chunk or region that is larger is worked on alone.
    progress
        Called with the finished fraction and the variable's path.
    """
    keep_heap_small()
    total = sum(item.numbers.size * item.itemsize for item in fillings)
    pieces = int(memory_bytes * PIECES)
    lazy: dict[str, Filling] = {}
    with _Crew(pieces, total, progress) as crew:
        with keeping_at_most(_bound_cache(fillings, memory_bytes - pieces)):
            for item in fillings:
                if item.source is not None:
                    _take_stored(item, item.source, crew)
                elif isinstance(item.numbers.data, da.Array):
                    lazy[item.path] = item
                else:
                    _take_numbers(item, item.numbers.values, crew)
            crew.finish()
        _compute(lazy, memory_bytes, crew)


def _bound_cache(fillings: list[Filling], memory_bytes: int) -> int:
    """Return the limit of decoded chunks, with room for the bytes that sinks keep."""
    stored = [item for item in fillings if item.source is not None]
    held_bytes = max((item.sink.held_bytes for item in stored), default=0)
    # While a chunk is decoded, memory holds it twice, once compressed.
    largest = max((_largest_chunk(item) for item in stored), default=0)
    return max(memory_bytes - held_bytes - largest // 2, largest)


def _largest_chunk(filling: Filling) -> int:
    """Return the bytes of the source's unit of reading: the cache must hold at least one unit."""
    assert filling.source is not None  # noqa: S101 -- `_bound_cache` asked
    stored = filling.source.stored
    return math.prod(stored.unit) * int(stored.numbers.dtype.itemsize)


def _take_stored(filling: Filling, source: Source, crew: "_Crew") -> None:
    sink = filling.sink
    copies = sink.list_copies(source)
    if copies is not None:
        works = list(copies)
        size = filling.numbers.size * filling.itemsize // max(1, len(works))
        for work in works:
            crew.run(work, size // 8, size, filling.path)
        return
    unit = source.stored.unit
    regions = list_regions(sink.layout.shape, sink.steps)
    # Regions of the same chunk come one after the other, so that few decoded chunks are cached.
    for region in sorted(regions, key=lambda region: _place_in(unit, region)):
        size = count_numbers(region) * filling.itemsize
        crew.run(partial(_move, source, sink, region), 3 * size, size, filling.path)


def _place_in(unit: tuple[int, ...], region: Region) -> tuple[int, ...]:
    """Return the position of the chunk, of lengths `unit`, in which a region begins."""
    return tuple(item.start // size for item, size in zip(region, unit, strict=True))


def _move(source: Source, sink: Sink, region: Region) -> None:
    sink.put(region, source.read(region))


def _take_numbers(filling: Filling, values: npt.NDArray[Any], crew: "_Crew") -> None:
    sink = filling.sink
    for region in list_regions(sink.layout.shape, sink.steps):
        size = count_numbers(region) * filling.itemsize
        crew.run(partial(sink.put, region, values[region]), 2 * size, size, filling.path)


def _compute(lazy: dict[str, Filling], memory_bytes: int, crew: "_Crew") -> None:
    """Compute parts here with the current Dask scheduler, and write earlier parts meanwhile."""
    variables = {path: _describe(item) for path, item in lazy.items()}
    for batch in batch_variables(variables, memory_bytes):
        assemblies = {
            path: Assembly(layout.shape, layout.dtype, lazy[path].sink.steps)
            for path in batch.variables
            if (layout := lazy[path].sink.layout)
        }
        with keeping_at_most(max(0, memory_bytes - batch.needs_bytes)):
            for path, place, block in iterate_parts(batch):
                sink, itemsize = lazy[path].sink, lazy[path].itemsize
                for region, numbers in assemblies[path].add(place, np.asarray(block)):
                    size = count_numbers(region) * itemsize
                    crew.run(partial(sink.put, region, numbers), 2 * size, size, path)
            crew.finish()


def _describe(filling: Filling) -> Lazy:
    sink = filling.sink
    row = Assembly(sink.layout.shape, sink.layout.dtype, sink.steps).row_bytes
    return Lazy(filling.numbers, sink.steps, sink.held_bytes, row)


class _Crew:
    """Threads that work on pieces; the pieces in work fit into memory together.

    Parameters
    ----------
    memory_bytes
        Limit of the pieces in work; a larger piece is worked on alone.
    total_bytes
        Bytes of all pieces.
    report
        Called with the progress, in the thread that gives the work.
    """

    def __init__(self, memory_bytes: int, total_bytes: int, report: Progress | None) -> None:
        self.memory_bytes, self.total_bytes, self.report = memory_bytes, total_bytes, report
        self.done_bytes = 0
        self._running: dict[Future[None], tuple[int, int, str]] = {}
        self._pool = ThreadPoolExecutor(WORKERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Wait for all work; begin no more if there is an error."""
        try:
            if kind is None:
                self.finish()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def finish(self) -> None:
        """Wait for all work."""
        while self._running:
            self._collect()

    def run(self, work: Callable[[], None], needs: int, size: int, path: str) -> None:
        """Begin work as soon as there is memory for it.

        Parameters
        ----------
        work
            Writes a piece.
        needs
            Bytes of memory.
        size
            Bytes of the piece, for the progress.
        path
            The variable.
        """
        while self._running and (
            len(self._running) >= WORKERS
            or sum(item for item, _, _ in self._running.values()) + needs > self.memory_bytes
        ):
            self._collect()
        self._running[self._pool.submit(work)] = (needs, size, path)

    def _collect(self) -> None:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            _, size, path = self._running.pop(future)
            future.result()
            self.done_bytes += size
            if self.report is not None:
                self.report(min(1.0, self.done_bytes / max(1, self.total_bytes)), path)
