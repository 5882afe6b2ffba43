"""The one door to servers behind addresses that come from outside.

Imports, products and payloads that name an ``https://`` address are all read here. An address, and
each address that a server redirects to, must pass the allow-list of `skerry.core.addresses`; what
is not encrypted is for origins that the settings name. Names are resolved when a connection is
made, and the connection goes to the address that was checked. No proxy is used, no credentials and
no cookies are sent. Messages leave out the query of an address, where signatures stand.
"""

import atexit
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

import httpcore
import httpx

from skerry.core.addresses import (
    Resolver,
    allowed_origins,
    check_address,
    is_named_origin,
    resolve_name,
)
from skerry.core.certificates import read_authorities
from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)

CONNECT_WITHIN_S = 10.0
ANSWER_WITHIN_S = 60.0
RETRY_FOR_S = 30.0
_PAUSES_S = (0.1, 0.5, 2.0)
_HOPS = 5
_CONNECTIONS = 32
FAULTS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
"""Errors of a server or a network that may pass."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_HEADERS = {"User-Agent": "skerry", "Accept": "*/*", "Accept-Encoding": "identity"}


class TemporaryError(UnavailableError):
    """The server or the network failed in a way that may pass."""


@dataclass(frozen=True)
class Answer:
    """A server's answer: its body is read while the block of `ask` runs.

    Attributes
    ----------
    label
        The address without its query, for messages.
    status
        The HTTP status.
    headers
        The headers.
    """

    label: str
    status: int
    headers: httpx.Headers
    _response: httpcore.Response

    @property
    def size(self) -> int:
        """Size of the body in bytes.

        Raises
        ------
        InvalidInputError
            If the server does not say it.
        """
        announced = self.headers.get("content-length", "")
        if not announced.isdecimal():
            raise refuse_unknown_length(self.label)
        return int(announced)

    def read_pieces(self) -> Iterator[bytes]:
        """Yield the body.

        Raises
        ------
        TemporaryError
            If it breaks off.
        """
        try:
            yield from self._response.iter_stream()
        except FAULTS as error:
            raise TemporaryError(
                f"{self.label} broke off ({type(error).__name__}: {error}).",
                remedy="Try again; if it breaks off each time, download the file by other means.",
            ) from None

    def check_status(self) -> None:
        """Refuse an answer that is not a success.

        Raises
        ------
        NotFoundError, ForbiddenError, UnavailableError
            If the file is not there, not for the asker, or the server fails.
        """
        if not HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES:
            raise _explain_status(self.status, self.label)


@contextmanager
def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    resolve: Resolver = resolve_name,
) -> Iterator[Answer]:
    """Ask once, follow redirects through the allow-list, and give the last answer.

    Parameters
    ----------
    url
        An ``http`` or ``https`` address.
    method
        ``GET`` or ``HEAD``.
    headers
        Further headers, such as a range.
    resolve
        Resolves names to IP addresses.

    Raises
    ------
    InvalidInputError
        If the address, or one that it redirects to, may not be asked, or there are too many.
    UnavailableError
        If the server does not answer.
    """
    for _ in range(_HOPS):
        request = _prepare(url, method, headers or {}, resolve)
        label = url.partition("?")[0]
        try:
            response = _open_checked(resolve).handle_request(request)
        except FAULTS as error:
            raise TemporaryError(
                f"{label} {name_silence(error)}.",
                remedy="Check the address and the network, and try again.",
            ) from None
        try:
            answer_headers = httpx.Headers(response.headers)
            if response.status not in _REDIRECTS or "location" not in answer_headers:
                yield Answer(label, response.status, answer_headers, response)
                return
            url = urljoin(url, answer_headers["location"])
        finally:
            response.close()
    raise InvalidInputError(
        f"{label} redirects more than {_HOPS} times.", remedy="Give the file's own address."
    )


def fetch_part(url: str, byte_range: str) -> tuple[bytes, int]:
    """Return a part of a file and the size of the whole; faults that may pass are tried again.

    Parameters
    ----------
    url
        The file's address.
    byte_range
        The range as HTTP writes it, such as ``0-99``.

    Raises
    ------
    InvalidInputError
        If the server sends whole files only.
    NotFoundError, ForbiddenError, UnavailableError
        If the file is not there, not for the asker, or the server does not answer.
    """

    def fetch() -> tuple[bytes, int]:
        with ask(url, headers={"Range": f"bytes={byte_range}"}) as answer:
            answer.check_status()
            length = answer.headers.get("content-range", "").rpartition("/")[2]
            if answer.status != HTTPStatus.PARTIAL_CONTENT or not length.isdecimal():
                _ = answer.size  # raises for a page of unknown length
                raise refuse_whole_files(answer.label)
            return _join(answer, byte_range), int(length)

    return persist(fetch)


def _join(answer: Answer, byte_range: str) -> bytes:
    """Return the body, which must not be longer than the range that was asked for."""
    first, _, last = byte_range.partition("-")
    room = int(last) - (int(first) - 1 if first else 0) if last else None
    pieces = []
    for piece in answer.read_pieces():
        pieces.append(piece)
        if room is not None and (room := room - len(piece)) < 0:
            raise InvalidInputError(
                f"{answer.label} sends more than the bytes {byte_range} that were asked for.",
                remedy="Download the product and give its path.",
            )
    return b"".join(pieces)


def persist[T](attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns; if it fails in a way that may pass, try again for a while."""
    ends = time.monotonic() + RETRY_FOR_S
    for pause in _PAUSES_S:
        try:
            return attempt()
        except TemporaryError:
            if time.monotonic() + pause > ends:
                raise
            time.sleep(pause)
    return attempt()


