"""The object store in a folder of this machine."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skerry.core.digests import digest_tree
from skerry.core.disk import measure_tree
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.storage.beneath import open_beneath, opened_beneath, opened_parent
from skerry.storage.objects import ALL, OpenFile, StoredFile, check_key, check_prefix
from skerry.storage.timing import timed
from skerry.storage.writing import make_aside, write_bytes_aside


@dataclass(frozen=True)
class ObjectFolder:
    """A folder used as an object store; see `skerry.storage.objects.Objects`.

    Attributes
    ----------
    root
        The folder; it exists.
    """

    root: Path

    # Who fills a prefix may replace a folder on the way by a link, to bytes of others or to files
    # outside. So no link is ever passed: not by digests, copies and removals either, which would
    # take others' bytes for these.

    @property
    def address(self) -> str:
        """The root as a ``file://`` address that ends in ``/``."""
        return f"{self.root.absolute().as_uri()}/"

    def locate(self, key: str) -> Path:
        """Return the path of a key or prefix, which need not exist.

        Raises
        ------
        InvalidInputError
            If the key is not valid, or a symbolic link stands there or on the way.
        """
        path = self._find(key)
        _refuse_link(path, key)
        return path

    def find_fault(self, *, for_writing: bool) -> str | None:
        """Return why the folder cannot be used; None if it can."""
        if not self.root.is_dir() or not os.access(self.root, os.R_OK | os.X_OK):
            return "The object store cannot be read."
        if for_writing and not os.access(self.root, os.W_OK):
            return "The object store cannot be written."
        return None

    def check(self) -> None:
        """Refuse a folder that does not exist or is closed to this user."""
        fault = self.find_fault(for_writing=True)
        if fault is not None:
            raise InvalidInputError(
                f"{fault} It is the folder {self.root}.",
                remedy="Create it for this user, or name another place in SKERRY_OBJECTS.",
            )

    @timed("folder", "find")
    def exists(self, key: str) -> bool:
        """Return whether there is a file or folder at `key`."""
        return self.locate(key).exists()

    @timed("folder", "read")
    def read(self, key: str, part: slice = ALL, *, most: int | None = None) -> bytes | None:
        """Return a file or a part of it, None if there is no such file."""
        try:
            with opened_beneath(self.root, key) as file:
                start, stop, _ = part.indices(os.fstat(file).st_size)
                size = max(0, stop - start)
                if most is not None and size > most:
                    raise refuse_part(key, size, most)
                return _read_all(file, size, start)
        except FileNotFoundError:
            return None

    @timed("folder", "read")
    def open(self, key: str) -> OpenFile | None:
        """Open a file for reading, so that no link can replace it meanwhile."""
        try:
            file = open_beneath(self.root, key)
        except FileNotFoundError:
            return None
        facts = os.fstat(file)
        return OpenFile(os.fdopen(file, "rb"), facts.st_size, facts.st_mtime)

    @timed("folder", "write")
    def write(self, key: str, content: bytes) -> None:
        """Write a file whole, over an older one if there is one."""
        path = self.locate(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes_aside(path, content)

    @timed("folder", "write")
    def write_once(self, key: str, content: bytes) -> bool:
        """Write a file whole unless there is one; return whether it was written."""
        try:
            with make_aside(self.locate(key), parents=True) as aside:
                aside.write_bytes(content)
        except ConflictError:
            return False
        return True

    @timed("folder", "list")
    def list_names(self, prefix: str) -> list[str]:
        """Return the names right below a prefix, sorted; those of folders end in ``/``."""
        try:
            with os.scandir(self.locate(check_prefix(prefix))) as entries:
                return sorted(
                    f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in entries
                )
        except (FileNotFoundError, NotADirectoryError):
            return []

    def list_files(self, prefix: str, *, deep: bool = True) -> Iterator[StoredFile]:
        """List the plain files below a prefix, or if not `deep` only those right below it."""
        waiting = [check_prefix(prefix)]
        while waiting:
            folder = waiting.pop()
            for name in self.list_names(folder):
                if name.endswith("/"):
                    waiting += [folder + name] if deep else []
                    continue
                try:
                    facts = (self.root / folder / name).lstat()
                except FileNotFoundError:  # it was removed meanwhile
                    continue
                if stat.S_ISREG(facts.st_mode):
                    yield StoredFile(folder + name, facts.st_size, facts.st_mtime)

    def digest(self, prefix: str) -> str | None:
        """Return the digest of the plain files below a prefix, None if it is not there.

        What a link stands for is not there.
        """
        folder = self.root / check_prefix(prefix)
        if self._find_link(folder) or folder.is_symlink() or not folder.exists():
            return None
        return digest_tree(folder, links=False)

    def measure(self, key: str) -> int:
        """Return how many bytes a file, or all below a prefix, takes on the disk."""
        return measure_tree(self._find(key) if key else self.root)

    def prepare(self, prefix: str) -> None:
        """Create the folder of `prefix`."""
        self.create_folder(prefix)

    def create_folder(self, prefix: str) -> Path:
        """Create the folder of `prefix`, which only the owner can read, and return it."""
        folder = self.locate(check_prefix(prefix))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @timed("folder", "remove")
    def remove(self, key: str) -> None:
        """Remove a file, or everything below a prefix, and parents that become empty."""
        folder = self._find(key)
        with suppress(FileNotFoundError), opened_parent(self.root, key.removesuffix("/")) as at:
            if folder.is_symlink() or folder.is_file():
                os.unlink(folder.name, dir_fd=at)
            elif folder.exists():
                shutil.rmtree(folder.name, onexc=_pass_over_missing, dir_fd=at)
        for parent in self._inner_parents(folder):
            try:
                parent.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                break

    @contextmanager
    def filling(self, prefix: str) -> Iterator[Path]:
        """Give the folder of `prefix` itself."""
        yield self.create_folder(prefix)

    @contextmanager
    def replacing(self, prefix: str) -> Iterator[Path]:
        """Give an empty folder that takes the place of `prefix` after the block."""
        with make_aside(self.locate(check_prefix(prefix)), replace=True, parents=True) as aside:
            aside.mkdir(mode=0o700)
            yield aside

    def copy_to(self, prefix: str, folder: Path) -> str:
        """Copy the plain files below a prefix into a folder, and compare them."""
        place = self.root / check_prefix(prefix)
        try:
            before = self.digest(prefix)
            if before is None:
                raise refuse_absent(prefix)
            # contents alone: a run chose the modes
            shutil.copytree(
                place, folder, ignore=_list_odd_files, copy_function=shutil.copyfile,
                dirs_exist_ok=True,
            )  # fmt: skip
            same = digest_tree(folder, links=False) == before
        except FileNotFoundError:
            raise refuse_absent(prefix) from None
        except (PermissionError, shutil.Error) as error:
            raise InvalidInputError(
                f"The bytes below {place} cannot be read: {error}.",
                remedy="Give them back to the user who runs the platform: chmod -R u+rX.",
            ) from None
        if not same:
            raise ConflictError(
                f"The bytes of {place} changed while they were copied.",
                remedy="Bytes in the object store never change: find out who writes there.",
            )
        return before

    @contextmanager
    def copied(self, prefix: str) -> Iterator[Path]:
        """Give the folder of `prefix` itself."""
        yield self.locate(check_prefix(prefix))

    def append(self, key: str, _scratch: Path) -> "AppendedFile":
        """Return a file to append to."""
        path = self.locate(key)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return AppendedFile(path)

    def _find(self, key: str) -> Path:
        """Return the path of a key; refuse it if a link stands on the way to it."""
        path = self.root / check_key(key.removesuffix("/"))
        if link := self._find_link(path):
            _refuse_link(link, key)
        return path

    def _find_link(self, path: Path) -> Path | None:
        """Return the first link on the way from the root to a path; None if there is none."""
        on_the_way = [folder for folder in path.parents if self.root in folder.parents]
        return next((folder for folder in reversed(on_the_way) if folder.is_symlink()), None)

    def _inner_parents(self, folder: Path) -> Iterator[Path]:
        # the first level (imports/, runs/) stays
        for parent in folder.parents:
            if self.root in (parent, parent.parent):
                return
            yield parent


@dataclass(frozen=True)
class AppendedFile:
    """A file in the folder itself: readers see at once what is appended."""

    path: Path

    def save(self, *, at_once: bool = True) -> None:
        """Do nothing."""


def _refuse_link(path: Path, key: str) -> None:
    if path.is_symlink():
        raise InvalidInputError(
            f"The key {key[:140]!r} leads out of its place, by the symbolic link {path.name!r}.",
            remedy="Keep symbolic links out of the store.",
        )


def refuse_absent(key: str) -> NotFoundError:
    """Return the error for a key or prefix at which there is nothing."""
    return NotFoundError(
        f"There is nothing at {key[:140]!r} in the object store.", remedy="Check the key."
    )


def refuse_part(key: str, size: int, most: int) -> InvalidInputError:
    """Return the error for a file or a part of it that has too many bytes."""
    return InvalidInputError(
        f"{key[:140]!r} has {size:,} bytes; at most {most:,} are read.",
        remedy="Write it again in smaller parts.",
    )


def _list_odd_files(folder: str, names: list[str]) -> list[str]:
    """Return the links, pipes and sockets of a folder, which a notebook may leave there."""
    places = (Path(folder, name) for name in names)
    return [
        place.name
        for place in places
        if place.is_symlink() or not (place.is_file() or place.is_dir())
    ]


def _read_all(file: int, size: int, start: int) -> bytes:
    content = os.pread(file, size, start)
    while len(content) < size:  # the system reads at most 2 GiB at once
        more = os.pread(file, size - len(content), start + len(content))
        if not more:
            raise OSError(errno.EIO, "the file became shorter while it was read")
        content += more
    return content


def _pass_over_missing(_function: object, _path: str, error: BaseException) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
