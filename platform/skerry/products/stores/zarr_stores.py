"""Zarr stores for reading: metadata read once and bounded, errors that name the place."""

from asyncio import sleep, to_thread
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store
from zarr.storage import LocalStore, ObjectStore, WrapperStore

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.coding.sizes import MAX_METADATA_BYTES
from skerry.products.stores.archives import ArchivedPath, get_archive
from skerry.storage.bucket import Bucket
from skerry.storage.outside import check_key_inside
from skerry.storage.reading_store import ReadingStore, find_range, slice_of
from skerry.storage.remote import RemotePath, explain, explaining, too_large
from skerry.storage.signed import SignedStore
from skerry.storage.web import TemporaryError, fetch_part

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

Place = Path | RemotePath | ArchivedPath

_LARGEST_CHUNK = 2**40
METADATA_NAMES = frozenset({"zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"})


class ProductStore(WrapperStore[Any]):
    """A read-only store that remembers metadata documents, and which of them are absent.

    It is sent to workers without these documents; a bucket is opened anew there, because its
    client holds credentials.

    Parameters
    ----------
    store
        The store that holds the product at `root`.
    place
        The product, for messages.
    root
        Key of the product in the store.
    """

    def __init__(self, store: Store, place: Place, root: str = "") -> None:
        super().__init__(store)
        self.place = place
        self.root = root
        self._documents: dict[str, Buffer | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_documents": {}}

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        if isinstance(self._store, ObjectStore):
            return open_store, (self.place,)
        return super().__reduce_ex__(protocol)

    def _with_store(self, store: Store) -> "ProductStore":
        return ProductStore(store, self.place, self.root)

    def with_read_only(self, read_only: bool = False) -> "ProductStore":
        """Return this store: it only reads."""
        if not read_only:
            raise ValueError("a product is opened for reading")
        return self

    async def get(
        self,
        key: str,
        prototype: "BufferPrototype | None" = None,
        byte_range: "ByteRequest | None" = None,
    ) -> "Buffer | None":
        """Return a document or chunk, or None if it is absent.

        Raises
        ------
        InvalidInputError
            If a metadata document has more than `MAX_METADATA_BYTES`; it is not read.
        ForbiddenError, UnavailableError
            If the server refuses or does not answer.
        """
        from zarr.core.buffer import default_buffer_prototype

        prototype = prototype or default_buffer_prototype()
        if key.rpartition("/")[2] not in METADATA_NAMES:
            content: Buffer | None = await self._read(key, prototype, byte_range)
            return content
        if key not in self._documents:
            self._documents[key] = await self._read_document(key, prototype)
        return self._documents[key]

    async def _read(self, key: str, prototype: Any, byte_range: Any) -> Any:
        for pause_s in (0.2, 1.0, None):
            try:
                return await self._store.get(self._full(key), prototype, byte_range)
            except (BaseError, OSError) as error:
                reason = explain(error, f"{self.place}/{key}")
                if pause_s is None or not isinstance(reason, TemporaryError):
                    raise reason from None
            await sleep(pause_s)
        return None

    async def _read_document(self, key: str, prototype: Any) -> Any:
        label = f"{self.place}/{key}"
        if not isinstance(self.place, RemotePath):
            size = _find_size(self.place / key)
            if size is not None and size > MAX_METADATA_BYTES:
                raise too_large(label, size, MAX_METADATA_BYTES)
            return await self._store.get(self._full(key), prototype)
        try:
            content = await to_thread((self.place / key).read_bytes, MAX_METADATA_BYTES)
        except NotFoundError:
            return None
        return prototype.buffer.from_bytes(content)

    def _full(self, key: str) -> str:
        if isinstance(self.place, Path):
            check_key_inside(self.place, key)
        return f"{self.root}/{key}".strip("/")

    async def exists(self, key: str) -> bool:
        """Return whether a key exists."""
        if key.rpartition("/")[2] in METADATA_NAMES:
            return await self.get(key) is not None
        with explaining(f"{self.place}/{key}"):
            return bool(await self._store.exists(self._full(key)))

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        """Return parts of several keys."""
        return [await self._read(key, prototype, part) for key, part in key_ranges]

    def list(self) -> Any:
        """List all keys, which `list_prefix` gives relative to the product."""
        return self.list_prefix("")

    async def list_prefix(self, prefix: str) -> Any:
        """List keys below a prefix."""
        self._refuse_listing()
        start = len(self.root) + 1 if self.root else 0
        with explaining(self.place):
            async for key in self._store.list_prefix(self._full(prefix)):
                yield key[start:]

    async def list_dir(self, prefix: str) -> Any:
        """List names right below a prefix."""
        self._refuse_listing()
        with explaining(self.place):
            async for name in self._store.list_dir(self._full(prefix)):
                yield name

    def _refuse_listing(self) -> None:
        if isinstance(self.place, RemotePath) and not self.place.lists:
            raise InvalidInputError(
                f"{self.place} has no consolidated metadata, and HTTP cannot list its content.",
                remedy="Consolidate its metadata (zarr.consolidate_metadata), or download it.",
            )


def _find_size(place: Path | ArchivedPath) -> int | None:
    if isinstance(place, ArchivedPath):
        return place.find_size()
    return place.stat().st_size if place.is_file() else None


@dataclass(frozen=True)
class ArchiveReader:
    """Reads the members of a zip archive."""

    archive: Path | RemotePath

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a member or a part of it, or None if it is absent."""
        place = ArchivedPath(self.archive, key)
        size = place.find_size()
        if size is None:
            return None
        start, stop = find_range(size, part)
        with place.open() as stream:
            stream.seek(start)
            return stream.read(max(0, stop - start))

    def exists(self, key: str) -> bool:
        """Return whether a member exists."""
        return key in get_archive(self.archive).sizes

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Return the members whose names begin with a prefix."""
        return (name for name in get_archive(self.archive).sizes if name.startswith(prefix))


@dataclass(frozen=True)
class WebReader:
    """Reads files behind an ``http(s)://`` address, through the allow-list."""

    place: RemotePath

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a file or a part of it, or None if it is absent."""
        place = self.place / key
        try:
            if part is None:
                return place.read_bytes(_LARGEST_CHUNK)
            return fetch_part(place.url, _describe_range(part))[0]
        except NotFoundError:
            return None

    def exists(self, key: str) -> bool:
        """Return whether a file exists."""
        return (self.place / key).exists()

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Refuse to list: HTTP has no listing."""
        raise NotImplementedError


@dataclass(frozen=True)
class SignedReader:
    """Reads files of a bucket at addresses that the api signs for this process."""

    place: RemotePath

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a file or a part of it, or None if it is absent."""
        return self._bucket.read(f"{self.place.key}/{key}", slice_of(part))

    def exists(self, key: str) -> bool:
        """Return whether a file exists."""
        return (self.place / key).exists()

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Return the files whose names begin with a prefix, which is empty or ends in ``/``."""
        start = len(self.place.key) + 1
        files = self._bucket.list_files(f"{self.place.key}/{prefix}")
        return (file.key[start:] for file in files)

    @property
    def _bucket(self) -> Bucket:
        return Bucket(f"s3://{urlsplit(self.place.url).netloc}")


def _describe_range(part: "ByteRequest") -> str:
    """Return a part of a file as HTTP writes it (RFC 9110, section 14.1.2)."""
    if isinstance(part, RangeByteRequest):
        return f"{part.start}-{part.end - 1}"
    return f"{part.offset}-" if isinstance(part, OffsetByteRequest) else f"-{part.suffix}"


def open_store(place: Place) -> ProductStore:
    """Return the store of a Zarr product, for reading."""
    if isinstance(place, Path):
        return ProductStore(LocalStore(place, read_only=True), place)
    if isinstance(place, ArchivedPath):
        return ProductStore(ReadingStore(ArchiveReader(place.archive)), place, place.inside)
    if not place.lists:
        return ProductStore(ReadingStore(WebReader(place)), place)
    if isinstance(place.bucket, SignedStore):
        return ProductStore(ReadingStore(SignedReader(place)), place)
    return ProductStore(ObjectStore(place.bucket, read_only=True), place, place.key)
