"""One supervisor a data folder: an exclusive lock that names its holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from skerry.cli.supervisor.record import PlatformRecord
from skerry.core.errors import ConflictError
from skerry.storage.layout import DataFolder


@contextmanager
def hold_lock(folder: DataFolder) -> Iterator[None]:
    """Hold the data folder's lock for the length of a ``with`` block.

    The kernel lets go of it when the process ends, however it ends.

    Raises
    ------
    ConflictError
        If a platform already runs on this data folder; names its process and address.
    """
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _describe_holder(folder, os.read(descriptor, 32).decode()) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def is_held(folder: DataFolder) -> bool:
    """Return whether some process holds the data folder's lock."""
    try:
        descriptor = os.open(folder.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _describe_holder(folder: DataFolder, pid: str) -> ConflictError:
    record = PlatformRecord.read(folder)
    address = f" at {record.url}" if record is not None else ""
    return ConflictError(
        f"A platform already runs on {folder.root}: process {pid or 'unknown'}{address}.",
        remedy="Stop it with 'skerry down', or name another folder with --data.",
    )
