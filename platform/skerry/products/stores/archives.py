"""Read zip archives in place, local or behind an address; their directory is read once.

Forks of a single reader open an archive's members, so that all members share fetched bytes; each
fork may be used in a thread of its own.
"""

import stat
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Any

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.storage.blocks import AHEAD_BYTES, MEMBER_KEPT_BYTES, BlockReader
from skerry.storage.remote import RemotePath, too_large

MAX_ARCHIVE_BYTES = 32 * 2**30
"""Largest sum of unpacked sizes of an archive (a full Sentinel-2 L2A has 1 to 2 GiB)."""
MAX_ARCHIVE_RATIO = 200
"""Largest ratio of unpacked to packed size of a member above `RATIO_FROM_BYTES`."""
RATIO_FROM_BYTES = 16 * 2**20
MAX_ARCHIVE_MEMBERS = 20_000
MAX_ARCHIVES = 8
"""How many archives' directories a process remembers."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 1


class Archive:
    """An open archive: its members by name (`sizes`, in bytes), and their positions.

    Parameters
    ----------
    place
        The file.
    reader
        The open file, if it is behind an address.
    max_bytes
        Largest sum of unpacked sizes.

    Raises
    ------
    InvalidInputError
        If it is not a zip archive, or a member leads out of it, is a link, or would inflate past
        `max_bytes` or `MAX_ARCHIVE_RATIO`.
    """

    def __init__(
        self,
        place: Path | RemotePath,
        reader: BlockReader | None = None,
        *,
        max_bytes: int = MAX_ARCHIVE_BYTES,
    ) -> None:
        self.place = place
        self._file = reader or (place.open() if isinstance(place, RemotePath) else place)
        try:
            with self._open(AHEAD_BYTES) as stream, zipfile.ZipFile(stream) as listing:
                members = listing.infolist()
                end = listing.start_dir
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise InvalidInputError(
                f"{place} is not a readable zip archive: {error}.",
                remedy="Fetch it again from its provider, or unpack it and give the folder.",
            ) from error
        _check_members(place, members, max_bytes)
        self._members = {member.filename: member for member in members if not member.is_dir()}
        self.sizes = {name: item.file_size for name, item in self._members.items()}
        self._starts = sorted({member.header_offset for member in members} | {end})

    def open(self, name: str, ahead: int = AHEAD_BYTES) -> IO[bytes]:
        """Open a member for reading; it can seek, cheaply if it is not deflated.

        Raises
        ------
        NotFoundError
            If the archive has no member of this name.
        InvalidInputError
            If the archive is damaged where the member begins, or the member is encrypted or
            packed in an unusual way.
        """
        member = self._members.get(name)
        if member is None:
            raise NotFoundError(f"{self.place} has no {name}.", remedy="Give the whole archive.")
        stream = self._open(ahead)
        try:
            stream.seek(member.header_offset)
            start = member.header_offset + self._measure_header(stream, member)
            stream.seek(start)
            opened: Any = zipfile.ZipExtFile(stream, "r", member, close_fileobj=True)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            stream.close()
            raise _damaged(name, self.place, error) from error
        return opened  # type: ignore[no-any-return]

    def _open(self, ahead: int) -> Any:
        return self._file.open("rb") if isinstance(self._file, Path) else self._file.fork(ahead)

    def _measure_header(self, stream: Any, member: zipfile.ZipInfo) -> int:
        """Return the length of the header before a member's bytes (APPNOTE 6.3.9, 4.3.7)."""
        head = stream.read(_LOCAL_HEADER.size)
        if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile("it does not begin where the directory says")
        if member.flag_bits & _ENCRYPTED:
            raise zipfile.BadZipFile("it is encrypted")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(head)
        length = _LOCAL_HEADER.size + name_length + extra_length
        following = bisect_right(self._starts, member.header_offset)
        end = member.header_offset + length + member.compress_size
        if following < len(self._starts) and end > self._starts[following]:
            raise zipfile.BadZipFile("it overlaps the next member")
        return int(length)


_ARCHIVES: OrderedDict[tuple[Any, ...], Archive] = OrderedDict()
_LOCK = Lock()


def get_archive(place: Path | RemotePath) -> Archive:
    """Return an archive from this process's memory, or read it."""
    key = _version_of(place)
    with _LOCK:
        if key in _ARCHIVES:
            _ARCHIVES.move_to_end(key)
            return _ARCHIVES[key]
    return read_archive(place)


