"""Writes files and folders that are there whole or not at all, even with many writers at once.

Every writer works in a hidden folder of its own beside the target::

    .<name>.<pid>.<random>.partial/
        <name>.lock   held while the writer lives; holds its pid once it is locked
        <name>        what is being written, file or folder
        <name>.old    what it replaces, for a moment

The kernel releases a lock when its process ends, however it ends, so the next writer of the same
target recognises what a dead writer left. Where locks do not work (some network file systems) it
treats folders as left over that nobody touched for `LEFT_DAYS`.
"""

import atexit
import ctypes
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.storage.locks import hold_lock, is_held

LEFT_DAYS = 7
_CLASHES = frozenset((errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR))
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK))
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))


def check_free(target: Path) -> None:
    """Refuse a target that exists, or whose folder does not exist.

    Raises
    ------
    ConflictError
        If something is there.
    InvalidInputError
        If there is no folder to write it into.
    """
    if os.path.lexists(target):
        raise ConflictError(
            f"{target} exists already.", remedy="Remove it or write to another place."
        )
    if not target.absolute().parent.is_dir():
        raise InvalidInputError(
            f"The folder of {str(target)!r} does not exist.", remedy="Make it, or name another."
        )


@contextmanager
def make_aside(target: Path, *, replace: bool = False, parents: bool = False) -> Iterator[Path]:
    """Give a path at which to make a file or a folder; after the block it becomes `target`.

    The path has the target's name, so that writers choose the same form, and nothing stands
    there yet. What is made is on the disk before it gets its name: after a power cut, too, there
    is all of it or nothing. If the block fails or is interrupted, nothing of it stays. What
    killed writers of the same target left is removed first.

    Parameters
    ----------
    target
        The file or folder to create.
    replace
        Whether it may replace an existing target. A file is replaced in one step. A folder
        is moved away first: in between there is nothing, or the old one again if that fails.
    parents
        Whether to create the folders above.

    Raises
    ------
    ConflictError
        If something is there and is not to be replaced, before the block or after it: what
        another writer finished meanwhile is kept.
    InvalidInputError
        If the target cannot be written: no folder, no permission, no room.
    """
    with _naming_errors(target):
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        if not replace:
            check_free(target)
        with _place_aside(target, replace=replace) as aside:
            yield aside


def write_aside(
    path: Path, text: str, *, private: bool = False, outlasts_power: bool = True
) -> None:
    """Write a text file so that readers, and a crash, find the old one, none, or all of it.

    Parameters
    ----------
    path
        The file; its folder exists.
    text
        The whole new content, written as UTF-8.
    private
        Whether only the owner can read it: mode 0600 from its first byte.
    outlasts_power
        Whether it waits until the file is on the disk. A file about processes that live now says
        nothing after a power cut, and may then be empty.

    Raises
    ------
    OSError
        As the system reports.
    """
    write_bytes_aside(path, text.encode(), private=private, outlasts_power=outlasts_power)


def write_bytes_aside(
    path: Path, content: bytes, *, private: bool = False, outlasts_power: bool = True
) -> None:
    """Write a file of any content as `write_aside` does."""
    with _place_aside(path, replace=True, outlasts_power=outlasts_power) as aside:
        aside.touch(mode=0o600 if private else 0o666, exist_ok=False)
        aside.write_bytes(content)


@contextmanager
def _place_aside(target: Path, *, replace: bool, outlasts_power: bool = True) -> Iterator[Path]:
    _remove_leftovers(target)
    folder = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            folder.mkdir()
            with suppress(OSError):  # the lock file stays empty where there are no locks
                stack.enter_context(hold_lock(folder / f"{target.name}.lock"))
            aside = folder / target.name
            yield aside
            if outlasts_power:
                _put_on_disk(aside)
            _publish(aside, target, replace=replace)
            if outlasts_power:
                _put_folder_on_disk(target.parent)
        except BaseException:
            # Threads of the failed write may still write what they have in hand, and make the
            # folder anew: once more when they have ended.
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            raise


def _remove_leftovers(target: Path) -> None:
    """Remove what unfinished writers of `target` left."""
    ours = re.compile(rf"\.{re.escape(target.name)}\.\d+\.[0-9a-f]{{8}}\.partial")
    with suppress(OSError), os.scandir(target.parent) as entries:
        for folder in [Path(entry.path) for entry in entries if ours.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_if_left(folder, folder / f"{target.name}.lock")


def _remove_if_left(folder: Path, lock: Path) -> None:
    """Remove a writer's folder if that writer is dead.

    Its lock file holds a pid only while the lock is held, or when the holder died. The pid is
    read first: a writer that is about to lock may write it at any moment.
    """
    with suppress(OSError):  # no locks here
        holder = lock.read_bytes()
        if is_held(lock):
            return
        if holder:
            shutil.rmtree(folder, ignore_errors=True)
            return
    # Being made or removed at this moment, or no locks here.
    touched = max(item.stat().st_mtime for item in (folder, *folder.iterdir()))
    if time.time() - touched > LEFT_DAYS * 86400:
        shutil.rmtree(folder, ignore_errors=True)


def _put_on_disk(path: Path) -> None:
    """Wait until a file, or all of a folder, is on the disk.

    For folders the whole file system is synchronized: of 5000 chunks of 100 kB each this takes
    0.3 s, one `fsync` for each of them 20 s (measured on ext4).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if not path.is_dir():
            os.fsync(descriptor)
            return
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def _put_folder_on_disk(folder: Path) -> None:
    """Wait until a folder's entries are on the disk, where its file system can do so."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(aside: Path, target: Path, *, replace: bool) -> None:
    """Give the new file or folder its name, never over another writer's finished target."""
    try:
        if aside.is_dir() or (replace and target.is_dir()):
            _move_folder(aside, target, replace=replace)
        elif replace:
            aside.replace(target)
        else:
            _move_file(aside, target)
    except OSError as error:
        if error.errno not in _CLASHES or not os.path.lexists(target):
            raise
        raise ConflictError(
            f"{target} was written by another program in the meantime.",
            remedy="It is kept. Remove it, or write to another place.",
        ) from None


def _move_folder(aside: Path, target: Path, *, replace: bool) -> None:
    old = aside.with_name(f"{target.name}.old")
    try:
        if replace:
            with suppress(FileNotFoundError):
                target.rename(old)
        aside.rename(target)  # never over a file, or a folder that holds something
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(target):
            old.rename(target)
        raise


def _move_file(aside: Path, target: Path) -> None:
    try:
        os.link(aside, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        aside.rename(target)


@contextmanager
def _naming_errors(target: Path) -> Iterator[None]:
    """Turn the system's errors about writing `target` into ones that name it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM and not _is_about(error.filename, target):
            raise
        # Libraries say it at length; the system's own words are one line.
        reason = os.strerror(error.errno) if error.errno else error
        raise InvalidInputError(
            f"{target} cannot be written: {reason}.",
            remedy="Check who may write there and how much room there is, or name another place.",
        ) from error


def _is_about(filename: object, target: Path) -> bool:
    """Tell whether a system error's file is a folder above `target` or a writer's beside it."""
    if not isinstance(filename, str | os.PathLike):
        return False
    path = Path(filename)
    beside = f".{target.name}.{os.getpid()}."
    return target.is_relative_to(path) or any(part.startswith(beside) for part in path.parts)
