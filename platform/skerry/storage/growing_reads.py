"""Reads a distant file from start to end with few requests, and a part of it with a small one.

It is for a reader that goes through a file once, and keeps the last range alone. Readers that come
back to places, or share a file, use `skerry.storage.blocks`, which keeps blocks.
"""

import io
from collections.abc import Callable
from typing import Any

_FIRST_READ = 2**16
LARGEST_READ = 2**23
"""The largest range that is asked for, in bytes, unless a reader wants more at once."""


class GrowingReads(io.RawIOBase):
    """A file that is read by ranges; each next range of a long read is twice as long.

    Parameters
    ----------
    fetch
        Returns the bytes from one position to before another; None or nothing if the file is gone.
    size
        The file's bytes.
    """

    def __init__(self, fetch: Callable[[int, int], bytes | None], size: int) -> None:
        super().__init__()
        self._fetch, self._size = fetch, size
        self._position, self._start, self._kept = 0, 0, b""
        self._ahead = _FIRST_READ

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which may lie past the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return the number of bytes."""
        target = memoryview(buffer).cast("B")
        count = min(len(target), max(0, self._size - self._position))
        if not count:
            return 0
        if not self._start <= self._position < self._start + len(self._kept):
            self._load(count)
        at = self._position - self._start
        piece = self._kept[at : at + count]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _load(self, count: int) -> None:
        goes_on = self._position == self._start + len(self._kept) and bool(self._kept)
        self._ahead = min(2 * self._ahead, LARGEST_READ) if goes_on else _FIRST_READ
        stop = min(self._size, self._position + max(count, self._ahead))
        content = self._fetch(self._position, stop)
        if not content:
            raise OSError("The file was removed while it was read.")
        self._start, self._kept = self._position, content
