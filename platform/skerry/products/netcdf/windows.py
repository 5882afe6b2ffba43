"""Read windows of variables in NetCDF-4 files on request; files stay open for a while."""

import atexit
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError
from skerry.products.stores.zarr_stores import Place

MAX_OPEN_FILES = 64


class _OpenFiles:
    """The open NetCDF files of this process, least recently used first.

    A single lock guards all of HDF5, which cannot read in parallel anyway.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._files: OrderedDict[tuple[Place, int], tuple[Any, Any]] = OrderedDict()

    def get(self, place: Place, version: int) -> Any:
        """Return an open `h5py.File`; the lock must be held."""
        key = (place, version)
        if key not in self._files:
            stream = None if isinstance(place, Path) else place.open()
            self._files[key] = h5py.File(place if stream is None else stream, "r"), stream
        self._files.move_to_end(key)
        while len(self._files) > MAX_OPEN_FILES:
            self._close_oldest()
        return self._files[key][0]

    def forget(self, place: Place, version: int) -> None:
        """Close a file if it is open; the lock must be held."""
        if (place, version) in self._files:
            self._files.move_to_end((place, version), last=False)
            self._close_oldest()

    def close(self) -> None:
        """Close all files."""
        with self.lock:
            while self._files:
                self._close_oldest()

    def _close_oldest(self) -> None:
        _, (file, stream) = self._files.popitem(last=False)
        file.close()
        if stream is not None:
            stream.close()


_OPEN = _OpenFiles()
atexit.register(_OPEN.close)


def version_of(place: Place) -> int:
    """Return a number that changes when a file changes; 0 if that is not known."""
    return place.stat().st_mtime_ns if isinstance(place, Path) else 0


@contextmanager
def reading(place: Place, version: int) -> Iterator[Any]:
    """Give an open `h5py.File`, for this thread alone; after a problem it is closed."""
    with _OPEN.lock:
        try:
            yield _OPEN.get(place, version)
        except BaseException:
            _OPEN.forget(place, version)
            raise


@dataclass(frozen=True)
class Windows:
    """A variable in a file, read by windows, with errors that name it.

    Attributes
    ----------
    place, version
        The file and its `version_of`.
    inside, label
        Name of the HDF5 data set, and of the variable in messages.
    shape, dtype
        Of the values. Along an unlimited dimension it is as long as the longest variable, and
        may be longer than what is stored.
    """

    place: Place
    version: int
    inside: str
    label: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> Any:
        try:
            with reading(self.place, self.version) as file:
                return self._read(file[self.inside], key)
        except (OSError, RuntimeError, ValueError, LookupError) as error:
            raise InvalidInputError(
                f"{self.label} cannot be read: {error}.",
                remedy="The file is damaged: fetch it again from its provider.",
            ) from error

    def _read(self, data: Any, key: Any) -> Any:
        texts = h5py.check_string_dtype(data.dtype)
        source = data.asstr(errors="replace") if texts and texts.length is None else data
        if data.shape == self.shape:
            return self._plain(source[key])
        values = np.full(self.shape, data.fillvalue, self.dtype)
        values[tuple(slice(size) for size in data.shape)] = source[...]
        return self._plain(values[key])

    def _plain(self, values: Any) -> npt.NDArray[Any]:
        """Return values of the plain type: in this machine's order of bytes, texts as texts."""
        numbers = np.asarray(values)
        if self.dtype.kind == "O":
            return np.array(numbers.tolist(), str).reshape(numbers.shape)
        return numbers.astype(self.dtype, copy=False) if self.dtype.kind in "iuf" else numbers
