"""The one allow-list for addresses that come from outside: imports, hrefs, webhooks, messages.

Public addresses pass, after the name is resolved; so do origins named in settings
(`SKERRY_ALLOWED_ORIGINS`). All others (``file:``, loopback, private and link-local ranges,
cloud metadata services) are refused. Check each redirect again, and connect to the address that
was checked: a name may resolve to another address a moment later.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from skerry.core.errors import InvalidInputError, UnavailableError

# IPv6 addresses that carry an IPv4 address, which a gateway may lead anywhere: mapped, compatible,
# translated (RFC 2765), NAT64 (RFC 6052, 8215), Teredo (RFC 4380), 6to4 (RFC 3056), ISATAP's links
_CARRIERS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32",
        "2002::/16",
    )
)  # fmt: skip
_OF_CLOUDS = ipaddress.ip_network("168.63.129.16/32")
"""Public by its number, but on Azure each machine's own: it hands out settings and certificates."""

_PORTS = {"http": 80, "https": 443}
_LOGIN = re.compile(r"//.*@")
_BUCKET = re.compile(r" s3://\S*")

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port to IP addresses."""


@dataclass(frozen=True)
class CheckedAddress:
    """A URL that may be fetched, and the IP addresses to connect to.

    Attributes
    ----------
    url
        The URL in its original spelling.
    host
        Its host name, for the Host header and TLS.
    ips
        The addresses that were checked, best first.
    port
        The port, the scheme's own when the URL names none.
    """

    url: str
    host: str
    ips: tuple[str, ...]
    port: int


def allowed_origins() -> frozenset[str]:
    """Return the origins of `SKERRY_ALLOWED_ORIGINS`: ``http://host:port``, comma-separated."""
    names = os.environ.get("SKERRY_ALLOWED_ORIGINS", "")
    return frozenset(_origin(text.strip()) for text in names.split(",") if text.strip())


def is_named_origin(url: str) -> bool:
    """Return whether the settings name the origin of a URL, see `allowed_origins`."""
    return _origin(url) in allowed_origins()


def resolve_name(host: str, port: int) -> list[str]:
    """Return the IP addresses of `host`, by the system's resolver."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise UnavailableError(
            f"The name {host!r} cannot be resolved.", remedy="Check the address and the network."
        ) from None
    return [str(entry[4][0]) for entry in answers]


def leave_out_buckets(text: str) -> str:
    """Return a text without the addresses of buckets, for readers without an account."""
    return _BUCKET.sub("", text)


def check_address(
    url: str, *, origins: Collection[str] = (), resolve: Resolver = resolve_name
) -> CheckedAddress:
    """Refuse a URL that does not lead to the public internet or a named origin.

    Parameters
    ----------
    url
        An ``http`` or ``https`` URL from outside.
    origins
        Origins that pass with any IP address, as `allowed_origins` returns them.
    resolve
        Resolves names to IP addresses.

    Raises
    ------
    InvalidInputError
        If the scheme is another one, the URL carries a user name, or any of the addresses that
        the name leads to is not public.
    UnavailableError
        If the name cannot be resolved.
    """
    host, port = _split(url)
    addresses = list(resolve(host, port))
    is_allowed = _origin(url) in origins
    hidden = [] if is_allowed else [address for address in addresses if not _is_public(address)]
    if hidden or not addresses:
        raise InvalidInputError(
            f"{url} leads to {', '.join(hidden) or 'no address'}, which is not public.",
            remedy="Use a public address, or name the origin in SKERRY_ALLOWED_ORIGINS.",
        )
    return CheckedAddress(url=url, host=host, ips=tuple(addresses), port=port)


def _split(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        safe_url = _LOGIN.sub("//...@", url)[:200]  # never a password
        raise InvalidInputError(
            f"{safe_url!r} is not an address that can be fetched.",
            remedy="Give an http or https URL without a user name, or a path on this machine.",
        )
    return host, port or _PORTS[parts.scheme]


def _origin(url: str) -> str:
    host, port = _split(url)
    return f"{urlsplit(url).scheme}://{host}:{port}"


def _is_public(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if any(ip in network for network in _CARRIERS):
        return False
    return ip.is_global and not ip.is_multicast and ip not in _OF_CLOUDS