def refuse_whole_files(place: object) -> InvalidInputError:
    """Return the error for a server that sends no parts of files."""
    return InvalidInputError(
        f"{place} cannot be read in parts: the server sends whole files only.",
        remedy="Download the product and give its path.",
    )


def refuse_unknown_length(place: object) -> InvalidInputError:
    """Return the error for an answer without a length."""
    return InvalidInputError(
        f"{place} is answered with something of unknown length: a page, such as one to log in, "
        "and no file.",
        remedy="Check the address in a browser; give one that needs no log-in.",
    )


def limit_waits() -> dict[str, Any]:
    """Return what tells httpcore how long a request waits for each of its parts."""
    return {
        "timeout": {
            "connect": CONNECT_WITHIN_S, "read": ANSWER_WITHIN_S, "write": ANSWER_WITHIN_S,
            "pool": ANSWER_WITHIN_S,
        }
    }  # fmt: skip


def open_pool(
    certificates: ssl.SSLContext, most: int, connect: httpcore.NetworkBackend | None = None
) -> httpcore.ConnectionPool:
    """Return connections that are kept for the next request, and closed when the process ends.

    There is no proxy, and nothing redirects.

    Parameters
    ----------
    certificates
        Whom to trust.
    most
        The largest number of connections.
    connect
        Makes the connections; None for httpcore's own way.
    """
    pool = httpcore.ConnectionPool(
        ssl_context=certificates, max_connections=most, keepalive_expiry=30,
        network_backend=connect,
    )  # fmt: skip
    atexit.register(pool.close)
    return pool


def name_silence(error: Exception) -> str:
    """Return how a server did not answer, from an error that is one of `FAULTS`."""
    late = isinstance(error, httpcore.TimeoutException)
    return f"does not answer {'in time' if late else f'({type(error).__name__})'}"


def _prepare(
    url: str, method: str, headers: Mapping[str, str], resolve: Resolver
) -> httpcore.Request:
    """Return the request, unless its address may not be asked."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        parsed = httpx.URL("")
    origin = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
    fetchable = parsed.scheme in ("http", "https") and parsed.host and not parsed.userinfo
    if not fetchable or not is_named_origin(origin):
        check_address(url.partition("?")[0], resolve=resolve)
        if parsed.scheme == "http":
            raise InvalidInputError(
                f"{origin} is not encrypted: anybody on the way may change what it sends.",
                remedy="Use https://, or name the origin in SKERRY_ALLOWED_ORIGINS.",
            )
    return httpcore.Request(
        method,
        httpcore.URL(
            scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
        ),
        headers=list({**_HEADERS, "Host": parsed.netloc.decode("ascii"), **headers}.items()),
        extensions=limit_waits(),
    )


@cache
def _open_checked(resolve: Resolver) -> httpcore.ConnectionPool:
    return open_pool(read_authorities(), _CONNECTIONS, _CheckedConnections(resolve))


class _CheckedConnections(httpcore.SyncBackend):
    """Connects to public addresses and to named origins, whatever a name stands for later."""

    def __init__(self, resolve: Resolver) -> None:
        self._resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the checked addresses that answers."""
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        spellings = [f"{scheme}://{authority}" for scheme in ("http", "https")]
        url = next(filter(is_named_origin, spellings), spellings[-1])
        checked = check_address(url, origins=allowed_origins(), resolve=self._resolve)
        *others, last = checked.ips
        for ip in others:
            try:
                return super().connect_tcp(ip, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return super().connect_tcp(last, port, timeout, local_address, socket_options)


def _explain_status(status: int, label: str) -> SkerryError:
    phrase = next((item.phrase for item in HTTPStatus if item == status), "")
    words = f"{status} {phrase}".strip()
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFoundError(f"There is no {label}.", remedy="Check the address.")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ForbiddenError(
            f"{label} is not open to you ({words}).",
            remedy="Ask its provider for access, or download the product and give its path.",
        )
    kind = TemporaryError if status in _TEMPORARY else UnavailableError
    return kind(f"{label} answers {words}.", remedy="Check the address and the network.")
