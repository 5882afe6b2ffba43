"""The bytes for tiles: read only below a product's folder, and only in limited sizes.

Products are not trusted. Refused are symbolic links, and everything that would take much memory
before a pixel is drawn: large documents, chunks and shards, and chunks that are small when
compressed and large when decoded, whose decoded size is read from their header first.

Sources: Zarr 3 core specification; RFC 8878, section 3.1.1 (Zstandard frames); RFC 1952 (gzip);
Blosc 1 header (bytes 4 to 8 are the uncompressed length).
"""

import gzip
import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zarr
from zarr.abc.store import RangeByteRequest
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.registry import register_codec

from skerry.core.errors import InvalidInputError
from skerry.storage.objects import Objects
from skerry.storage.reading_store import slice_of

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

MAX_CHUNK_BYTES = 128 * 2**20
"""Largest decoded chunk: 4096 x 4096 numbers of eight bytes."""

MAX_DOCUMENT_BYTES = 16 * 2**20
"""Largest ``zarr.json``."""

REWRITE = "Write the product again, in chunks of at most 2048 x 2048 pixels."
"""What to do about a product whose chunks are too large."""

_MAX_STORED_BYTES = 2 * MAX_CHUNK_BYTES  # numbers that do not compress, and a shard's index
_SLACK_BYTES = 2**16
_HEAD_BYTES = 18  # of the longest Zstandard header
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_SIZES = {0: 0, 1: 2, 2: 4, 3: 8}  # bytes of the content size by the descriptor's flag
_ZSTD_SINGLE = 0x20


@dataclass(frozen=True)
class GeoZarrReader:
    """Reads the files of a GeoZarr in the object store.

    Attributes
    ----------
    objects
        The object store.
    key
        The product in it.
    """

    objects: Objects
    key: str

    def read(self, key: str, part: "ByteRequest | None") -> bytes | None:
        """Return a file or a part of it, or None if it is absent.

        Raises
        ------
        ForbiddenError
            If the path contains a symbolic link.
        InvalidInputError
            If it is larger than a document or a chunk may be.
        """
        most = MAX_DOCUMENT_BYTES if key.endswith("zarr.json") else _MAX_STORED_BYTES
        return self.objects.read(f"{self.key}/{key}", slice_of(part), most=most)

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
        raise refuse_size("A compressed chunk", length, limit)


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
            "A Zstandard frame does not give the size of its decompressed content.", remedy=REWRITE
        )
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    length = int.from_bytes(head[start : start + size], "little")
    return length + 256 if size == 2 else length  # noqa: PLR2004 -- RFC 8878, 3.1.1.1.4


def refuse_size(what: str, size: int, limit: int) -> InvalidInputError:
    """Return the error for something that has too many bytes."""
    return InvalidInputError(
        f"{what} has {size:,} bytes; at most {limit:,} are read.", remedy=REWRITE
    )
