"""Amounts of memory, as people write them, and memory that a process gives back."""

import ctypes
import re
from typing import Final

from skerry.core.errors import InvalidInputError

MEMORY_BYTES: Final = 10**9
"""Approximate memory limit for writing a product, in addition to the process's other memory."""
LEAST_BYTES: Final = 128 * 10**6
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt."""
_UNITS: Final = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_AMOUNT: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MG]I?B)", re.IGNORECASE)


def parse_memory(text: str) -> int:
    """Return the bytes of an amount such as ``512MB`` or ``1.5GiB``.

    Raises
    ------
    InvalidInputError
        If it is no such amount, or less than `LEAST_BYTES`.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(
            f"{text!r} is not an amount of memory.", remedy="Give one such as 512MB or 1.5GB."
        )
    size = int(float(match.group(1)) * _UNITS[match.group(2).upper()])
    if size < LEAST_BYTES:
        raise InvalidInputError(
            f"{text} is too little memory to write a product with.", remedy="Give at least 128MB."
        )
    return size


def keep_heap_small() -> None:
    """Make glibc return the process's freed memory sooner; other C libraries are not changed.

    By itself it raises both limits with the blocks that are freed, and keeps up to 64 MB for each
    thread: writing a product into other chunks then took half as much memory again.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(_MMAP_THRESHOLD, 4 * 2**20)
        change(_TRIM_THRESHOLD, 16 * 2**20)
