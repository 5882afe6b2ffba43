"""Secrets in environment variables, out of sight of this user's other processes.

Linux shows to every process of the same user, notebooks too, with which environment a program was
started (``/proc/<pid>/environ``; ``ps e`` prints it).
"""

import ctypes
import os
import sys
from collections.abc import Collection
from pathlib import Path

_BEGIN, _END = 47, 48  # env_start and env_end, counted from the field after the program's name
_HIDDEN = ord("*")  # an empty value would look like the end of the list


def hide_variables(names: Collection[str]) -> None:
    """Overwrite what the system shows of variables; the program itself and its children keep them.

    Does nothing where the system is not Linux.
    """
    if sys.platform != "linux":
        return
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    place, end = int(fields[_BEGIN]), int(fields[_END])
    for entry in ctypes.string_at(place, end - place).split(b"\0"):
        name, _, value = entry.partition(b"=")
        text = os.fsdecode(name)
        if text in names and value:
            if text in os.environ:
                os.environ[text] = os.environ[text]  # the C library copies it to another place
            ctypes.memset(place + len(name) + 1, _HIDDEN, len(value))
        place += len(entry) + 1
