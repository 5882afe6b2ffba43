"""The object store: bytes by key, in a folder or in an S3 bucket; nobody else knows which.

Keys are relative paths, prefixes are keys that end in ``/``. Bytes are written once, or replaced
whole; a reader finds the old bytes, none, or all of the new.
"""

from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from skerry.core.errors import InvalidInputError

if TYPE_CHECKING:
    from skerry.storage.remote import RemotePath

ALL = slice(None)
"""The part of a file that is the whole file."""

LONGEST_KEY = 1024
"""The most bytes of UTF-8 that S3 takes for a key."""
LONGEST_NAME = 220
"""The same for a part between two slashes: files and MinIO take 255, writing aside needs some."""


def check_key(text: str) -> str:
    """Return `text` if it is a key that cannot leave the store, else refuse it.

    Raises
    ------
    InvalidInputError
        If it is empty, absolute, longer than `LONGEST_KEY`, has an empty, ``.`` or ``..`` segment,
        a segment longer than `LONGEST_NAME`, a backslash, or a control character.
    """
    segments = text.split("/")
    if (
        any(segment in ("", ".", "..") for segment in segments)
        or "\\" in text
        or not text.isprintable()
    ):
        raise InvalidInputError(
            f"{text[:140]!r} is not a key of the object store.",
            remedy="Use a relative path such as imports/01ab/product.zarr, without '..'.",
        )
    sizes = [len(segment.encode()) for segment in segments]
    if max(sizes) > LONGEST_NAME or sum(sizes) + len(sizes) - 1 > LONGEST_KEY:
        raise InvalidInputError(
            f"{text[:140]!r}... is too long for a key of the object store.",
            remedy=f"Use names of at most {LONGEST_NAME} bytes (letters beyond ASCII have more than"
            f" one), and at most {LONGEST_KEY} with all folders.",
        )
    return text


def check_prefix(text: str) -> str:
    """Return `text` if it is a key with a ``/`` at its end, else refuse it."""
    if not text.endswith("/"):
        raise InvalidInputError(
            f"{text[:140]!r} is not a prefix of the object store.", remedy="End it with '/'."
        )
    check_key(text[:-1])
    return text


def list_prefixes(key: str) -> list[str]:
    """Return every prefix that covers `key`: ``a/b/c`` gives ``a/`` and ``a/b/``."""
    segments = key.rstrip("/").split("/")
    covering = ["/".join(segments[:count]) + "/" for count in range(1, len(segments))]
    return [*covering, key] if key.endswith("/") else covering


@dataclass(frozen=True)
class StoredFile:
    """A file in the object store.

    Attributes
    ----------
    key
        Its key.
    size
        Its bytes.
    modified
        When it was written, in seconds since 1970.
    """

    key: str
    size: int
    modified: float


@dataclass(frozen=True)
class OpenFile:
    """A file that is open for reading; a block (``with``) closes it.

    Attributes
    ----------
    stream
        Its bytes.
    size, modified
        As in `StoredFile`.
    """

    stream: BinaryIO
    size: int
    modified: float

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.stream.close()


class WorkingFile(Protocol):
    """A file of the object store that a program appends to, at a path of this machine."""

    @property
    def path(self) -> Path:
        """Where to append to it."""

    def save(self, *, at_once: bool = True) -> None:
        """Let readers see what was appended; unless `at_once`, only every few seconds."""


class Objects(Hashable, Protocol):
    """An object store. Two that are equal are the same store, and can be keys of a cache.

    All methods raise `InvalidInputError` for what is no key, and those of a bucket
    `UnavailableError` or `ForbiddenError` when it does not answer or refuses.
    """

    @property
    def address(self) -> str:
        """The store's root: a ``file://`` or ``s3://`` address that ends in ``/``."""

    def find_fault(self, *, for_writing: bool) -> str | None:
        """Return why the store cannot be used, in words that everybody may read; None if it can."""

    def check(self) -> None:
        """Refuse a store that is not there or does not answer, with a remedy.

        Raises
        ------
        InvalidInputError, UnavailableError
            If its folder, or its bucket, cannot be used.
        """

    def exists(self, key: str) -> bool:
        """Return whether there is a file at a key, or anything below a prefix."""

    def read(self, key: str, part: slice = ALL, *, most: int | None = None) -> bytes | None:
        """Return a file or a part of it, None if there is no such file.

        Parameters
        ----------
        key
            The file.
        part
            Which bytes, as a slice of them without a step; what lies past the end is left out.
        most
            The most bytes to read.

        Raises
        ------
        InvalidInputError
            If the part has more than `most` bytes; then nothing is read.
        ForbiddenError
            If a symbolic link stands at the key or on the way to it, or it is no plain file.
        """

    def open(self, key: str) -> OpenFile | None:
        """Open a file for reading, as `read` does; None if there is no such file."""

    def write(self, key: str, content: bytes) -> None:
        """Write a file whole, over an older one if there is one."""

    def write_once(self, key: str, content: bytes) -> bool:
        """Write a file whole unless there is one; return whether it was written."""

    def list_names(self, prefix: str) -> list[str]:
        """Return the names right below a prefix, sorted; those of folders end in ``/``."""

    def list_files(self, prefix: str, *, deep: bool = True) -> Iterator[StoredFile]:
        """List the files below a prefix, or if not `deep` only those right below it.

        Links and other odd things are passed over.
        """

    def digest(self, prefix: str) -> str | None:
        """Return the digest of the files below a prefix, as `digest_tree` does; None for none."""

    def measure(self, key: str) -> int:
        """Return how many bytes a file, or all below a prefix, takes; ``""`` is the whole store."""

    def prepare(self, prefix: str) -> None:
        """Make ready for others to write below a prefix."""

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a prefix, and parents that become empty.

        Doing it again, twice at once, or after a half-done removal, is not an error.
        """

    def locate(self, key: str) -> "Path | RemotePath":
        """Return the place of a key or prefix, for readers of products; it need not exist."""

    def filling(self, prefix: str) -> AbstractContextManager[Path]:
        """Give a folder to write into; after the block, its files stand below the prefix.

        For a prefix that nobody reads yet: its files may appear one by one. If the block fails,
        some of them may be there.
        """

    def replacing(self, prefix: str) -> AbstractContextManager[Path]:
        """Give an empty folder to write into; after the block, its files alone are there.

        If the block fails, what was there before stays.
        """

    def copy_to(self, prefix: str, folder: Path) -> str:
        """Copy the files below a prefix into an empty folder; return their digest, as `digest`.

        Raises
        ------
        NotFoundError
            If there is nothing below it.
        ConflictError
            If they change meanwhile.
        InvalidInputError
            If they cannot be read.
        """

    def copied(self, prefix: str) -> AbstractContextManager[Path]:
        """Give a folder with the files below a prefix, for reading during the block."""

    def append(self, key: str, scratch: Path) -> WorkingFile:
        """Return a file to append to.

        Parameters
        ----------
        key
            The file. Its folder is prepared.
        scratch
            A place for it on this machine where the store gives none. Who asks again with the
            same place goes on with the same file.
        """
