"""What a check of `skerry doctor` finds."""

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from skerry.storage.layout import DataFolder


class Finding(BaseModel):
    """The finding of one check.

    Attributes
    ----------
    check
        Name of the check.
    state
        ``well``, ``attention`` (the platform works, but look at it) or ``broken``.
    detail
        What the check found.
    remedy
        What to do; empty when all is well.
    """

    check: str
    state: str = "well"
    detail: str
    remedy: str = ""


Look = Callable[[DataFolder], Iterator[Finding]]
