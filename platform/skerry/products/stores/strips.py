"""Compute variables strip by strip for a writer, so that memory stays bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import xarray as xr

from skerry.core.progress import Progress

BATCH_BYTES = 256 * 2**20
"""Variables are computed together (they often share work) up to this size of a strip."""
STRIP_ROWS = 2048
"""Rows computed at a time when the data have no chunks of their own."""
LEAST_ROWS = 512
"""Strips of thinner chunks are joined up to so many rows."""


@dataclass
class Counter:
    """Pixels written of pixels to write."""

    report: Progress | None
    total: int = 0
    done: int = 0

    def add(self, pixels: int, what: str) -> None:
        """Count pixels as written and report."""
        self.done += pixels
        if self.report is not None:
            self.report(min(1.0, self.done / max(self.total, 1)), what)


def strip_axis(values: xr.Variable | xr.DataArray) -> int:
    """Return the axis along which a variable is cut: its rows, or its only axis."""
    return max(values.ndim - 2, 0)


def list_strips(values: xr.Variable | xr.DataArray) -> list[tuple[int, int]]:
    """Return ranges along the chunks of the data, so that no chunk is computed twice."""
    if not values.ndim:
        return [(0, 1)]
    axis = strip_axis(values)
    rows = values.shape[axis]
    sizes = values.chunks[axis] if values.chunks else (STRIP_ROWS,) * (rows // STRIP_ROWS + 1)
    bounds, start, stop = [], 0, 0
    for size in sizes:
        stop = min(stop + size, rows)
        if stop - start >= min(LEAST_ROWS, rows) or stop == rows:
            bounds.append((start, stop))
            start = stop
        if stop == rows:
            break
    return bounds


def iterate_blocks(
    variables: Mapping[str, xr.Variable],
) -> Iterator[tuple[str, tuple[slice, ...], npt.NDArray[Any]]]:
    """Compute variables strip by strip; those cut alike are computed together.

    Yields
    ------
    name, place, block
        The variable, where the block goes, and its numbers.
    """
    for batch in _batch(variables):
        first = next(iter(batch.values()))
        for start, stop in list_strips(first):
            parts = {name: _cut(item, start, stop) for name, item in batch.items()}
            # Dimensions of one name may differ in size between groups: compute side by side.
            computed = _compute([item for item, _ in parts.values()])
            for (name, (_, place)), block in zip(parts.items(), computed, strict=True):
                yield name, place, block


def _cut(values: xr.Variable, start: int, stop: int) -> tuple[Any, tuple[slice, ...]]:
    if not values.ndim:
        return values.data, ()
    place = (*(slice(None),) * strip_axis(values), slice(start, stop))
    return values[place].data, place


def _compute(arrays: list[Any]) -> list[npt.NDArray[Any]]:
    import dask

    computed: Any = dask.compute(*arrays)  # type: ignore[attr-defined, no-untyped-call]
    return list(computed)


def _batch(variables: Mapping[str, xr.Variable]) -> Iterator[dict[str, xr.Variable]]:
    batch: dict[str, xr.Variable] = {}
    size, cuts = 0, None
    for name, values in variables.items():
        bounds = list_strips(values)
        if not bounds:
            continue
        axis = strip_axis(values)
        share = (bounds[0][1] - bounds[0][0]) / max(values.shape[axis], 1) if values.ndim else 1
        strip = int(values.nbytes * share)
        if batch and (size + strip > BATCH_BYTES or bounds != cuts):
            yield batch
            batch, size = {}, 0
        batch[name], cuts = values, bounds
        size += strip
    if batch:
        yield batch
