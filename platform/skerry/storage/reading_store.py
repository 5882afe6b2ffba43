"""Read-only Zarr stores over any place from which files can be read by key.

Zarr's own stores follow symbolic links, unpack archives without limits and ask servers past the
allow-list; a `Reader` opens files as the place needs it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

_AT_ONCE = 16


class Reader(Protocol):
    """Reads the files of a place; equal readers read the same place, and can be sent to workers."""

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a file or a part of it, or None if it is absent."""

    def exists(self, key: str) -> bool:
        """Return whether there is a file."""

    def list_keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin with a prefix, or raise where the place has no listing."""


class ReadingStore(Store):
    """A place as a read-only Zarr store.

    Parameters
    ----------
    reader
        Reads its files; it is called in several threads at once.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, reader: Reader) -> None:
        super().__init__(read_only=True)
        self.reader = reader

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadingStore) and self.reader == other.reader

    def __hash__(self) -> int:
        return hash(self.reader)

    async def get(
        self,
        key: str,
        prototype: "BufferPrototype",
        byte_range: "ByteRequest | None" = None,
    ) -> "Buffer | None":
        """Return a file or a part of it, or None if it is absent."""
        content = await _wait_for(lambda: self.reader.read(key, byte_range))
        return None if content is None else prototype.buffer.from_bytes(content)

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        """Return parts of several files."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        return await _wait_for(lambda: self.reader.exists(key))

    async def set(self, key: str, value: "Buffer") -> None:
        """Refuse to write."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """List all keys."""
        return self.list_prefix("")

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """List keys that begin with a prefix."""
        for key in self.reader.list_keys(prefix):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List names right below a folder."""
        above = f"{prefix.rstrip('/')}/" if prefix else ""
        below = (key.removeprefix(above) for key in self.reader.list_keys(above))
        for name in dict.fromkeys(key.partition("/")[0] for key in below):
            yield name


def slice_of(part: "ByteRequest | None") -> slice:
    """Return a part of a file as a slice of its bytes."""
    if isinstance(part, RangeByteRequest):
        return slice(part.start, part.end)
    if isinstance(part, OffsetByteRequest):
        return slice(part.offset, None)
    if isinstance(part, SuffixByteRequest):
        return slice(-part.suffix, None) if part.suffix else slice(0, 0)
    return slice(None)


def find_range(size: int, part: "ByteRequest | None") -> tuple[int, int]:
    """Return where a part of a file of `size` bytes starts, and before which byte it stops."""
    start, stop, _ = slice_of(part).indices(size)
    return start, stop


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads that wait for bytes; threads that decode do not wait with them."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reading-store")


async def _wait_for[T](work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
