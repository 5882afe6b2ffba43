"""Words for what is too long to say in full."""

from collections.abc import Sequence

FEW = 3
"""So many names of a long list are said where nobody asked for all."""


def shorten(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
