"""Exclusive locks on files that name their holder.

The kernel lets go of a lock when its process ends, however it ends.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from skerry.core.errors import SkerryError

Refusal = Callable[[str], SkerryError]
"""Process id of a lock's holder ("unknown" if it left none) to the error that says so."""


@contextmanager
def hold_lock(path: Path, refuse: Refusal | None = None) -> Iterator[None]:
    """Hold a file's lock for the length of a ``with`` block.

    Parameters
    ----------
    path
        The lock file; made when it is not there, and never removed. Its folder exists.
    refuse
        Makes the error that is raised when another process holds the lock. None waits for it.

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
