"""Files below a folder, opened so that no symbolic link is ever followed on the way to them.

Products come from anywhere, and their writer may put links to other people's files in them. The
path can change between a check and the opening, so each folder on the way is opened from the
folder above it, and the kernel refuses a link (``O_NOFOLLOW``).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.core.errors import ForbiddenError
from skerry.storage.objects import check_key

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a named pipe must not hold the reader
_LINK = (errno.ELOOP, errno.ENOTDIR)


def open_beneath(root: Path, key: str) -> int:
    """Open a regular file for reading.

    Parameters
    ----------
    root
        The folder; a link in its own path is followed, because the machine's owner chose it.
    key
        The file's path below it.

    Returns
    -------
    int
        A file descriptor, which the caller closes.

    Raises
    ------
    InvalidInputError
        If `key` is not a key: it has ``..``, say.
    FileNotFoundError
        If there is no such file, or it is a folder.
    ForbiddenError
        If a symbolic link stands at the key or on the way to it, or the file is not a regular one.
    """
    name = check_key(key).rpartition("/")[2]
    with opened_parent(root, key) as at:
        file = _open(at, name, _FILE, key)
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return file
    os.close(file)
    if stat.S_ISDIR(mode):
        raise FileNotFoundError(errno.ENOENT, "a folder, not a file", key)
    raise ForbiddenError(
        f"{key[:140]!r} is neither a file nor a folder.", remedy="Write the product again."
    )


@contextmanager
def opened_parent(root: Path, key: str) -> Iterator[int]:
    """Open the folder in which a key stands, as `open_beneath` does, and close it at the end."""
    at = os.open(root, _FOLDER)
    try:
        for folder in check_key(key).split("/")[:-1]:
            inner = _open(at, folder, _FOLDER, key)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


@contextmanager
def opened_beneath(root: Path, key: str) -> Iterator[int]:
    """Open a file as `open_beneath` does, and close it at the end."""
    file = open_beneath(root, key)
    try:
        yield file
    finally:
        os.close(file)


def _open(folder: int, name: str, flags: int, key: str) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in _LINK and _is_link(folder, name):
            raise ForbiddenError(
                f"{key[:140]!r} leads through the symbolic link {name[:80]!r}.",
                remedy="Replace the link by the file it stands for.",
            ) from None
        if error.errno == errno.ENOTDIR:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key) from None
        raise


def _is_link(folder: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
