"""Assemble windows of a level from its decoded chunks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skerry.maps.levels import Level, Pyramid
from skerry.storage.chunk_cache import ChunkCache


def read_window(
    cache: ChunkCache, pyramid: Pyramid, level: Level, rows: tuple[int, int], cols: tuple[int, int]
) -> NDArray[Any]:
    """Return the cells ``[rows[0]:rows[1], cols[0]:cols[1]]`` of a level, through the cache.

    Parameters
    ----------
    rows, cols
        Half-open ranges of cells inside the level, neither of them empty.

    Returns
    -------
    ndarray
        Dims (y, x) in the stored dtype. Read-only when it is a view of one chunk.
    """
    height, width = level.chunk_height, level.chunk_width
    first_row, last_row = rows[0] // height, (rows[1] - 1) // height
    first_col, last_col = cols[0] // width, (cols[1] - 1) // width

    def fetch(row: int, col: int) -> NDArray[Any]:
        key = (pyramid.identity, level.path, row, col)
        return cache.get(key, lambda: level.read_chunk(row, col))

    if first_row == last_row and first_col == last_col:
        top, left = first_row * height, first_col * width
        chunk = fetch(first_row, first_col)
        return chunk[rows[0] - top : rows[1] - top, cols[0] - left : cols[1] - left]
    window = np.empty((rows[1] - rows[0], cols[1] - cols[0]), level.array.dtype)
    for row in range(first_row, last_row + 1):
        top = row * height
        y0, y1 = max(rows[0], top), min(rows[1], top + height)
        for col in range(first_col, last_col + 1):
            left = col * width
            x0, x1 = max(cols[0], left), min(cols[1], left + width)
            chunk = fetch(row, col)
            target = window[y0 - rows[0] : y1 - rows[0], x0 - cols[0] : x1 - cols[0]]
            target[...] = chunk[y0 - top : y1 - top, x0 - left : x1 - left]
    return window
