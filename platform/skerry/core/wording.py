"""Short words for long lists and large numbers."""

from collections.abc import Sequence

_KB = 1000
_MB = 10**6
_GB = 10**9
FEW = 3
"""Number of names to show of a long list, unless somebody asked for all."""


def shorten(names: Sequence[str]) -> str:
    """Return the first few names of a list, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def write_number(value: float) -> str:
    """Return a number with at most three decimals, never as a power of ten: ``1234567.25``."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def describe_size(cores: float, memory_gib: float) -> str:
    """Return processors and memory in words: ``2 processors and 4 GiB``."""
    noun = "processor" if cores == 1 else "processors"
    return f"{write_number(cores)} {noun} and {write_number(memory_gib)} GiB"


def describe_bytes(count: int) -> str:
    """Return a number of bytes for people: ``512 bytes``, ``12 MB``, ``1.5 GB``; decimal units."""
    if count < _KB:
        return f"{count} byte{'' if count == 1 else 's'}"
    for unit, name in ((_KB, "kB"), (_MB, "MB")):
        if round(count / unit) < _KB:
            return f"{count / unit:.0f} {name}"
    return f"{count / _GB:.1f} GB"
