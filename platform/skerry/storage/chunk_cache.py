"""A cache of decoded chunks, limited in bytes; the least recently used leave it first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

from numpy.typing import NDArray


class ChunkCache:
    """A thread-safe cache of decoded chunks in their stored dtype.

    Parameters
    ----------
    limit_bytes
        Limit of the cached bytes. A chunk larger than this is returned but not kept.

    Attributes
    ----------
    hits, misses
        How often a chunk was there, and how often not, since the cache was made.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._chunks: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._loading: dict[Hashable, Future[NDArray[Any]]] = {}
        self._held_bytes = 0
        self.hits = self.misses = 0
        self._lock = Lock()

    @property
    def held_bytes(self) -> int:
        """Bytes of all chunks in the cache now."""
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
                self.hits += 1
                return chunk
            self.misses += 1
            waiting = self._loading.get(key)
            if waiting is None:
                future: Future[NDArray[Any]] = Future()
                self._loading[key] = future
        if waiting is not None:
            return waiting.result()
        return self._load(key, load, future)

    def drop(self, key: Hashable) -> None:
        """Drop the chunk named `key`, if the cache has it."""
        with self._lock:
            chunk = self._chunks.pop(key, None)
            if chunk is not None:
                self._held_bytes -= chunk.nbytes

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
