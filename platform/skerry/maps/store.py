"""A store for tiles: Zarr reads only below a product's folder, and only limited sizes.

Products are not trusted. The store refuses symbolic links and everything that would take much
memory before a pixel is drawn: large documents, chunks and shards, and chunks that are small when
compressed and large when decoded. It reads a compressed chunk's decoded size from the header
before decoding.

Sources: Zarr 3 core specification; RFC 8878, section 3.1.1 (Zstandard frames); RFC 1952 (gzip);
Blosc 1 header (bytes 4 to 8 are the uncompressed length).
"""

import gzip
import io
import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr
from zarr.abc.store import RangeByteRequest
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.registry import register_codec

from skerry.core.errors import InvalidInputError
from skerry.storage.beneath import opened_beneath
from skerry.storage.reading_store import ReadingStore, find_range

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

MAX_CHUNK_BYTES = 128 * 2**20
"""Largest decoded chunk: 4096 x 4096 numbers of eight bytes."""

MAX_DOCUMENT_BYTES = 16 * 2**20
"""Largest ``zarr.json``."""

MAX_SHARD_CHUNKS = 2**18
"""Most chunks of a shard: its index then has 4 MiB."""

_MAX_STORED_BYTES = 2 * MAX_CHUNK_BYTES  # numbers that do not compress, and a shard's index
_SLACK_BYTES = 2**16
_REMEDY = "Write the product again, in chunks of at most 2048 x 2048 pixels."
_HEAD_BYTES = 18  # of the longest Zstandard header
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_SIZES = {0: 0, 1: 2, 2: 4, 3: 8}  # bytes of the content size by the descriptor's flag
_ZSTD_SINGLE = 0x20
_ALLOWED = {"bytes", "crc32c", "sharding_indexed", "transpose", "zstd", "gzip", "blosc"}


@dataclass(frozen=True)
class FolderReader:
    """Reads the files of a GeoZarr in a folder.

    Attributes
    ----------
    root
        The object store's folder.
    key
        The product in it.
    """

    root: Path
    key: str

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a file or a part of it, or None if it is absent.

        Raises
        ------
        ForbiddenError
            If a symbolic link stands on the way.
        InvalidInputError
            If it is larger than a document or a chunk may be.
        """
        try:
            with opened_beneath(self.root, f"{self.key}/{key}") as file:
                start, stop = find_range(os.fstat(file).st_size, part)
                limit = MAX_DOCUMENT_BYTES if key.endswith("zarr.json") else _MAX_STORED_BYTES
                if stop - start > limit:
                    raise _refuse(f"The file {key!r}", stop - start, limit)
                return os.pread(file, max(0, stop - start), start)
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        """Return whether there is a file."""
        return self.read(key, RangeByteRequest(0, 0)) is not None

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Refuse to list: levels are opened by name."""
        raise NotImplementedError


class BoundedZstd(ZstdCodec):
    """Zstandard that refuses a frame larger than its chunk, or without a size in its header."""

    def _decode_sync(self, chunk_bytes: "Buffer", chunk_spec: "ArraySpec") -> "Buffer":
        check_length(read_zstd_length(_read_head(chunk_bytes)), chunk_spec)
        return super()._decode_sync(chunk_bytes, chunk_spec)


class BoundedBlosc(BloscCodec):
    """Blosc that refuses a chunk longer than it should be."""

    def _decode_sync(self, chunk_bytes: "Buffer", chunk_spec: "ArraySpec") -> "Buffer":
        check_length(int.from_bytes(_read_head(chunk_bytes)[4:8], "little"), chunk_spec)
        return super()._decode_sync(chunk_bytes, chunk_spec)


class BoundedGzip(GzipCodec):
    """Gzip that stops where the chunk should end, because gzip headers have no length."""

    def _decode_sync(self, chunk_bytes: "Buffer", chunk_spec: "ArraySpec") -> "Buffer":
        limit = find_limit(chunk_spec)
        with gzip.GzipFile(fileobj=io.BytesIO(chunk_bytes.to_bytes())) as file:
            content = file.read(limit + 1)
        check_length(len(content), chunk_spec)
        return chunk_spec.prototype.buffer.from_bytes(content)


def _read_head(chunk_bytes: "Buffer") -> bytes:
    """Return the first bytes of a chunk, without copying all of it."""
    return bytes(chunk_bytes.as_numpy_array()[:_HEAD_BYTES].tobytes())


_BOUNDED: dict[str, type[Any]] = {"zstd": BoundedZstd, "blosc": BoundedBlosc, "gzip": BoundedGzip}


