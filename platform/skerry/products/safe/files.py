"""A product's files in a folder or a zip archive, local or at an address, never unpacked."""

import fnmatch
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from skerry.core.errors import InvalidInputError
from skerry.products.stores.archives import ArchivedPath, get_archive
from skerry.products.stores.raster_files import RasterFile, locate_raster
from skerry.storage.blocks import AHEAD_BYTES, MEMBER_KEPT_BYTES
from skerry.storage.outside import check_inside
from skerry.storage.remote import RemotePath

MAX_DOCUMENT_BYTES = 64 * 2**20


@dataclass(frozen=True)
class ProductFiles:
    """The files of a product.

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
    documents
        Metadata documents behind an address that were read: each is fetched once.
    """

    path: Path | RemotePath
    prefix: str
    sizes: dict[str, int]
    archived: bool
    documents: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave documents out when sent to workers, which read windows only."""
        return ProductFiles, (self.path, self.prefix, self.sizes, self.archived)

    def find(self, pattern: str) -> str | None:
        """Return the first name (sorted) that matches a glob pattern, part by part."""
        patterns = pattern.split("/")
        for name in sorted(self.sizes):
            parts = name.split("/")
            if len(parts) == len(patterns) and all(
                fnmatch.fnmatchcase(part, item) for part, item in zip(parts, patterns, strict=True)
            ):
                return name
        return None

    def locate(self, name: str) -> Path | RemotePath | ArchivedPath:
        """Return where a member is; refuse a member outside the product."""
        full = f"{self.prefix}{name}"
        if self.archived:
            return ArchivedPath(self.path, full)
        if isinstance(self.path, RemotePath):
            return self.path / full
        return check_inside(self.path, self.path / full)

    def raster(self, name: str) -> RasterFile:
        """Return a member as a raster file for GDAL."""
        return locate_raster(self.locate(name), f"{name} in {self.path}")

    def open(self, name: str, ahead: int = AHEAD_BYTES) -> IO[bytes]:
        """Open a member for reading bytes; it can seek.

        Parameters
        ----------
        name
            The member.
        ahead
            Least number of bytes to fetch at a time if the member is behind an address.
        """
        place = self.locate(name)
        if isinstance(place, Path):
            return place.open("rb")
        return place.open(ahead, MEMBER_KEPT_BYTES)  # type: ignore[return-value]

    def changed_ns(self, name: str) -> int:
        """Return when a member was last changed, in nanoseconds; 0 behind an address."""
        if isinstance(self.path, RemotePath):
            return 0
        return (self.path if self.archived else self.path / name).stat().st_mtime_ns

    def read_document(self, name: str) -> bytes:
        """Read a whole metadata document.

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
        if name in self.documents:
            return self.documents[name]
        with self.open(name) as stream:
            content = stream.read()
        if isinstance(self.path, RemotePath):
            self.documents[name] = content
        return content


def list_folder(root: Path) -> ProductFiles:
    """List the files of a product folder."""
    sizes = {
        path.relative_to(root).as_posix(): path.stat().st_size
        for path in root.rglob("*")
        if path.is_file()
    }
    return ProductFiles(root.absolute(), "", sizes, archived=False)


def list_archived(place: ArchivedPath) -> ProductFiles:
    """List the files of a product in an archive."""
    prefix = f"{place.inside}/" if place.inside else ""
    sizes = {
        name.removeprefix(prefix): size
        for name, size in get_archive(place.archive).sizes.items()
        if name.startswith(prefix)
    }
    return ProductFiles(place.archive, prefix, sizes, archived=True)
