"""The host names that the platform answers to; requests for another name are refused.

A stranger's page can let its own name lead to this machine (DNS rebinding); the browser then sends
that name in the Host header, and every server of the platform refuses it.
"""

import os
from collections.abc import Collection
from urllib.parse import urlsplit

from skerry.core.errors import InvalidInputError

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class UnknownHostError(InvalidInputError):
    """The request names a host that is not this platform."""

    status = 400
    title = "Unknown host"


def allowed_hosts(public_url: str) -> frozenset[str]:
    """Return the names that this platform answers to.

    Parameters
    ----------
    public_url
        The platform's address. The names are its host, the names of the loopback interface, and
        the names in `SKERRY_ALLOWED_HOSTS`, separated by commas.
    """
    names = os.environ.get("SKERRY_ALLOWED_HOSTS", "")
    more = {_read_name(text.strip()) for text in names.split(",") if text.strip()}
    return (LOOPBACK_NAMES | {_read_name(urlsplit(public_url).netloc)} | more) - {""}


def check_host(header: str | None, allowed: Collection[str]) -> None:
    """Refuse a request whose Host header names another host; its port does not count.

    Raises
    ------
    UnknownHostError
        If the name is missing or not among `allowed`.
    """
    if header is None or _read_name(header) not in allowed:
        raise UnknownHostError(
            f"This platform is not {str(header)[:140]!r}.",
            remedy="Use the platform's own address, or add the name to SKERRY_ALLOWED_HOSTS.",
        )


def _read_name(netloc: str) -> str:
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""
