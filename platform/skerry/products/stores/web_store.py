"""A Zarr product behind an ``http(s)://`` address as a read-only store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from skerry.core.errors import NotFoundError
from skerry.storage.remote import RemotePath
from skerry.storage.web import fetch_part

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

_AT_ONCE = 16
_LARGEST_CHUNK = 2**40


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads that wait for servers; threads that decode do not wait with them."""
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="web-store")


class WebStore(Store):
    """A folder behind an address; workers get the address and ask for themselves.

    Parameters
    ----------
    place
        The folder.
    """

    supports_writes = False
    supports_deletes = False
    supports_listing = True  # `ProductStore` refuses to list, with a message

    def __init__(self, place: RemotePath) -> None:
        super().__init__(read_only=True)
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebStore) and self.place == other.place

    def __hash__(self) -> int:
        return hash(self.place)

    async def get(
        self,
        key: str,
        prototype: "BufferPrototype",
        byte_range: "ByteRequest | None" = None,
    ) -> "Buffer | None":
        """Return a file or a part of it, or None if it is absent."""
        data = await _wait_for(lambda: self._read(key, byte_range))
        return None if data is None else prototype.buffer.from_bytes(data)

    def _read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        place = self.place / key
        try:
            if isinstance(part, RangeByteRequest):
                return fetch_part(place.url, f"{part.start}-{part.end - 1}")[0]
            if isinstance(part, OffsetByteRequest):
                return fetch_part(place.url, f"{part.offset}-")[0]
            if isinstance(part, SuffixByteRequest):
                return fetch_part(place.url, f"-{part.suffix}")[0]
            return place.read_bytes(_LARGEST_CHUNK)
        except NotFoundError:
            return None

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        """Return parts of several files."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        return await _wait_for((self.place / key).exists)

    async def set(self, key: str, value: "Buffer") -> None:
        """Refuse to write."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Refuse to delete."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """Refuse to list: HTTP has no listing."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list: HTTP has no listing."""
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse to list: HTTP has no listing."""
        raise NotImplementedError


async def _wait_for[T](work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
