"""Errors that name the offending value and a remedy.

Every error a person can meet descends from `SkerryError`. Programs turn it into an HTTP problem
(`status`) or a line on standard error and an exit code (`exit_code`), never into a stack trace.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError


class SkerryError(Exception):
    """A fault that a person can understand and repair.

    Parameters
    ----------
    what
        One sentence that names the offending value.
    remedy
        One sentence with the next step for the person.
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Failure"

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        # a text of another program at the end often has no full stop
        end = "" if self.what.endswith((".", "!", "?", ":")) else "."
        return f"{self.what}{end} {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.remedy)


def _rebuild(kind: type[SkerryError], what: str, remedy: str) -> SkerryError:
    return kind(what, remedy=remedy)


class InvalidInputError(SkerryError):
    """A value, file or parameter from outside is not acceptable."""

    status = 422
    exit_code = 2
    title = "Invalid input"


class DamagedError(InvalidInputError):
    """A file of a product is damaged; the others may be used."""


class NotFoundError(SkerryError):
    """A thing named from outside does not exist, or the asker may not see it."""

    status = 404
    exit_code = 2
    title = "Not found"


class WithdrawnError(SkerryError):
    """An item was withdrawn: it was there, and its reviewers took it back for a reason."""

    status = 410
    exit_code = 2
    title = "Withdrawn"


class ConflictError(SkerryError):
    """The request contradicts what is already recorded."""

    status = 409
    exit_code = 2
    title = "Conflict"


class UnauthenticatedError(SkerryError):
    """The request has no token, or a token that is no longer valid."""

    status = 401
    exit_code = 2
    title = "Not logged in"


class ForbiddenError(SkerryError):
    """The token lacks the scope that the request needs."""

    status = 403
    exit_code = 2
    title = "Not allowed"


class UnavailableError(SkerryError):
    """A part of the platform, or something it depends on, does not answer."""

    status = 503
    exit_code = 1
    title = "Unavailable"


class BusyError(UnavailableError):
    """A part of the platform has as much of this work as it can do at a time; soon it has less."""

    title = "Busy"


class DiskFullError(UnavailableError):
    """The disk has too little room for the request, or is full."""

    status = 507
    title = "Disk full"


def describe_first(error: "ValidationError", whole: str = "the whole") -> str:
    """Return where the first fault of a model is, and what it says.

    Parameters
    ----------
    error
        What pydantic raised.
    whole
        The word for all of what was checked.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or whole
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
