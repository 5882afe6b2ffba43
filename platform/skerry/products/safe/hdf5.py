"""HDF5 files of a product: opened once, kept open, read by attribute and window."""

import atexit
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from dask.base import tokenize

from skerry.core.errors import DamagedError, InvalidInputError
from skerry.products.coding.sizes import check_attributes
from skerry.products.safe.files import ProductFiles
from skerry.storage.blocks import BlockReader
from skerry.storage.outside import open_dataset

MAX_OPEN_FILES = 128
AHEAD_BYTES = 64 * 2**10
"""Least number of bytes to fetch at a time: most files have all HDF5 metadata within it."""
MAX_HELD_BYTES = 256 * 2**20
"""Limit of the cache of inflated archive members, in bytes."""

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
        Shape and type as stored.
    chunks
        Shape of the stored chunks; None if the variable is stored in one piece.
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


class _OpenFiles:
    """The open files of this process, at most `MAX_OPEN_FILES`, least recently used first.

    A single lock guards all of HDF5, which cannot read in parallel anyway.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._files: OrderedDict[str, tuple[Any, IO[bytes], int]] = OrderedDict()

    def get(self, files: ProductFiles, name: str, *, whole: bool) -> Any:
        """Return a member as an open `h5py.File`; the lock must be held.

        Parameters
        ----------
        files, name
            The member.
        whole
            Whether much of it will be read. A member of an archive is then inflated once, because
            every seek backwards would inflate it again.
        """
        key = version_of(files, name)
        if key not in self._files:
            self._files[key] = (*_open(files, name), 0)
        file, stream, held_bytes = self._files[key]
        if whole and files.archived and not held_bytes and isinstance(stream, BlockReader):
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
            or sum(held_bytes for _, _, held_bytes in self._files.values()) > MAX_HELD_BYTES
        ):
            self._close_oldest()

    def _close_oldest(self) -> None:
        _, (file, stream, _) = self._files.popitem(last=False)
        file.close()
        stream.close()


_OPEN = _OpenFiles()
atexit.register(_OPEN.close)


def version_of(files: ProductFiles, name: str) -> str:
    """Return a token that changes when a member changes: place, size and time of change."""
    changed = files.changed_ns(name)
    return str(tokenize(str(files.path), files.prefix, name, files.sizes[name], changed))


def read_headers(files: ProductFiles, name: str, sources: list[str]) -> dict[str, Header]:
    """Read what a file says about variables, without their values.

    Returns
    -------
    dict
        Name to header of the variables that are in the file.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    """
    with _reading(files, name), _OPEN.lock:
        file = _OPEN.get(files, name, whole=False)
        return {
            source: _read_header(open_dataset(file, source, label), label)
            for source in sources
            if source in file and (label := f"{source} in {name}")
        }


def read_window(files: ProductFiles, name: str, source: str, key: tuple[Any, ...]) -> Any:
    """Read a window of a variable, as stored.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    """
    with _reading(files, name), _OPEN.lock:
        file = _OPEN.get(files, name, whole=True)
        values: npt.NDArray[Any] = np.asarray(
            open_dataset(file, source, f"{source} in {name}")[key]
        )
        return values


def _open(files: ProductFiles, name: str) -> tuple[Any, IO[bytes]]:
    import h5py  # type: ignore[import-untyped]

    stream = files.open(name, AHEAD_BYTES)
    try:
        return h5py.File(stream, "r"), stream
    except OSError as error:  # also for a file that is cut short
        stream.close()
        raise DamagedError(
            f"{name} in {files.path} is damaged: {error}.",
            remedy="Fetch the product again from its provider.",
        ) from error
    except BaseException:
        stream.close()
        raise


@contextmanager
def _reading(files: ProductFiles, name: str) -> Iterator[None]:
    """Turn all errors that HDF5 raises for damaged files into one clear error."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
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
    return [
        _simplify(item) if isinstance(item, str | bytes) else item.item() for item in array.flat
    ]
