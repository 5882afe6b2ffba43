"""Raster files that GDAL opens: on this machine, in zip archives, behind addresses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from skerry.core.errors import DamagedError, InvalidInputError, SkerryError
from skerry.products.stores.archives import ArchivedPath
from skerry.storage.outside import RASTERS_ALONE
from skerry.storage.remote import RemotePath


@dataclass(frozen=True)
class RasterFile:
    """A raster file, small to send to a worker.

    Attributes
    ----------
    path
        Path by which GDAL opens the file, if it is on this machine; else the file's name, by
        which GDAL recognises the format.
    label
        Name of the file in messages.
    remote
        Place of the file, if it is behind an address or in an archive there.
    """

    path: str
    label: str
    remote: RemotePath | ArchivedPath | None = None

    @contextmanager
    def open(self, driver: str | None = None) -> Iterator[Any]:
        """Open it with rasterio while the block runs.

        Raises
        ------
        InvalidInputError
            If it cannot be opened or read.
        NotFoundError, ForbiddenError, UnavailableError
            If the server does not give it.
        """
        import rasterio
        from rasterio.errors import RasterioError

        failures: list[SkerryError] = []
        try:
            if self.remote is None:
                with (
                    rasterio.Env(**RASTERS_ALONE),
                    rasterio.open(self.path, driver=driver) as source,
                ):
                    yield source
                return
            # A single thread: GDAL's own threads miss Python's opener and silently read nothing.
            with (
                rasterio.Env(GDAL_NUM_THREADS="1", **RASTERS_ALONE),
                rasterio.open(
                    self.path, driver=driver, opener=_Opener(self, self.remote, failures)
                ) as source,
            ):
                yield source
                if failures:
                    raise failures[0]
        except (RasterioError, OSError) as error:
            if failures:
                raise failures[0] from None
            path = str(self.path)  # within an archive it is not a path of the operating system
            forbidden = Path(path).exists() and not os.access(path, os.R_OK)
            kind = InvalidInputError if forbidden else DamagedError
            raise kind(
                f"{self.label} cannot be read: {str(error).rstrip('.')}.",
                remedy="Fetch the product again from its provider.",
            ) from error


@dataclass(frozen=True)
class RasterWindows:
    """An array that reads windows of a file on request.

    It opens the file again for every window, so it is safe in threads and processes, and small.

    Attributes
    ----------
    file
        The file.
    shape
        ``(y, x)``, or ``(band, y, x)``.
    dtype
        NumPy number type of the values.
    driver
        GDAL's name of the file's format.
    packed_bands
        If not 0, the file has this many bands, and band i becomes bit i - 1 of one number.
    chunks
        Shape of the windows that GDAL decodes at a time; the array's shape if it is not known.
    """

    file: RasterFile
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    driver: str
    packed_bands: int = 0
    chunks: tuple[int, ...] = ()
    shards: None = None

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice | int, ...]) -> npt.NDArray[Any]:
        """Read the values that a slice or a number for each dimension selects.

        Raises
        ------
        InvalidInputError
            If the file cannot be decoded there, or has another size.
        """
        parts = [_cover(item, length) for item, length in zip(key, self.shape, strict=True)]
        window = tuple(around for around, _ in parts)
        values: npt.NDArray[Any] = self._read(window)[tuple(inside for _, inside in parts)]
        return values

    def _read(self, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        from rasterio.windows import Window

        window = Window.from_slices(*key[-2:])
        with self.file.open(self.driver) as source:
            if (source.height, source.width) != self.shape[-2:]:
                raise InvalidInputError(
                    f"{self.file.label} has {source.height} by {source.width} pixels, and the "
                    f"product says {self.shape[-2]} by {self.shape[-1]}.",
                    remedy="Write the product again, or fetch it again from its provider.",
                )
            if self.packed_bands:
                return self._pack(source, window)
            flat = self.ndim == 2  # noqa: PLR2004 -- y, x
            bands = 1 if flat else list(range(1, self.shape[0] + 1))[key[0]]
            return np.asarray(source.read(bands, window=window)).astype(self.dtype, copy=False)

    def _pack(self, source: Any, window: Any) -> npt.NDArray[Any]:
        packed = np.zeros((window.height, window.width), self.dtype)
        # All bands of a window are decoded together.
        for band, plane in enumerate(source.read(window=window)):
            packed |= (plane > 0).astype(self.dtype) << band
        return packed


def _cover(item: slice | int, length: int) -> tuple[slice, slice | int]:
    """Return the window of one dimension that holds the selection, and its place in the window.

    The selection may have steps, backward order and single rows, as users write them in Dask.
    """
    if not isinstance(item, slice):
        first = range(length)[item]
        return slice(first, first + 1), 0
    numbers = range(length)[item]
    if not numbers:
        return slice(0, 0), slice(None)
    low, high = sorted((numbers[0], numbers[-1]))
    return slice(low, high + 1), slice(None, None, numbers.step)


class _Opener:
    """Gives GDAL readers of one file only; the readers share the bytes that they read."""

    def __init__(
        self, file: RasterFile, place: RemotePath | ArchivedPath, failures: list[SkerryError]
    ) -> None:
        self.file = file
        self.first = place.open()
        self.failures = failures

    def __call__(self, path: str, mode: str = "rb") -> IO[bytes]:
        if path != self.file.path or mode not in ("r", "rb"):
            raise FileNotFoundError(path)
        return _Watched(self.first.fork(), self.failures)  # type: ignore[return-value]


def locate_raster(place: Path | RemotePath | ArchivedPath, label: str) -> RasterFile:
    """Return the raster file at a place."""
    if isinstance(place, Path):
        return RasterFile(str(place), label)
    if isinstance(place, ArchivedPath) and isinstance(place.archive, Path):
        return RasterFile(f"/vsizip/{{{place.archive}}}/{place.inside}", label)
    return RasterFile(place.name, label, place)


class _Watched:
    """A reader that notes why reading failed, because GDAL drops Python's exceptions."""

    def __init__(self, reader: Any, failures: list[SkerryError]) -> None:
        self.reader = reader
        self.failures = failures

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the reader to the file that shares it."""

    def read(self, size: int = -1) -> bytes:
        """Read; on failure note the error and return no bytes."""
        try:
            return bytes(self.reader.read(size))
        except SkerryError as error:
            self.failures.append(error)
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position."""
        return int(self.reader.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self.reader.tell())

    def close(self) -> None:
        """Leave the reader to the file that shares it."""
