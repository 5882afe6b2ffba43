"""Checks of all simulators before they begin: size, day, and that the target does not exist."""

from datetime import date, datetime, time
from pathlib import Path

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.time import parse_day


def check_size(size: int, smallest: int, largest: int, *, usual: int, step: int = 1) -> None:
    """Refuse an edge that a product cannot have.

    Parameters
    ----------
    size
        Pixels of the finest grid.
    smallest, largest
        Its limits.
    usual
        The size that the error suggests.
    step
        Pixels of the finest grid in one of the coarsest, so that all cover the same ground.

    Raises
    ------
    InvalidInputError
        If the size is beyond the limits or not a multiple of `step`.
    """
    if smallest <= size <= largest and size % step == 0:
        return
    if step == 1:
        raise InvalidInputError(
            f"The size {size} is not between {smallest} and {largest}.", remedy=f"Try {usual}."
        )
    raise InvalidInputError(
        f"The size {size} is not a multiple of {step} between {smallest} and {largest}.",
        remedy=f"All grids of the product must cover the same ground; try {usual}.",
    )


def find_moment(day: date | str, at: time) -> datetime:
    """Return the time of sensing on a day; the day may be a text such as ``2026-05-01``.

    Raises
    ------
    InvalidInputError
        If a text is not a day.
    """
    return datetime.combine(parse_day(day) if isinstance(day, str) else day, at)


def check_place(target: Path) -> None:
    """Refuse a product that exists before the work begins; writing checks again at the end.

    Raises
    ------
    ConflictError
        If something has the product's name.
    """
    if target.exists():
        raise ConflictError(f"{target} exists already.", remedy="Choose another folder or day.")
