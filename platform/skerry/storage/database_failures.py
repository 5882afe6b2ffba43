"""What a database's errors mean, and what helps, for the people who meet them."""

from skerry.core.errors import DiskFullError, InvalidInputError, UnavailableError
from skerry.storage.absence import describe_cause
from skerry.storage.database_urls import describe_database


def explain_failure(error: BaseException) -> UnavailableError:
    """Return why the database did not do what it was asked, for the person who asked."""
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None)
    if getattr(cause, "sqlite_errorname", None) == "SQLITE_FULL":
        return DiskFullError(
            "The disk with the database's file is full.", remedy="Make room, and try again."
        )
    if state == "53100":
        return DiskFullError(
            "The disk of the database server is full.",
            remedy="Let its administrator make room; what is there can be read.",
        )
    if state == "25006":
        return UnavailableError(
            "The database accepts no changes now.",
            remedy="Let its administrator look whether the server is a copy, or was set so.",
        )
    if state == "53300":
        return UnavailableError(
            "The database server has no connection left.",
            remedy="Try again shortly; if it stays so, let its administrator allow more.",
        )
    if state == "57014":
        return UnavailableError(
            "The database server broke a query off, because it took too long.",
            remedy="Let its administrator raise statement_timeout for this user.",
        )
    return UnavailableError("The database does not answer.", remedy="Try again shortly.")


class UnreadableError(InvalidInputError):
    """A database cannot be read at all."""


def explain_unreadable(url: str, error: BaseException) -> UnreadableError:
    """Return why a database cannot be read at all, for the person who starts a program."""
    reason = describe_cause(error).removesuffix(".")
    return UnreadableError(
        f"The database {describe_database(url)} cannot be read: {reason}.",
        remedy="'skerry doctor' says more; restore a backup if it is damaged.",
    )
