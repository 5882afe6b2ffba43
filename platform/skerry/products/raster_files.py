"""Raster files that GDAL opens: on this machine, in zip archives, behind addresses."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.storage.remote import RemotePath, RemoteReader


@dataclass(frozen=True)
class RasterFile:
    """A raster file, small to send to a worker.

    Attributes
    ----------
    path
        Path by which GDAL opens it, if it is on this machine; else its name, which tells GDAL
        the format.
    label
        What to call it in messages.
    remote
        Where it is, or the zip archive that holds it, if it is behind an address.
    member
        Its name in the archive behind an address.
    """

    path: str
    label: str
    remote: RemotePath | None = None
    member: str = ""

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
                with rasterio.open(self.path, driver=driver) as source:
                    yield source
                return
            # GDAL's own threads do not see Python's opener and silently read nothing: one only.
            with (
                rasterio.Env(GDAL_NUM_THREADS="1", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
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
            raise InvalidInputError(
                f"{self.label} cannot be read: {error}.",
                remedy="Fetch the product again from its provider.",
            ) from error


class _Opener:
    """Gives GDAL readers of one file, which share what was read, and of no other."""

    def __init__(self, file: RasterFile, place: RemotePath, failures: list[SkerryError]) -> None:
        self.file = file
        self.first = RemoteReader(place)
        self.failures = failures

    def __call__(self, path: str, mode: str = "rb") -> IO[bytes]:
        if path != self.file.path or mode not in ("r", "rb"):
            raise FileNotFoundError(path)
        reader: Any = self.first.fork()
        if self.file.member:
            reader = open_member(reader, self.file.member)
        return _Watched(reader, self.failures)  # type: ignore[return-value]


def open_member(archive: Path | IO[bytes] | RemoteReader, name: str) -> IO[bytes]:
    """Open a member of a zip archive for reading; it can seek, cheaply if it is not deflated.

    Closing it closes an archive given by its path; one given open stays open.

    Raises
    ------
    InvalidInputError
        If the archive is damaged where the member begins.
    """
    try:
        with zipfile.ZipFile(archive) as listing:
            return listing.open(name)
    except zipfile.BadZipFile as error:
        raise InvalidInputError(
            f"{name} in its archive is damaged: {error}.",
            remedy="Fetch the archive again from its provider.",
        ) from error


class _Watched:
    """A reader that notes why reading failed: GDAL drops what Python raises."""

    def __init__(self, reader: Any, failures: list[SkerryError]) -> None:
        self.reader = reader
        self.failures = failures

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the reader to the file that shares it."""

    def read(self, size: int = -1) -> bytes:
        """Read, or note why not and give nothing."""
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
