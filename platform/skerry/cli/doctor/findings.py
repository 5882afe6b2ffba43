"""What a check of `skerry doctor` finds."""

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from skerry.core.errors import SkerryError
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
    seconds
        How long a step of the end-to-end run took; None for other checks.
    """

    check: str
    state: str = "well"
    detail: str
    remedy: str = ""
    seconds: float | None = None


Look = Callable[[DataFolder], Iterator[Finding]]


def describe_error(check: str, error: SkerryError) -> Finding:
    """Return the finding of a check that an error has ended."""
    return Finding(check=check, state="broken", detail=error.what, remedy=error.remedy)
