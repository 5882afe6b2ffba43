"""A product's files, in a folder or a zip archive, here or behind an address, never unpacked."""

import fnmatch
import stat
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from skerry.core.errors import InvalidInputError
from skerry.products.raster_files import RasterFile, open_member
from skerry.storage.remote import RemotePath, RemoteReader

MAX_ARCHIVE_BYTES = 32 * 2**30
"""Largest sum of unpacked sizes taken from an archive (a full Sentinel-2 L2A has 1 to 2 GiB)."""
MAX_ARCHIVE_RATIO = 200
"""Largest unpacked to packed size of a member above `RATIO_FROM_BYTES`."""
RATIO_FROM_BYTES = 16 * 2**20
MAX_ARCHIVE_MEMBERS = 20_000
MAX_DOCUMENT_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ProductFiles:
    """The files of one product.

    Attributes
    ----------
    path
        The folder or the archive: absolute, or behind an address.
    prefix
        Folder inside the archive in which the product's root lies; empty for a folder.
    sizes
        Name relative to the product's root to size in bytes.
    archived
        Whether `path` is a zip archive.
    """

    path: Path | RemotePath
    prefix: str
    sizes: dict[str, int]
    archived: bool

    def find(self, pattern: str) -> str | None:
        """Return the first name (sorted) that matches a glob pattern, part by part."""
        wanted = pattern.split("/")
        for name in sorted(self.sizes):
            parts = name.split("/")
            if len(parts) == len(wanted) and all(
                fnmatch.fnmatchcase(part, one) for part, one in zip(parts, wanted, strict=True)
            ):
                return name
        return None

    def raster(self, name: str) -> RasterFile:
        """Return a member as a raster file, to be opened with GDAL."""
        label, full = f"{name} in {self.path}", f"{self.prefix}{name}"
        if isinstance(self.path, RemotePath):
            remote = self.path if self.archived else self.path / full
            return RasterFile(Path(name).name, label, remote, full if self.archived else "")
        if self.archived:
            return RasterFile(f"/vsizip/{{{self.path}}}/{full}", label)
        return RasterFile(str(self.path / full), label)

    def open(self, name: str) -> IO[bytes]:
        """Open a member for reading bytes; it can seek."""
        full = f"{self.prefix}{name}"
        if not self.archived:
            place = self.path / full
            return place.open("rb") if isinstance(place, Path) else place.open()  # type: ignore[return-value]
        archive = self.path.open() if isinstance(self.path, RemotePath) else self.path
        return open_member(archive, full)

    def changed_ns(self, name: str) -> int:
        """Return when a member was changed last, in nanoseconds; 0 behind an address."""
        if isinstance(self.path, RemotePath):
            return 0
        return (self.path if self.archived else self.path / name).stat().st_mtime_ns

    def read_document(self, name: str) -> bytes:
        """Read a metadata document whole.

        Raises
        ------
        InvalidInputError
            If it is larger than `MAX_DOCUMENT_BYTES`, or its archive member is damaged.
        """
        if self.sizes[name] > MAX_DOCUMENT_BYTES:
            raise InvalidInputError(
                f"{name} in {self.path} has {self.sizes[name]} bytes, too many for metadata.",
                remedy="Fetch the product again from its provider.",
            )
        try:
            with self.open(name) as stream:
                return stream.read()
        except (zipfile.BadZipFile, zlib.error) as error:
            raise InvalidInputError(
                f"{name} in {self.path} is damaged: {error}.",
                remedy="Fetch the archive again from its provider.",
            ) from error


def list_folder(root: Path) -> ProductFiles:
    """List the files of a product folder."""
    sizes = {
        path.relative_to(root).as_posix(): path.stat().st_size
        for path in root.rglob("*")
        if path.is_file()
    }
    return ProductFiles(root.absolute(), "", sizes, archived=False)


def list_archive(
    path: Path | RemotePath,
    *,
    max_bytes: int = MAX_ARCHIVE_BYTES,
    stream: RemoteReader | None = None,
) -> zipfile.ZipFile:
    """Open a zip archive (from `stream`, if given) after checking each member's name and size.

    Raises
    ------
    InvalidInputError
        If it is no zip archive, or a member climbs out of it, is a link, or would inflate past
        `max_bytes` or `MAX_ARCHIVE_RATIO`.
    """
    try:
        archive = zipfile.ZipFile(path if stream is None else stream)  # type: ignore[arg-type]
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInputError(
            f"{path} is no readable zip archive: {error}.",
            remedy="Fetch it again from its provider, or unpack it and give the folder.",
        ) from error
    try:
        _check_members(path, archive.infolist(), max_bytes)
    except InvalidInputError:
        archive.close()
        raise
    return archive


def _check_members(path: object, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(members) > MAX_ARCHIVE_MEMBERS:
        raise _refuse(path, f"has {len(members)} members, more than {MAX_ARCHIVE_MEMBERS}")
    total = sum(one.file_size for one in members)
    if total > max_bytes:
        raise _refuse(path, f"inflates to {total} bytes, more than {max_bytes}")
    for one in members:
        # `orig_filename` keeps what `filename` cleans up.
        for name in (one.filename, one.orig_filename):
            pure = PurePosixPath(name.replace("\\", "/"))
            if pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
                raise _refuse(path, f"has the member {name!r}, which climbs out of it")
        if stat.S_ISLNK(one.external_attr >> 16):
            raise _refuse(path, f"has the member {one.filename!r}, which is a link")
        ratio = one.file_size / max(one.compress_size, 1)
        if one.file_size > RATIO_FROM_BYTES and ratio > MAX_ARCHIVE_RATIO:
            raise _refuse(path, f"has the member {one.filename!r}, which inflates {ratio:.0f} fold")


def _refuse(path: object, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"The archive {path} {what}.",
        remedy="Use the archive as its provider made it, or unpack it and give the folder.",
    )


def find_root(path: Path | ProductFiles, document: str) -> ProductFiles | None:
    """Find the product root: where `document` stands, at `path` itself or one folder below.

    Parameters
    ----------
    path
        A folder or a zip archive, or the files listed behind an address.
    document
        File name that marks the root, such as ``MTD_MSIL2A.xml``.
    """
    if isinstance(path, Path) and path.is_dir():
        candidates = [path, *sorted(one for one in path.iterdir() if one.is_dir())]
        return next((list_folder(one) for one in candidates if (one / document).is_file()), None)
    files = _list_members(path) if isinstance(path, Path) else path
    prefix = _find_prefix(files.sizes, document)
    if prefix is None:
        return None
    sizes = {
        name.removeprefix(prefix): size
        for name, size in files.sizes.items()
        if name.startswith(prefix)
    }
    return ProductFiles(files.path, prefix, sizes, files.archived)


def _list_members(path: Path) -> ProductFiles:
    with list_archive(path) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
    sizes = {one.filename: one.file_size for one in members}
    return ProductFiles(path.absolute(), "", sizes, archived=True)


def _find_prefix(names: Iterable[str], document: str) -> str | None:
    found = [
        name.removesuffix(document)
        for name in names
        if name == document or (name.endswith(f"/{document}") and name.count("/") == 1)
    ]
    return min(found, key=len, default=None)
