"""Room on the disk of a folder, and the errors for too little room."""

import os
from dataclasses import dataclass
from pathlib import Path

from skerry.core.errors import DiskFullError, InvalidInputError
from skerry.core.wording import describe_bytes

FLOOR_VARIABLE = "SKERRY_DISK_FLOOR_MB"
"""Environment variable: free megabytes below which neither runs nor imports start."""

DEFAULT_FLOOR_MB = 500
FULL_BYTES = 2_000_000
"""Free bytes below which databases can no longer write."""

REMEDY = (
    "'skerry disk show' names what takes the space, 'skerry prune' what can go; with --yes it"
    " removes it."
)


@dataclass(frozen=True)
class Space:
    """Room on the disk of a folder.

    Attributes
    ----------
    folder
        The folder.
    free, total
        Bytes that this user can still write, and bytes in all.
    floor
        Free bytes below which neither runs nor imports start.
    """

    folder: Path
    free: int
    total: int
    floor: int

    @property
    def is_full(self) -> bool:
        """Whether databases can no longer write."""
        return self.free < FULL_BYTES

    @property
    def is_low(self) -> bool:
        """Whether runs and imports wait or are refused."""
        return self.free < self.floor or self.is_full

    def describe(self) -> str:
        """Return a sentence with folder and numbers."""
        state = "full" if self.is_full else "nearly full" if self.is_low else "not full"
        return (
            f"The disk of {self.folder} is {state}: {describe_bytes(self.free)} of"
            f" {describe_bytes(self.total)} are free."
        )


def read_floor() -> int:
    """Return the floor in bytes, from `SKERRY_DISK_FLOOR_MB` or by default.

    Raises
    ------
    InvalidInputError
        If the variable holds no whole number of megabytes.
    """
    text = os.environ.get(FLOOR_VARIABLE, str(DEFAULT_FLOOR_MB))
    if not text.isascii() or not text.isdigit():
        raise InvalidInputError(
            f"{FLOOR_VARIABLE} is {text!r}, which is not a whole number of megabytes.",
            remedy=f"Set it to a number such as {DEFAULT_FLOOR_MB}, or to 0 to check nothing.",
        )
    return int(text) * 1_000_000


def measure_space(folder: Path) -> Space:
    """Measure the disk that holds `folder`."""
    disk = os.statvfs(folder)
    return Space(
        folder, free=disk.f_bavail * disk.f_frsize, total=disk.f_blocks * disk.f_frsize,
        floor=read_floor(),
    )  # fmt: skip


def check_space(folder: Path, what: str) -> None:
    """Refuse to begin work that needs room.

    Parameters
    ----------
    what
        Name of the work: ``"A run"``.

    Raises
    ------
    DiskFullError
        If less than the floor is free.
    """
    space = measure_space(folder)
    if space.is_low:
        raise DiskFullError(
            f"{what} needs {describe_bytes(space.floor)} of free disk. {space.describe()}",
            remedy=f"{REMEDY} {FLOOR_VARIABLE} sets how much has to be free.",
        )


def find_full_disk(folder: Path) -> DiskFullError | None:
    """Return the error for a full disk, or None if the disk is not full.

    Call it after a failure that a full disk can explain: a database that does not write, a hub
    that no longer knows its tokens.
    """
    try:
        space = measure_space(folder)
    except OSError:
        return None
    return DiskFullError(space.describe(), remedy=REMEDY) if space.is_full else None


def measure_tree(path: Path) -> int:
    """Return the bytes that a file, or a folder with all below it, takes on the disk."""
    total = 0
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            total += place.lstat().st_blocks * 512
            if place.is_dir() and not place.is_symlink():
                waiting.extend(Path(entry.path) for entry in os.scandir(place))
        except OSError:  # it was removed meanwhile
            continue
    return total
