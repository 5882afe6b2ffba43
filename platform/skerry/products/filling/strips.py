"""Compute variables strip by strip, so that memory stays bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import xarray as xr

from skerry.products.stores.stored import StoredArray, list_stored

SMALL_BYTES = 2**20
"""Variables up to this size are computed many at a time, also from several groups and grids."""
LEAST_ROWS = 512
"""Strips of thinner chunks are joined to about this many rows."""
STRIPS_AT_ONCE = 3
"""Strips in memory: one is computed, one holds its intermediate values, one is written."""
Strip = tuple[str, tuple[slice, ...], npt.NDArray[Any]]


@dataclass
class Batch:
    """Variables that are computed together, strip by strip.

    Attributes
    ----------
    variables
        Path to variable; all are cut alike.
    needs_bytes
        Memory for their strips, and for numbers that wait until they can be written.
    stored
        The stored arrays that they are computed from.
    """

    variables: dict[str, xr.Variable] = field(default_factory=dict)
    needs_bytes: int = 0
    stored: set[StoredArray] = field(default_factory=set)


def iterate_strips(variables: Mapping[str, xr.Variable]) -> Iterator[Strip]:
    """Compute lazy variables that are cut alike, strip by strip.

    Yields
    ------
    path, region, block
        The variable, where the block goes, and its numbers.
    """
    first = next(iter(variables.values()))
    for start, stop in _list_strips(first):
        parts = {path: _cut(item, start, stop) for path, item in variables.items()}
        # A dimension may differ in size between groups, so no common dataset is possible.
        computed = _compute([item for item, _ in parts.values()])
        for path, (_, region) in parts.items():
            yield path, region, computed.pop(0)


def batch_strips(
    variables: Mapping[str, xr.Variable], memory_bytes: int, held_bytes: Mapping[str, int]
) -> Iterator[Batch]:
    """Put variables of a group together that are cut alike, as many as memory allows.

    They often share work, which is then done once. A product may have a thousand small variables:
    a separate graph for each would cost more than its values.

    Parameters
    ----------
    variables
        Path to variable.
    memory_bytes
        Memory for strips, for numbers that wait, and for a row of chunks of each stored array
        that they are computed from; a variable that needs more is computed alone.
    held_bytes
        Path to the bytes that a variable keeps in memory between strips.
    """
    alike: dict[Any, dict[str, xr.Variable]] = {}
    for path, values in variables.items():
        if values.size:
            cuts = None if _is_small(values) else (path.rpartition("/")[0], *_list_strips(values))
            alike.setdefault(cuts, {})[path] = values
    for several in alike.values():
        batch = Batch()
        for path, values in several.items():
            strip = values.nbytes // len(_list_strips(values))
            needs = STRIPS_AT_ONCE * strip + held_bytes[path]
            stored = set(list_stored(values.data))
            rows = sum(item.row_bytes for item in batch.stored | stored)
            if batch.variables and batch.needs_bytes + needs + rows > memory_bytes:
                yield batch
                batch = Batch()
            batch.variables[path] = values
            batch.needs_bytes += needs
            batch.stored |= stored
        yield batch


def _is_small(values: xr.Variable) -> bool:
    return values.nbytes <= SMALL_BYTES


def _strip_axis(values: xr.Variable) -> int:
    """Return the axis along which a variable is cut: its rows, or its only axis."""
    return max(values.ndim - 2, 0)


def _list_strips(values: xr.Variable) -> list[tuple[int, int]]:
    """Return ranges along the chunks of the data, so that no chunk is computed twice."""
    if _is_small(values) or not values.chunks:
        return [(0, max(1, *values.shape))] if values.ndim else [(0, 1)]
    axis = _strip_axis(values)
    rows = values.shape[axis]
    bounds, start, stop = [], 0, 0
    for size in values.chunks[axis]:
        stop = min(stop + size, rows)
        if stop - start >= min(LEAST_ROWS, rows) or stop == rows:
            bounds.append((start, stop))
            start = stop
    return bounds


def _cut(values: xr.Variable, start: int, stop: int) -> tuple[Any, tuple[slice, ...]]:
    cut = {_strip_axis(values): (start, stop)} if values.ndim and not _is_small(values) else {}
    region = tuple(slice(*cut.get(axis, (0, size))) for axis, size in enumerate(values.shape))
    return values[region].data, region


def _compute(arrays: list[Any]) -> list[npt.NDArray[Any]]:
    import dask

    computed: Any = dask.compute(*arrays)  # type: ignore[attr-defined, no-untyped-call]
    return list(computed)
