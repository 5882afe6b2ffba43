"""Exclusive locks on files that name their holder.

The kernel releases a lock when its process ends, however it ends.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from skerry.core.errors import SkerryError

Refusal = Callable[[str], SkerryError]
"""Makes the error from the process id of a lock's holder ("unknown" if the file has none)."""


@contextmanager
def hold_lock(path: Path, refuse: Refusal | None = None) -> Iterator[None]:
    """Hold a file's lock for the length of a ``with`` block.

    Parameters
    ----------
    path
        The lock file; created when missing, and never removed. Its folder exists.
    refuse
        Makes the error for a lock that another process holds. With None, wait for the lock.

    Raises
    ------
    OSError
        If the file cannot be made, or its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not lock_descriptor(descriptor, blocking=refuse is None) and refuse is not None:
            raise refuse(os.read(descriptor, 32).decode().strip() or "unknown")
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Return whether some process holds a file's lock.

    Raises
    ------
    OSError
        If its file system has no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not lock_descriptor(descriptor, blocking=False)
    finally:
        os.close(descriptor)
