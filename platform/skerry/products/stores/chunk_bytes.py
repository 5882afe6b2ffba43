"""Copy the bytes of stored chunks to an array with the same storage, and decode chunks.

The bytes of a chunk are the same in Zarr 2 and Zarr 3 if shape, number type and codec are the same:
Zarr 2 writes its numbers little-endian as its type says, Zarr 3 by its ``bytes`` codec. Blosc's
frame holds its own length and the length of the numbers (Blosc 1 header: bytes 4-8 uncompressed,
12-16 compressed), so that a chunk cut short is noticed without decoding it.
"""

import itertools
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import Codec, codec_of
from skerry.storage.outside import check_inside

DAMAGE = (ValueError, RuntimeError, EOFError, OSError, zlib.error, SystemError)
"""Errors of codecs; for a Blosc chunk shorter than its header sometimes a SystemError."""
_HEADER = struct.Struct("<4xIII")


def can_copy(source: Any, target: Any) -> bool:
    """Tell whether `target` stores its chunks as `source` does, byte for byte."""
    if not can_decode(source) or not can_decode(target) or not source.shape:
        return False
    if source.shape != target.shape or source.chunks != target.chunks:
        return False
    if source.dtype != target.dtype or not _same_fill(source, target):
        return False
    return _codec_of(source) == _codec_of(target)


def can_decode(array: Any) -> bool:
    """Tell whether `decode_chunk` works: plain numbers, one supported codec, no shards."""
    if not isinstance(array, zarr.Array) or array.shards is not None:
        return False
    if array.dtype.kind not in "iufb":
        return False
    return _is_plain(array) and _codec_of(array) is not None


def _codec_of(array: Any) -> Codec | None:
    return codec_of({"compressors": array.compressors})


def _is_plain(array: Any) -> bool:
    """Tell whether numbers are stored little-endian in C order, without further codecs."""
    if array.dtype.byteorder == ">":
        return False
    if array.metadata.zarr_format == 2:  # noqa: PLR2004 -- the format's name
        return bool(array.order == "C")
    serializer = array.serializer.to_dict()
    little = serializer.get("configuration", {}).get("endian", "little") == "little"
    return not array.filters and serializer.get("name") == "bytes" and little


def _same_fill(source: Any, target: Any) -> bool:
    """Tell whether a missing chunk means the same in both arrays."""
    one, other = source.fill_value, target.fill_value
    if one is None or other is None:
        # An absent chunk of an array without fill value is read as zeros, see `_leave_absent`.
        return (one or 0) == (other or 0)
    return bool(
        np.array_equal(np.asarray(one), np.asarray(other), equal_nan=source.dtype.kind == "f")
    )


def list_chunks(array: Any) -> list[tuple[int, ...]]:
    """Return the coordinates of all chunks."""
    counts = [-(-size // step) for size, step in zip(array.shape, array.chunks, strict=True)]
    return list(itertools.product(*(range(count) for count in counts)))


def copy_chunk(source: Any, target: Any, chunk: tuple[int, ...]) -> None:
    """Copy the bytes of a chunk; an absent chunk stays absent if there is a fill value for it.

    Raises
    ------
    InvalidInputError
        If the chunk is shorter than its header says.
    """
    files = (_find_file(source, chunk), _find_file(target, chunk))
    if files[0] is not None and files[1] is not None:
        if not _copy_file(files[0], files[1], source):
            _leave_absent(target, chunk)
        return
    content = _read(source, chunk)
    if content is None:
        _leave_absent(target, chunk)
    else:
        sync(_place_of(target, chunk).set(content))


def decode_chunk(source: Any, chunk: tuple[int, ...]) -> npt.NDArray[Any] | None:
    """Return a chunk's numbers, of the chunk's full shape; None if it is absent.

    Memory holds the numbers once and the compressed bytes once.

    Raises
    ------
    InvalidInputError
        If the chunk is damaged.
    """
    content, codec = _read(source, chunk), _codec_of(source)
    if content is None or codec is None:
        return None
    numbers = np.empty(source.chunks, source.dtype)
    decoder, raw = codec.to_zarr2(), content.as_numpy_array()
    try:
        if decoder is None:
            numbers.reshape(-1).view(np.uint8)[:] = raw
        else:
            decoder.decode(raw, out=numbers)
    except DAMAGE as error:
        raise _damaged(f"{_place_of(source, chunk)}", len(raw)) from error
    return numbers


def _leave_absent(target: Any, chunk: tuple[int, ...]) -> None:
    """Write zeros for an absent chunk if the array has no fill value.

    Without a fill value readers differ: zarr-python 3 gives zeros, zarr-python 2 random memory.
    """
    if target.fill_value is None:
        target.set_block_selection(chunk, 0)


def _place_of(array: Any, chunk: tuple[int, ...]) -> Any:
    return array.store_path / array.metadata.encode_chunk_key(chunk)


def _read(array: Any, chunk: tuple[int, ...]) -> Any:
    """Return a chunk's bytes, checked; None if it is absent."""
    place = _place_of(array, chunk)
    content = sync(place.get(default_buffer_prototype()))
    if content is not None:
        _check(content[: _HEADER.size].to_bytes(), len(content), array, f"{place}")
    return content


def _find_file(array: Any, chunk: tuple[int, ...]) -> Path | None:
    """Return the file of a chunk if the array is in a folder of this machine."""
    store = array.store
    folder = getattr(store, "place", None) or getattr(store, "root", None)
    if not isinstance(folder, Path):
        return None
    key: str = array.metadata.encode_chunk_key(chunk)
    return check_inside(folder, folder / str(array.path) / key)


def _copy_file(source: Path, target: Path, array: Any) -> bool:
    """Copy a chunk's file without loading it into memory; tell whether the file exists."""
    if not source.is_file():
        return False
    with source.open("rb") as stream:
        _check(stream.read(_HEADER.size), source.stat().st_size, array, f"{source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return True


def _check(raw: bytes, length: int, array: Any, where: str) -> None:
    """Refuse a Blosc or uncompressed chunk of the wrong length."""
    expected = int(np.prod(array.chunks, dtype=np.int64)) * array.dtype.itemsize
    codec = _codec_of(array)
    if codec is None or not (codec.name == "none" or codec.name.startswith("blosc")):
        return
    if codec.name == "none":
        sound = length == expected
    elif len(raw) < _HEADER.size:
        sound = False
    else:
        numbers, _, compressed = _HEADER.unpack(raw)
        sound = numbers == expected and compressed == length
    if not sound:
        raise _damaged(where, length)


def _damaged(where: str, length: int) -> InvalidInputError:
    return InvalidInputError(
        f"The chunk {where} is damaged: it has {length} bytes, and is cut short or belongs "
        "to another array.",
        remedy="Fetch the product again.",
    )
