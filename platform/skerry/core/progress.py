"""Progress reports of long work."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Receives the fraction done, 0 to 1, and the name of the present work.

Writers of products name the present variable. Larger work names its present stage, followed by a
colon and a detail if there is a detail: ``Writing: measurements/r10m/b02``.
"""


def ignore_progress(_done: float, _what: str, /) -> None:
    """Report to nobody."""


def take_part(progress: Progress, begin: float, end: float) -> Progress:
    """Return a report of the stretch of the work from `begin` to `end`, fractions of the whole."""

    def report(done: float, what: str) -> None:
        progress(begin + (end - begin) * done, what)

    return report
