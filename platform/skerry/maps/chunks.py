"""Decoded chunks in memory: least recently used out first, bounded in bytes, each loaded once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skerry.maps.levels import Level, Pyramid


class ChunkCache:
    """A thread-safe cache of decoded chunks in their stored dtype.

    Parameters
    ----------
    limit_bytes
        Upper bound of the bytes held. A chunk larger than this is handed out but not kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._chunks: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._loading: dict[Hashable, Future[NDArray[Any]]] = {}
        self._held_bytes = 0
        self._lock = Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes of all chunks held now."""
        return self._held_bytes

    def get(self, key: Hashable, load: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the chunk named `key`; when several threads miss it at once, one loads it.

        The chunk is read-only. An error of `load` goes to every thread that waits for it, and
        nothing is kept.
        """
        with self._lock:
            chunk = self._chunks.get(key)
            if chunk is not None:
                self._chunks.move_to_end(key)
                return chunk
            waiting = self._loading.get(key)
            if waiting is None:
                mine: Future[NDArray[Any]] = Future()
                self._loading[key] = mine
        if waiting is not None:
            return waiting.result()
        return self._load(key, load, mine)

    def _load(
        self, key: Hashable, load: Callable[[], NDArray[Any]], promise: Future[NDArray[Any]]
    ) -> NDArray[Any]:
        try:
            chunk = load()
            chunk.flags.writeable = False
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            promise.set_exception(error)
            raise
        with self._lock:
            del self._loading[key]
            self._keep(key, chunk)
        promise.set_result(chunk)
        return chunk

    def _keep(self, key: Hashable, chunk: NDArray[Any]) -> None:
        if chunk.nbytes > self.limit_bytes:
            return
        self._chunks[key] = chunk
        self._held_bytes += chunk.nbytes
        while self._held_bytes > self.limit_bytes:
            _, evicted = self._chunks.popitem(last=False)
            self._held_bytes -= evicted.nbytes


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
