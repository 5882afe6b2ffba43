"""Which pixels of a swath an area touches: pixels are areas, not points."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from skerry.products.selecting.pieces import Piece
from skerry.products.swath_blocks import thin_swath, to_vectors

Numbers = npt.NDArray[Any]

_HALF = 0.51
"""How far a pixel reaches to each side, as a share of the spacing; bent swaths get no gaps."""
_STRIP = 256
"""How many rows to examine at a time."""


def find_span(inside: npt.NDArray[np.bool_]) -> slice:
    """Return the slice from the first True to the last, empty if all are False."""
    places = np.flatnonzero(inside)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def find_touched_window(
    latitude: xr.DataArray, longitude: xr.DataArray, pieces: Sequence[Piece]
) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last pixel that an area touches.

    Every `swath_blocks.STEP`-th place is read; all places are read only near the area's edges.

    Parameters
    ----------
    latitude, longitude
        Degrees, ``(row, column)``; NaN = no pixel.
    pieces
        The area.

    Returns
    -------
    tuple of slice
        Rows and columns, empty where the area touches no pixel.
    """
    thin = thin_swath(latitude, longitude)
    extent = _Extent()
    near = [(item, thin.find_window(item.centre, item.reach + thin.spacing)) for item in pieces]
    for piece, window in near:  # before the strips, which skip these pixels
        shapely.prepare(piece.shape)
        if window is not None:
            inside = shapely.contains_xy(piece.shape, *piece.frame.flatten(thin.vectors))
            extent.add(inside, thin.rows, thin.columns)
    for piece, window in near:
        if window is None:
            continue
        columns = np.arange(window[1].start, window[1].stop)
        for rows, places in _read_strips(latitude, longitude, window, extent):
            outside = ~extent.holds(rows, columns)
            extent.add(find_touched(places, piece, outside), rows, columns)
    return extent.rows, extent.columns


def find_touched(places: Numbers, piece: Piece, candidates: npt.NDArray[np.bool_]) -> Any:
    """Return which pixels a piece of an area touches.

    A pixel is the parallelogram of its spacing along rows and columns around its centre. In
    a single row or column, pixels are as long as wide; a single pixel is only its centre.

    Parameters
    ----------
    places
        Unit vectors to the centres, ``(row, column, 3)``; NaN = no pixel.
    piece
        The piece, with a prepared shape.
    candidates
        Pixels to examine, ``(row, column)``; the result is False for others.
    """
    x, y = piece.frame.flatten(places)
    centres = x + 1j * y
    down, right = _measure_halves(centres)
    west, south, east, north = piece.shape.bounds
    wide, high = np.abs(down.real) + np.abs(right.real), np.abs(down.imag) + np.abs(right.imag)
    touched = candidates & (x + wide >= west) & (x - wide <= east)
    touched &= (y + high >= south) & (y - high <= north)
    touched[touched] = shapely.intersects_xy(piece.shape, x[touched], y[touched]) | (
        shapely.intersects(
            piece.shape, _draw_cells(*(item[touched] for item in (centres, down, right)))
        )
    )
    return touched


def _draw_cells(centres: Numbers, down: Numbers, right: Numbers) -> Numbers:
    corners = [centres - down - right, centres - down + right,
               centres + down + right, centres + down - right]  # fmt: skip
    rings = np.stack([*corners, corners[0]], axis=1)
    return np.asarray(shapely.polygons(np.stack([rings.real, rings.imag], axis=-1)))


def _measure_halves(centres: Numbers) -> tuple[Numbers, Numbers]:
    """Return half the steps to the next pixels down and right, as complex x and y."""
    down, right = (
        _HALF * np.gradient(centres, axis=axis) if centres.shape[axis] > 1 else None
        for axis in (0, 1)
    )
    if down is None:
        down = np.zeros_like(centres) if right is None else 1j * right
    if right is None:
        right = 1j * down
    for steps in (down, right):
        finite = np.isfinite(steps)
        if not finite.all():  # next to a gap: use the usual spacing
            samples = steps[finite] if finite.any() else np.zeros(1)
            steps[~finite] = np.median(samples.real) + 1j * np.median(samples.imag)
    return down, right


class _Extent:
    """The rows and columns of pixels found so far."""

    def __init__(self) -> None:
        self.rows = self.columns = slice(0, 0)

    def add(self, touched: Any, rows: Numbers, columns: Numbers) -> None:
        """Widen the extent to touched pixels at some rows and columns."""
        if not touched.any():
            return
        for name, numbers, axis in (("rows", rows, 1), ("columns", columns, 0)):
            touched_numbers = numbers[touched.any(axis=axis)]
            start, stop = int(touched_numbers[0]), int(touched_numbers[-1]) + 1
            before: slice = getattr(self, name)
            if before.stop > before.start:
                start, stop = min(start, before.start), max(stop, before.stop)
            setattr(self, name, slice(start, stop))

    def holds(self, rows: Numbers, columns: Numbers) -> npt.NDArray[np.bool_]:
        """Return which pixels would not widen the extent."""
        is_inside = [
            (numbers >= item.start) & (numbers < item.stop)
            for numbers, item in ((rows, self.rows), (columns, self.columns))
        ]
        return np.asarray(is_inside[0][:, None] & is_inside[1])


def _read_strips(
    latitude: xr.DataArray,
    longitude: xr.DataArray,
    window: tuple[slice, slice],
    extent: _Extent,
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield row numbers and unit vectors of strips of a window that may widen the extent.

    Strips are read by rows of chunks, each once, and overlap by a row, for the spacing.
    """
    rows, columns = window
    edges = {rows.start, rows.stop}
    if latitude.chunks is not None:
        edges |= {item for item in np.cumsum(latitude.chunks[0]).tolist() if item < rows.stop}
    limits = sorted(edge for edge in edges if edge >= rows.start)
    for first, last in pairwise(limits):
        numbers = np.arange(first, last)
        if extent.holds(numbers, np.arange(columns.start, columns.stop)).all():
            continue
        dims = latitude.dims
        part = {dims[0]: slice(first, last), dims[1]: columns}
        north, east = (item.isel(part).to_numpy() for item in (latitude, longitude))
        for start in range(0, last - first, _STRIP):
            strip = slice(max(start - 1, 0), start + _STRIP)
            yield numbers[strip], to_vectors(north[strip], east[strip])
