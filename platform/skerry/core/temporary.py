"""Folders for temporary files, which are removed with what made the files."""

import os
from pathlib import Path

_LONGEST = 107 - len("/pymp-abcdefgh/listener-abcdefgh")
"""Bytes of a path in which `multiprocessing` makes sockets; a socket's path has at most 107."""


def name_temporary(folder: Path) -> dict[str, str]:
    """Return the environment variable that names a process's folder for temporary files.

    None where the folder's path is so long that sockets of `multiprocessing` do not fit: then
    files go to the system's own place.
    """
    return {"TMPDIR": str(folder)} if len(os.fsencode(folder)) <= _LONGEST else {}
