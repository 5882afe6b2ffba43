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

    def __init__(self, source: Source, kept: int) -> None:
        self.source = source
        self.kept = kept
        self.whole: bytes | None = None
        self._lock = Lock()
        self._found: OrderedDict[int, bytes] = OrderedDict()
        self._coming: dict[int, Future[bytes]] = {}

    def read(self, start: int, stop: int, ahead: int) -> bytes:
        if self.whole is not None:
            return self.whole[start:stop]
        if stop - start >= self.kept:  # keeping it would drop everything else
            return self.source.fetch(start, stop)
        first, last = start // BLOCK_BYTES, (stop - 1) // BLOCK_BYTES
        with self._lock:
            blocks, coming = {}, {}
            for index in range(first, last + 1):
                if index in self._found:
                    blocks[index] = self._found[index]
                    self._found.move_to_end(index)
                elif index in self._coming:
                    coming[index] = self._coming[index]
            missing = [index for index in range(first, last + 1) if index not in blocks | coming]
            wanted = self._reach(missing, ahead) if missing else range(0)
            mine = {item: Future[bytes]() for item in wanted if item not in self._coming}
            self._coming |= mine
        if mine:
            blocks |= self._fetch(wanted, mine)
        blocks |= {item: future.result() for item, future in coming.items()}
        data = b"".join(blocks[index] for index in range(first, last + 1))
        return data[start - first * BLOCK_BYTES : stop - first * BLOCK_BYTES]

    def _reach(self, absent: list[int], ahead: int) -> range:
        """Return the blocks to fetch: the missing blocks and what follows, or precedes the end."""
        count = -(-self.source.size // BLOCK_BYTES)
        reach = max(1, ahead // BLOCK_BYTES)
        stop = min(count, max(absent[-1] + 1, absent[0] + reach))
        start = max(0, min(absent[0], stop - reach))
        while start < absent[0] and (start in self._found or start in self._coming):
            start += 1
        while stop > absent[-1] + 1 and (stop - 1 in self._found or stop - 1 in self._coming):
            stop -= 1
        return range(start, stop)

    def _fetch(self, wanted: range, mine: dict[int, Future[bytes]]) -> dict[int, bytes]:
        first = wanted.start * BLOCK_BYTES
        try:
            data = self.source.fetch(first, min(wanted.stop * BLOCK_BYTES, self.source.size))
        except BaseException as error:
            with self._lock:
                for item in mine:
                    del self._coming[item]
            for future in mine.values():
                future.set_exception(error)
            raise
        found = dict(zip(wanted, cut(data), strict=True))
        with self._lock:
            for item in mine:
                del self._coming[item]
            self._keep(found)
        for item, future in mine.items():
            future.set_result(found[item])
        return found

    def _keep(self, found: dict[int, bytes]) -> None:
        self._found |= found
        while len(self._found) * BLOCK_BYTES > self.kept:
            self._found.popitem(last=False)

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
    kept
        Largest number of bytes to keep.
    """

    def __init__(self, source: Source, *, ahead: int = AHEAD_BYTES, kept: int = KEPT_BYTES) -> None:
        super().__init__()
        self.source = source
        self.ahead = ahead
        self._position = 0
        self._blocks = _Blocks(source, kept)

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
