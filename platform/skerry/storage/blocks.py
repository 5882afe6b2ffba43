"""Reads distant or slow sources by ranges, and keeps the bytes for a while, in blocks."""

import io
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Protocol

BLOCK_BYTES = 4 * 2**10
"""Size of a block, which is kept or dropped as a whole."""
AHEAD_BYTES = 256 * 2**10
"""Smallest fetch: small reads beside each other cost one request."""
KEPT_BYTES = 16 * 2**20
"""Cache limit for a source of one file, such as an archive."""
MEMBER_KEPT_BYTES = 2**20
"""Cache limit for each of many files of a product."""


class Source(Protocol):
    """Bytes that several threads can fetch by ranges; a worker gets the place, not the bytes."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def name(self) -> str:
        """The file's name."""

    def fetch(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to before `stop`, all of them."""

    def close(self) -> None:
        """Close open files; the next fetch opens them again."""


class _Blocks:
    """A source's cached blocks, shared by its readers. No block is fetched twice at a time."""

    def __init__(self, source: Source, cache_bytes: int) -> None:
        self.source = source
        self.cache_bytes = cache_bytes
        self.whole: bytes | None = None
        self._lock = Lock()
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._coming: dict[int, Future[bytes]] = {}

    def read(self, start: int, stop: int, ahead: int) -> bytes:
        if self.whole is not None:
            return self.whole[start:stop]
        if stop - start >= self.cache_bytes:  # keeping it would drop everything else
            return self.source.fetch(start, stop)
        first, last = start // BLOCK_BYTES, (stop - 1) // BLOCK_BYTES
        with self._lock:
            blocks, coming = {}, {}
            for index in range(first, last + 1):
                if index in self._cached:
                    blocks[index] = self._cached[index]
                    self._cached.move_to_end(index)
                elif index in self._coming:
                    coming[index] = self._coming[index]
            missing = [index for index in range(first, last + 1) if index not in blocks | coming]
            block_range = self._reach(missing, ahead) if missing else range(0)
            futures = {item: Future[bytes]() for item in block_range if item not in self._coming}
            self._coming |= futures
        if futures:
            blocks |= self._fetch(block_range, futures)
        blocks |= {item: future.result() for item, future in coming.items()}
        data = b"".join(blocks[index] for index in range(first, last + 1))
        return data[start - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]

    def _reach(self, absent: list[int], ahead: int) -> range:
        """Return the blocks to fetch: the missing blocks and what follows, or precedes the end."""
        count = -(-self.source.size // BLOCK_BYTES)
        reach = max(1, ahead // BLOCK_BYTES)
        stop = min(count, max(absent[-1] + 1, absent[0] + reach))
        start = max(0, min(absent[0], stop - reach))
        while start < absent[0] and (start in self._cached or start in self._coming):
            start += 1
        while stop > absent[-1] + 1 and (stop - 1 in self._cached or stop - 1 in self._coming):
            stop -= 1
        return range(start, stop)

    def _fetch(self, block_range: range, futures: dict[int, Future[bytes]]) -> dict[int, bytes]:
        first = block_range.start * BLOCK_BYTES
        try:
            data = self.source.fetch(first, min(block_range.stop * BLOCK_BYTES, self.source.size))
        except BaseException as error:
            with self._lock:
                for item in futures:
                    del self._coming[item]
            for future in futures.values():
                future.set_exception(error)
            raise
        fetched = dict(zip(block_range, cut(data), strict=True))
        with self._lock:
            for item in futures:
                del self._coming[item]
            self._keep(fetched)
        for item, future in futures.items():
            future.set_result(fetched[item])
        return fetched

    def _keep(self, fetched: dict[int, bytes]) -> None:
        self._cached |= fetched
        while len(self._cached) * BLOCK_BYTES > self.cache_bytes:
            self._cached.popitem(last=False)

    def take(self, data: bytes) -> None:
        """Keep bytes from the source's start up to the end of a block or of the source."""
        with self._lock:
            self._keep(dict(enumerate(cut(data))))


def cut(data: bytes) -> Iterable[bytes]:
    """Cut bytes into blocks, the last of which may be shorter."""
    return (data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES))


class BlockReader(io.RawIOBase):
    """A source as a file for reading; several readers can share the cached blocks.

    Parameters
    ----------
    source
        The source to read.
    ahead
        Smallest number of bytes to fetch at once.
    cache_bytes
        Largest number of bytes to keep.
    """

    def __init__(
        self, source: Source, *, ahead: int = AHEAD_BYTES, cache_bytes: int = KEPT_BYTES
    ) -> None:
        super().__init__()
        self.source = source
        self.ahead = ahead
        self._position = 0
        self._blocks = _Blocks(source, cache_bytes)

    def fork(self, ahead: int | None = None) -> "BlockReader":
        """Return a reader at the start that shares the cached blocks; safe in another thread."""
        other = BlockReader(self.source, ahead=ahead or self.ahead)
        other._blocks = self._blocks
        return other

    def take(self, data: bytes) -> None:
        """Keep bytes from the source's start that were read already."""
        self._blocks.take(data)

    def hold(self) -> int:
        """Read everything and keep it from now on; return its size in bytes."""
        if self._blocks.whole is None:
            self._blocks.whole = self.source.fetch(0, self.size)
        return self.size

    def __copy__(self) -> "BlockReader":
        return self.fork()

    def __reduce__(self) -> tuple[Any, ...]:
        """Send the source, not the cached blocks."""
        return BlockReader, (self.source,)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.source.size

    @property
    def name(self) -> str:
        """The file's name."""
        return self.source.name

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which may lie past the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, by default all that remain."""
        left = max(0, self.size - self._position)
        count = left if size is None or size < 0 else min(size, left)
        if not count:
            return b""
        start = self._position
        self._position += count
        return self._blocks.read(start, start + count, self.ahead)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return the number of bytes."""
        target = memoryview(buffer).cast("B")
        data = self.read(len(target))
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the open files."""
        if not self.closed:
            self.source.close()
        super().close()