def read_archive(place: Path | RemotePath, reader: BlockReader | None = None) -> Archive:
    """Read an archive's directory, and remember it for `get_archive`; see `Archive`."""
    archive = Archive(place, reader)
    with _LOCK:
        _ARCHIVES[_version_of(place)] = archive
        while len(_ARCHIVES) > MAX_ARCHIVES:
            _ARCHIVES.popitem(last=False)
    return archive


def _version_of(place: Path | RemotePath) -> tuple[Any, ...]:
    if isinstance(place, RemotePath):
        return (place,)
    facts = place.stat()
    return (place.absolute(), facts.st_mtime_ns, facts.st_size)


@dataclass(frozen=True)
class ArchivedPath:
    """A file or folder in an archive.

    Attributes
    ----------
    archive
        The archive.
    inside
        Its name in the archive, without a ``/`` at its end; empty for the archive's root.
    """

    archive: Path | RemotePath
    inside: str = ""

    @property
    def name(self) -> str:
        """The last part of the name; for the root, the archive's name without ``.zip``."""
        if self.inside:
            return self.inside.rpartition("/")[2]
        name = self.archive.name
        return name[: -len(".zip")] if name.lower().endswith(".zip") else name

    @property
    def suffix(self) -> str:
        """The suffix of the name with its dot, or an empty text."""
        return PurePosixPath(self.name).suffix

    def __truediv__(self, name: str) -> "ArchivedPath":
        """Return a place below this place."""
        return ArchivedPath(self.archive, f"{self.inside}/{name}".lstrip("/"))

    def __str__(self) -> str:
        return f"{self.inside} in {self.archive}" if self.inside else str(self.archive)

    def find_size(self) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        return get_archive(self.archive).sizes.get(self.inside)

    def open(self, ahead: int = AHEAD_BYTES, cache_bytes: int = MEMBER_KEPT_BYTES) -> BlockReader:
        """Open a file for reading; it can seek and be sent to a worker."""
        size = self.find_size()
        if size is None:
            raise NotFoundError(f"There is no {self}.", remedy="Give the whole archive.")
        return BlockReader(Member(self, size, ahead), ahead=ahead, cache_bytes=cache_bytes)

    def read_bytes(self, most: int) -> bytes:
        """Read a file of at most `most` bytes; refuse a larger file before reading it."""
        with self.open() as reader:
            if reader.size > most:
                raise too_large(self, reader.size, most)
            return reader.read()


class Member:
    """A file in an archive: a source of `BlockReader`."""

    def __init__(self, place: ArchivedPath, size: int, ahead: int = AHEAD_BYTES) -> None:
        self.place = place
        self.size = size
        self.ahead = ahead
        self._lock = Lock()
        self._stream: IO[bytes] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Member, (self.place, self.size, self.ahead)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.place.name

    def fetch(self, start: int, stop: int) -> bytes:
        """Return a range of bytes.

        Raises
        ------
        InvalidInputError
            If the archive is damaged there.
        """
        with self._lock:
            try:
                if self._stream is None:
                    archive = get_archive(self.place.archive)
                    self._stream = archive.open(self.place.inside, self.ahead)
                self._stream.seek(start)
                data = self._stream.read(stop - start)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
                raise _damaged(self.place.inside, self.place.archive, error) from error
        if len(data) != stop - start:
            short = EOFError(f"it has {start + len(data)} bytes instead of {self.size}")
            raise _damaged(self.place.inside, self.place.archive, short)
        return data

    def close(self) -> None:
        """Close the member."""
        with self._lock:
            if self._stream is not None:
                self._stream.close()
                self._stream = None


def _damaged(name: str, archive: object, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{name} in {archive} is damaged: {error}.",
        remedy="Fetch the archive again from its provider.",
    )


def _check_members(path: object, members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(members) > MAX_ARCHIVE_MEMBERS:
        raise _refuse(path, f"has {len(members)} members, more than {MAX_ARCHIVE_MEMBERS}")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise _refuse(path, f"inflates to {total} bytes, more than {max_bytes}")
    for member in members:
        # `filename` is cleaned up; `orig_filename` is the name in the archive.
        for name in (member.filename, member.orig_filename):
            pure = PurePosixPath(name.replace("\\", "/"))
            if pure.is_absolute() or ".." in pure.parts or ":" in (*pure.parts, "")[0]:
                raise _refuse(path, f"has the member {name!r}, which leads out of the archive")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _refuse(path, f"has the member {member.filename!r}, which is a link")
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > RATIO_FROM_BYTES and ratio > MAX_ARCHIVE_RATIO:
            raise _refuse(
                path, f"has the member {member.filename!r}, which inflates {ratio:.0f} fold"
            )


def _refuse(path: object, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"The archive {path} {what}.",
        remedy="Fetch the archive again from its provider, or unpack it and give the folder.",
    )