@contextmanager
def bounded_codecs() -> Iterator[None]:
    """Let arrays that are opened meanwhile decode with the bounded codecs.

    Zarr chooses codecs while it reads an array's document. Other threads that open a product at
    this moment get the same codecs with one check more.
    """
    for name, codec in _BOUNDED.items():
        register_codec(name, codec)
    settings = {f"codecs.{name}": _name(codec) for name, codec in _BOUNDED.items()}
    with zarr.config.set(settings):
        yield


def open_folder(folder: FolderReader, path: str) -> zarr.Group:
    """Return a group of a product.

    Raises
    ------
    FileNotFoundError, KeyError, ValueError
        If there is no such group, or its documents are no Zarr 3.
    """
    store = ReadingStore(folder)
    return zarr.open_group(store, mode="r", path=path, zarr_format=3, use_consolidated=False)


def _name(codec: type[Any]) -> str:
    return f"{codec.__module__}.{codec.__qualname__}"


def find_limit(chunk: "ArraySpec") -> int:
    """Return how many bytes a chunk may have after one step of decoding.

    Twice the numbers' bytes and a little more, because the first of two codecs may add bytes to
    data that it cannot compress, and a checksum.
    """
    return 2 * math.prod(chunk.shape) * chunk.dtype.to_native_dtype().itemsize + _SLACK_BYTES


def check_length(length: int, chunk: "ArraySpec") -> None:
    """Refuse a compressed chunk whose decoded bytes are longer than the chunk.

    Raises
    ------
    InvalidInputError
        If `length` bytes are more than fit.
    """
    limit = find_limit(chunk)
    if length > limit:
        raise _refuse("A compressed chunk", length, limit)


def read_zstd_length(head: bytes) -> int:
    """Return the decoded length in the header of a Zstandard frame.

    Raises
    ------
    InvalidInputError
        If the header has no length.
    ValueError
        If it is not a Zstandard frame.
    """
    if len(head) < 6 or struct.unpack_from("<I", head)[0] != _ZSTD_MAGIC:  # noqa: PLR2004
        raise ValueError("a chunk is no Zstandard frame")
    descriptor = head[4]
    single = bool(descriptor & _ZSTD_SINGLE)
    size = _ZSTD_SIZES[descriptor >> 6] or int(single)
    if not size:
        raise InvalidInputError(
            "A Zstandard frame does not give the size of its decompressed content.", remedy=_REMEDY
        )
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    length = int.from_bytes(head[start : start + size], "little")
    return length + 256 if size == 2 else length  # noqa: PLR2004 -- RFC 8878, 3.1.1.1.4


def check_array(array: "zarr.Array[Any]") -> None:
    """Refuse an array whose chunks are too large to be read for a tile, before one is read.

    Raises
    ------
    InvalidInputError
        If its numbers are none, its codecs unknown, or a chunk or a shard too large.
    """
    dtype = array.dtype
    if dtype.kind not in "iufb" or dtype.itemsize > 8:  # noqa: PLR2004 -- bytes
        raise InvalidInputError(f"{array.path!r} holds {dtype}, not numbers.", remedy=_REMEDY)
    size = math.prod(array.chunks) * dtype.itemsize
    if size > MAX_CHUNK_BYTES:
        raise _refuse(f"A chunk of {array.path!r}", size, MAX_CHUNK_BYTES)
    if array.shards is not None:
        count = math.prod(array.shards) // max(1, math.prod(array.chunks))
        if count > MAX_SHARD_CHUNKS:
            raise InvalidInputError(
                f"A shard of {array.path!r} has {count:,} chunks; at most {MAX_SHARD_CHUNKS:,} "
                "are drawn.",
                remedy=_REMEDY,
            )
    unknown = _list_codecs(array.metadata.to_dict().get("codecs", ())) - _ALLOWED
    if unknown:
        raise InvalidInputError(
            f"{array.path!r} is coded with {', '.join(sorted(unknown))}, which tiles do not read.",
            remedy="Use zstd, gzip or blosc.",
        )


def _list_codecs(codecs: Any) -> set[str]:
    """Return the names of codecs, including those inside shards."""
    names = set()
    for codec in codecs:
        names.add(str(codec["name"]))
        inner = codec.get("configuration") or {}
        names |= _list_codecs(inner.get("codecs", ())) | _list_codecs(inner.get("index_codecs", ()))
    return names


def _refuse(what: str, size: int, limit: int) -> InvalidInputError:
    return InvalidInputError(
        f"{what} has {size:,} bytes; at most {limit:,} are read.", remedy=_REMEDY
    )
