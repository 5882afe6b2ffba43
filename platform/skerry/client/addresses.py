"""Addresses of the api that are put together from names."""

from urllib.parse import quote

from skerry.core.errors import InvalidInputError


def join_address(*words: str) -> str:
    """Return an api path of which each word is one segment.

    Raises
    ------
    InvalidInputError
        If a word is empty, has a slash or means a folder (``.`` or ``..``): it names nothing, and
        would lead to another address.
    """
    for word in words:
        if word in ("", ".", "..") or "/" in word:
            raise InvalidInputError(
                f"{word!r} is no name.",
                remedy="Give the name or id itself; the command 'list' shows them.",
            )
    return "/".join(quote(word, safe="") for word in words)
