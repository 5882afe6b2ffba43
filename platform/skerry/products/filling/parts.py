"""Compute variables part by part, so that memory stays bounded."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import xarray as xr

from skerry.products.stores.stored import StoredArray, list_steps, list_stored

SMALL_BYTES = 2**20
"""Variables up to this size are computed many at a time, whatever their group and grid."""
LEAST_ROWS = 512
"""Strips of thinner chunks are joined up to so many rows."""
STRIPS_AT_ONCE = 3
"""One being computed, with what that needs in between, and one being written."""
CELLS_AT_ONCE = 2
"""One being computed and one being written; what is needed in between is that of a few chunks."""
Range = tuple[int, int]
Part = tuple[str, tuple[slice, ...], npt.NDArray[Any]]


@dataclass(frozen=True)
class Lazy:
    """A variable to compute, and what its writing needs.

    Attributes
    ----------
    numbers
        Its lazy numbers.
    steps
        Lengths of the regions that are written.
    sink_bytes
        What the sink keeps between regions.
    row_bytes
        One row of regions: what waits while blocks come row by row.
    """

    numbers: xr.Variable
    steps: tuple[int, ...]
    sink_bytes: int
    row_bytes: int


@dataclass
class Batch:
    """Variables that are computed together, part by part.

    Attributes
    ----------
    parts
        Rows and columns of each part: strips of whole rows, or cells.
    variables
        Path to variable; all are cut alike.
    needs_bytes
        Memory for their parts and for what is kept of them until it can be written.
    stored
        The stored arrays that they are computed from.
    """

    parts: list[tuple[Range, Range]]
    variables: dict[str, xr.Variable] = field(default_factory=dict)
    needs_bytes: int = 0
    stored: set[StoredArray] = field(default_factory=set)

    def total_bytes(self) -> int:
        """Return the memory needed, with the rows of chunks that are kept of stored arrays."""
        return self.needs_bytes + sum(item.row_bytes for item in self.stored)

    def join(self, other: "Batch") -> "Batch":
        """Return a batch of both."""
        return Batch(
            self.parts, self.variables | other.variables, self.needs_bytes + other.needs_bytes,
            self.stored | other.stored,
        )  # fmt: skip


def iterate_parts(batch: Batch) -> Iterator[Part]:
    """Compute the variables of a batch, part by part.

    Yields
    ------
    path, region, block
        The variable, where the block goes, and its numbers.
    """
    for rows, columns in batch.parts:
        cuts = {path: _cut(item, rows, columns) for path, item in batch.variables.items()}
        # Dimensions of one name may differ in size between groups: compute side by side.
        computed = _compute([item for item, _ in cuts.values()])
        for path, (_, region) in cuts.items():
            yield path, region, computed.pop(0)


def batch_variables(variables: Mapping[str, Lazy], memory_bytes: int) -> Iterator[Batch]:
    """Put variables of a group together that are cut alike, as many as memory allows.

    What they share is computed once: variables that are computed from the same intermediate
    numbers stay together, in cells instead of whole rows where rows would need too much memory.
    A product may have a thousand small variables: for each, a graph of its own costs more than
    its values.

    Parameters
    ----------
    variables
        Path to variable.
    memory_bytes
        For parts, for what is kept of them, and for a row of chunks of each stored array that
        they are computed from; a variable that needs more is computed alone.
    """
    alike: dict[Any, dict[str, Lazy]] = {}
    for path, item in variables.items():
        if item.numbers.size:
            cuts = (
                None
                if _is_small(item.numbers)
                else (path.rpartition("/")[0], *_list_strips(item.numbers))
            )
            alike.setdefault(cuts, {})[path] = item
    for cuts, several in alike.items():
        sharing = [several] if cuts is None else _split_by_work(several)
        yield from _pack(sharing, memory_bytes)


def _pack(sharing: Iterable[dict[str, Lazy]], memory_bytes: int) -> Iterator[Batch]:
    """Fill batches with variables that share work, together if there is a way."""
    batch: Batch | None = None
    for several in sharing:
        together = _in_strips(several)
        if together.total_bytes() > memory_bytes and len(several) > 1:
            cells = _in_cells(several)
            if cells is not None and cells.total_bytes() <= memory_bytes:
                yield cells
                continue
            pieces = [_in_strips({path: item}) for path, item in several.items()]
        else:
            pieces = [together]
        for piece in pieces:
            joined = piece if batch is None else batch.join(piece)
            if batch is not None and joined.total_bytes() > memory_bytes:
                yield batch
                joined = piece
            batch = joined
    if batch is not None:
        yield batch


def _split_by_work(variables: dict[str, Lazy]) -> list[dict[str, Lazy]]:
    """Return the variables by the steps of computing that they share, directly or through others.

    Reading a stored array is no such step: its chunks are kept.
    """
    owner: dict[str, int] = {}
    groups: dict[int, dict[str, Lazy]] = {}
    for number, (path, item) in enumerate(variables.items()):
        groups[number] = {path: item}
        for step in list_steps(item.numbers.data):
            other = owner.get(step, number)
            if other != number:
                groups[number] = groups.pop(other) | groups[number]
                owner |= {name: number for name, held in owner.items() if held == other}
            owner[step] = number
    return list(groups.values())


def _in_strips(variables: dict[str, Lazy]) -> Batch:
    first = next(iter(variables.values())).numbers
    parts = [(rows, (0, max(1, *first.shape, 1))) for rows in _list_strips(first)]
    needs = sum(
        STRIPS_AT_ONCE * (item.numbers.nbytes // len(parts)) + item.sink_bytes + item.row_bytes
        for item in variables.values()
    )
    return _make_batch(parts, variables, needs)


def _in_cells(variables: dict[str, Lazy]) -> Batch | None:
    """Return a batch in cells that are made of whole regions; None if there are no such cells."""
    items = list(variables.values())
    shape, chunks = items[0].numbers.shape, items[0].numbers.chunks
    if len(shape) < 2 or not chunks:  # noqa: PLR2004
        return None
    if any(item.numbers.chunks != chunks or _is_small(item.numbers) for item in items):
        return None  # small variables are computed whole
    rows, columns = (
        _join_to_regions(chunks[axis], math.lcm(*(item.steps[axis] for item in items)))
        for axis in (-2, -1)
    )
    largest = max(stop - start for start, stop in rows) * max(
        stop - start for start, stop in columns
    )
    needs = sum(
        CELLS_AT_ONCE * largest * math.prod(shape[:-2]) * item.numbers.dtype.itemsize
        + item.sink_bytes
        for item in items
    )
    return _make_batch([(row, column) for row in rows for column in columns], variables, needs)


def _make_batch(
    parts: list[tuple[Range, Range]], variables: dict[str, Lazy], needs_bytes: int
) -> Batch:
    stored = {item for lazy in variables.values() for item in list_stored(lazy.numbers.data)}
    numbers = {path: lazy.numbers for path, lazy in variables.items()}
    return Batch(parts, numbers, needs_bytes, stored)


def _is_small(values: xr.Variable) -> bool:
    return values.nbytes <= SMALL_BYTES


def _strip_axis(values: xr.Variable) -> int:
    """Return the axis along which a variable is cut: its rows, or its only axis."""
    return max(values.ndim - 2, 0)


def _list_strips(values: xr.Variable) -> list[Range]:
    """Return ranges along the chunks of the data, so that no chunk is computed twice."""
    if _is_small(values) or not values.chunks:
        return [(0, max(1, *values.shape))] if values.ndim else [(0, 1)]
    axis = _strip_axis(values)
    return _join_chunks(values.chunks[axis], lambda start, stop: stop - start >= LEAST_ROWS)


def _join_to_regions(chunks: tuple[int, ...], step: int) -> list[Range]:
    return _join_chunks(chunks, lambda _, stop: stop % step == 0)


def _join_chunks(chunks: tuple[int, ...], may_end: Callable[[int, int], bool]) -> list[Range]:
    """Return ranges of whole chunks: the shortest that may end where they do, and the rest."""
    bounds, start, stop = [], 0, 0
    for size in chunks:
        stop += size
        if may_end(start, stop) or stop == sum(chunks):
            bounds.append((start, stop))
            start = stop
    return bounds


def _cut(values: xr.Variable, rows: Range, columns: Range) -> tuple[Any, tuple[slice, ...]]:
    cut = {}
    if values.ndim and not _is_small(values):
        cut[_strip_axis(values)] = rows
        if values.ndim > 1:
            cut[values.ndim - 1] = columns
    region = tuple(
        slice(start, min(stop, size))
        for axis, size in enumerate(values.shape)
        for start, stop in [cut.get(axis, (0, size))]
    )
    return values[region].data, region


def _compute(arrays: list[Any]) -> list[npt.NDArray[Any]]:
    import dask

    computed: Any = dask.compute(*arrays)  # type: ignore[attr-defined, no-untyped-call]
    return list(computed)
