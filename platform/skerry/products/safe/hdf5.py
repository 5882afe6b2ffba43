"""HDF5 files of a product: opened once, kept open for a while, read by attribute and window."""

import atexit
import io
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from dask.base import tokenize

from skerry.core.errors import InvalidInputError
from skerry.products.hdf5_attributes import check_attributes
from skerry.products.safe.files import ProductFiles

MAX_OPEN_FILES = 128
MAX_HELD_BYTES = 256 * 2**20
"""Largest sum of archive members kept inflated."""
BLOCK_BYTES = 64 * 2**10
_BLOCKS = 16

_ATTRIBUTES = (
    "_FillValue", "scale_factor", "add_offset", "valid_min", "valid_max", "units", "calendar",
    "long_name", "standard_name", "flag_masks", "flag_values", "flag_meanings",
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What a file says about one variable.

    Attributes
    ----------
    shape, dtype
        As stored.
    chunks
        What is stored together; None if the variable is in one piece.
    compressors
        Filters in the order of writing, as numcodecs names and configures them.
    attrs
        CF attributes; one-element arrays as scalars, longer ones as lists, text as `str`.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None
    compressors: tuple[dict[str, Any], ...]
    attrs: dict[str, Any]


class _MemberStream(io.RawIOBase):
    """A member as HDF5 wants to read it: many small pieces, any place, its size known.

    Small reads are served from blocks kept in memory, so that metadata cost few reads of a zip
    archive or of a server.
    """

    def __init__(self, files: ProductFiles, name: str) -> None:
        super().__init__()
        self._stream: IO[bytes] = files.open(name)
        self._size = files.sizes[name]
        self._position = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._whole: memoryview | None = None

    def hold(self) -> int:
        """Keep the whole member in memory from now on; return its size in bytes."""
        if self._whole is None:
            self._stream.seek(0)
            self._whole = memoryview(self._stream.read())
            self._blocks.clear()
        return len(self._whole)

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def seekable(self) -> bool:
        """Say that this can seek."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, without touching the member."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from the position on, as far as the member goes."""
        target = memoryview(buffer).cast("B")
        piece = self._piece(self._position, min(len(target), self._size - self._position))
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close the member."""
        if not self.closed:
            self._stream.close()
        super().close()

    def _piece(self, start: int, length: int) -> bytes | memoryview:
        if length <= 0:
            return b""
        if self._whole is not None:
            return self._whole[start : start + length]
        if length >= BLOCK_BYTES:
            self._stream.seek(start)
            return self._stream.read(length)
        first, last = start // BLOCK_BYTES, (start + length - 1) // BLOCK_BYTES
        joined = b"".join(self._block(number) for number in range(first, last + 1))
        skipped = start - first * BLOCK_BYTES
        return joined[skipped : skipped + length]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._stream.seek(number * BLOCK_BYTES)
            self._blocks[number] = self._stream.read(BLOCK_BYTES)
            if len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]


class _OpenFiles:
    """The files of this process that are open, at most `MAX_OPEN_FILES`, oldest use first.

    One lock guards all of HDF5, which reads one thing at a time anyway.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._files: OrderedDict[str, tuple[Any, _MemberStream, int]] = OrderedDict()

    def get(self, files: ProductFiles, name: str, *, whole: bool) -> Any:
        """Return a member as an open `h5py.File`; the lock must be held.

        Parameters
        ----------
        files, name
            The member.
        whole
            Whether much of it will be read. A member of an archive is then inflated once:
            seeking backwards in it would inflate it anew each time.
        """
        key = version_of(files, name)
        if key not in self._files:
            self._files[key] = (*_open(files, name), 0)
        file, stream, held = self._files[key]
        if whole and files.archived and not held:
            self._files[key] = (file, stream, stream.hold())
        self._files.move_to_end(key)
        self._forget()
        return file

    def close(self) -> None:
        """Close all files."""
        with self.lock:
            while self._files:
                self._close_oldest()

    def _forget(self) -> None:
        while len(self._files) > 1 and (
            len(self._files) > MAX_OPEN_FILES
            or sum(held for _, _, held in self._files.values()) > MAX_HELD_BYTES
        ):
            self._close_oldest()

    def _close_oldest(self) -> None:
        _, (file, stream, _) = self._files.popitem(last=False)
        file.close()
        stream.close()


_OPEN = _OpenFiles()
atexit.register(_OPEN.close)


def version_of(files: ProductFiles, name: str) -> str:
    """Return a token that changes when a member does: place, size and time of change."""
    changed = files.changed_ns(name)
    return str(tokenize(str(files.path), files.prefix, name, files.sizes[name], changed))


def read_headers(files: ProductFiles, name: str, sources: list[str]) -> dict[str, Header]:
    """Read what a file says about variables, without their values.

    Returns
    -------
    dict
        The variables that are in the file, in one opening of it.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    """
    with _reading(files, name), _OPEN.lock:
        file = _OPEN.get(files, name, whole=False)
        return {
            source: _read_header(file[source], f"{source} in {name}")
            for source in sources
            if source in file
        }


def read_window(files: ProductFiles, name: str, source: str, key: tuple[Any, ...]) -> Any:
    """Read a window of a variable, as stored.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    """
    with _reading(files, name), _OPEN.lock:
        values: npt.NDArray[Any] = np.asarray(_OPEN.get(files, name, whole=True)[source][key])
        return values


def _open(files: ProductFiles, name: str) -> tuple[Any, _MemberStream]:
    import h5py  # type: ignore[import-untyped]

    stream = _MemberStream(files, name)
    try:
        return h5py.File(stream, "r"), stream
    except BaseException:
        stream.close()
        raise


@contextmanager
def _reading(files: ProductFiles, name: str) -> Iterator[None]:
    """Turn whatever a damaged file makes HDF5, zlib or zipfile raise into one clear error."""
    import zipfile
    import zlib

    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidInputError(
            f"{name} in {files.path} is damaged: {error}.",
            remedy="Fetch the product again from its provider.",
        ) from error


def _read_header(dataset: Any, label: str) -> Header:
    check_attributes(dataset, label)
    attrs = {name: _simplify(dataset.attrs[name]) for name in _ATTRIBUTES if name in dataset.attrs}
    filters: list[dict[str, Any]] = []
    if dataset.chunks:
        if dataset.shuffle:
            filters.append({"id": "shuffle", "elementsize": dataset.dtype.itemsize})
        if dataset.compression == "gzip":
            filters.append({"id": "zlib", "level": int(dataset.compression_opts)})
    return Header(dataset.shape, dataset.dtype, dataset.chunks, tuple(filters), attrs)


def _simplify(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return value.strip()
    array = np.asarray(value)
    if array.size == 1:
        only = array.reshape(-1)[0]
        return _simplify(only) if isinstance(only, str | bytes) else only.item()
    return [_simplify(one) if isinstance(one, str | bytes) else one.item() for one in array.flat]
