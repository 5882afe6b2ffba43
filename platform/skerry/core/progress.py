"""How work that takes long says how far it is."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Told the fraction done, 0 to 1, and what is being done.

Writers of products name the variable that they are at. Whole pieces of work name the stage they
are in, with a detail behind a colon where there is one: ``Writing: measurements/r10m/b02``.
"""


def ignore_progress(_done: float, _what: str, /) -> None:
    """Report to nobody."""
