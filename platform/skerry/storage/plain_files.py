"""Opening plain files below a folder that somebody else may write into: links are not followed."""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO


def open_inside(root: Path, key: str) -> BinaryIO:
    """Open the plain file at `key` below `root` for reading.

    Each folder on the way is opened by itself, so a link that somebody puts there meanwhile is
    not followed either. A pipe or a device is refused before it is read.

    Raises
    ------
    OSError
        If there is nothing, or a link or anything but a plain file.
    """
    *folders, name = PurePosixPath(key).parts
    if any(part in {"..", "/"} for part in (*folders, name)):
        raise FileNotFoundError(key)
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = inner
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=held)
    finally:
        os.close(held)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(key)
    return os.fdopen(descriptor, "rb")
