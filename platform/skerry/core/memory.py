"""Amounts of memory, as people write them."""

import re
from typing import Final

from skerry.core.errors import InvalidInputError

MEMORY_BYTES: Final = 10**9
"""Approximate memory limit for writing a product, beside the process's other memory."""
LEAST_BYTES: Final = 128 * 10**6
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
            f"{text!r} is no amount of memory.", remedy="Give one such as 512MB or 1.5GB."
        )
    size = int(float(match.group(1)) * _UNITS[match.group(2).upper()])
    if size < LEAST_BYTES:
        raise InvalidInputError(
            f"{text} is too little memory to write a product with.", remedy="Give at least 128MB."
        )
    return size
