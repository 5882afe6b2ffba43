"""Identifiers: random ones sort by time, named ones are safe in paths, URLs and SQL."""

import re
import secrets
import time

from skerry.core.errors import InvalidInputError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,118}[A-Za-z0-9])?")


def new_id() -> str:
    """Return a new identifier of 26 lower-case characters that sorts by its time of creation.

    52 bits of microseconds and 52 random bits, in hexadecimal.
    """
    return f"{time.time_ns() // 1000:013x}{secrets.randbits(52):013x}"


def check_name(text: str, *, what: str) -> str:
    """Return `text` if it can be one segment of a path or URL, else refuse it.

    Parameters
    ----------
    text
        The identifier, from outside.
    what
        Its kind, for the message: ``"item id"``, ``"collection id"``.

    Raises
    ------
    InvalidInputError
        If it is empty, longer than 120 characters, holds anything but letters, digits, ``_``,
        ``.`` and ``-``, holds two dots in a row, or begins or ends with a mark.
    """
    if not _NAME.fullmatch(text) or ".." in text:
        raise InvalidInputError(
            f"{text[:140]!r} is not a valid {what}.",
            remedy="Use at most 120 letters, digits, '_', '.' or '-', with no mark at either end.",
        )
    return text
