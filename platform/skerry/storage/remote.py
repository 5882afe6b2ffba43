"""Files behind ``http(s)://`` and ``s3://`` addresses, read by ranges.

Access to S3 comes from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``,
``AWS_REGION``, ...); without a key, requests are not signed. Neither keys nor the query of an
address (where signatures stand) appear in messages, and neither travels with a `RemotePath` that
is sent to a worker of S3: each process makes its own connection from its own environment.

A server is connected to when the allow-list of `skerry.core.addresses` lets it pass. The client
follows redirects without asking us, so that plain ``http://`` is for origins that the settings
name: behind ``https://`` a redirect can only lead to a server with a certificate of its name, which
the machine's own services and those of clouds have not. The endpoint of S3 passes as it is: it
stands in the environment, never in an address.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from skerry.core.addresses import allowed_origins, check_address, is_named_origin
from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)
from skerry.storage.blocks import AHEAD_BYTES, KEPT_BYTES, BlockReader

SCHEMES = ("http", "https", "s3")
MAX_LISTED = 20_000
"""Largest number of files of one product."""
_STATUS = re.compile(r"status code: (\d{3}[ A-Za-z]*)")
_ANSWER_WITHIN_S = 60
_CONNECT_WITHIN_S = 10
_RETRY_FOR_S = 30


def is_remote(place: object) -> bool:
    """Return whether a place is an address (``scheme://...``), not a path on this machine."""
    return isinstance(place, RemotePath) or (isinstance(place, str) and "://" in place)


@dataclass(frozen=True)
class RemotePath:
    """A file or folder behind an address.

    Attributes
    ----------
    url
        The address, without a ``/`` at its end.
    """

    url: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.key.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The name's last part with its dot, or nothing."""
        return f".{self.name.rpartition('.')[2]}" if "." in self.name else ""

    @property
    def key(self) -> str:
        """The path below the server or bucket."""
        return unquote(urlsplit(self.url).path).strip("/")

    @property
    def lists(self) -> bool:
        """Whether what is below it can be listed: S3 can, HTTP cannot."""
        return self.url.startswith("s3:")

    @property
    def store(self) -> Any:
        """The obstore store of the server or bucket, one a process.

        Raises
        ------
        InvalidInputError
            If the server's address is neither public nor named in `SKERRY_ALLOWED_ORIGINS`.
        UnavailableError
            If its name cannot be resolved.
        """
        parts = urlsplit(self.url)
        return _connect(parts.scheme, parts.netloc, parts.query)

    def __truediv__(self, name: str) -> "RemotePath":
        """Return a place below this one."""
        parts = urlsplit(self.url)
        below = f"{parts.path.rstrip('/')}/{quote(name)}"
        return RemotePath(urlunsplit((parts.scheme, parts.netloc, below, parts.query, "")))

    def __str__(self) -> str:
        """Return the address without its query, which may hold a signature."""
        return self.url.partition("?")[0]

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def read_bytes(self, most: int) -> bytes:
        """Read a file of at most `most` bytes; a larger one is refused before it is read.

        Raises
        ------
        NotFoundError, ForbiddenError, UnavailableError
            If it is not there, not for the asker, or the server does not answer.
        InvalidInputError
            If it is larger.
        """
        import obstore

        with explaining(self):
            answer = obstore.get(self.store, self.key)
            if answer.meta["size"] <= most:
                return bytes(answer.bytes())
        raise too_large(self, answer.meta["size"], most)

    def open(self, ahead: int = AHEAD_BYTES, kept: int = KEPT_BYTES) -> BlockReader:
        """Open a file for reading by ranges of `ahead` bytes; it can be sent to a worker.

        The first range and the size come in one request.

        Raises
        ------
        NotFoundError, ForbiddenError, UnavailableError
            If it is not there, not for the asker, or the server does not answer.
        InvalidInputError
            If the server sends whole files only.
        """
        import obstore

        with explaining(self):
            first = obstore.get(self.store, self.key, options={"range": (0, ahead)})
            file = RemoteFile(self, int(first.meta["size"]))
            reader = BlockReader(file, ahead=ahead, kept=kept)
            reader.take(bytes(first.bytes()))
        return reader

    def find_size(self) -> int | None:
        """Return a file's size in bytes; None if it is not there."""
        import obstore

        try:
            with explaining(self):
                return int(obstore.head(self.store, self.key)["size"])
        except NotFoundError:
            return None

    def exists(self) -> bool:
        """Return whether a file is there."""
        return self.find_size() is not None

    def list_sizes(self) -> dict[str, int]:
        """Return all files below this S3 prefix: name relative to it, to size in bytes.

        Raises
        ------
        InvalidInputError
            If there are more than `MAX_LISTED`.
        """
        import obstore

        sizes: dict[str, int] = {}
        with explaining(self):
            for batch in obstore.list(self.store, prefix=self.key):
                for item in batch:
                    sizes[str(item["path"]).removeprefix(f"{self.key}/")] = int(item["size"])
                if len(sizes) > MAX_LISTED:
                    break
        if len(sizes) > MAX_LISTED:
            raise InvalidInputError(
                f"{self} holds more than {MAX_LISTED} files.", remedy="Name one product's folder."
            )
        return sizes


def parse_address(text: str) -> RemotePath:
    """Return the place behind an address.

    Raises
    ------
    InvalidInputError
        If the scheme is another than http, https and s3, there is no host or bucket, or the
        address carries a user name or password.
    """
    label = re.sub(r"//[^/@]*@", "//***@", text.partition("?")[0])[:200]
    try:
        parts = urlsplit(text)
        named, user = parts.hostname, parts.username
        _ = parts.port  # which raises where it is no port
    except ValueError:
        named, user = None, None
        parts = urlsplit("")
    if parts.scheme not in SCHEMES or not named or user is not None:
        raise InvalidInputError(
            f"{label!r} is no address that can be opened.",
            remedy="Give http://..., https://... or s3://bucket/..., without a user name, or a "
            "path on this machine; keys of S3 stand in the environment (AWS_ACCESS_KEY_ID, ...).",
        )
    query = parts.query if parts.scheme != "s3" else ""
    return RemotePath(urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), query, "")))


@cache
def _connect(scheme: str, authority: str, query: str) -> Any:
    from obstore.store import HTTPStore, S3Store

    client: dict[str, Any] = {
        "timeout": timedelta(seconds=_ANSWER_WITHIN_S),
        "connect_timeout": timedelta(seconds=_CONNECT_WITHIN_S),
        "user_agent": "skerry",
    }
    retry: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=_RETRY_FOR_S)}
    if scheme != "s3":
        _check_server(f"{scheme}://{authority}")
        client["allow_http"] = scheme == "http"
        url = f"{scheme}://{authority}" + (f"?{query}" if query else "")
        return HTTPStore.from_url(url, client_options=client, retry_config=retry)  # type: ignore[arg-type]
    options: dict[str, Any] = {}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if endpoint:
        options["endpoint"] = endpoint
        client["allow_http"] = endpoint.startswith("http://")
    if not _has_credentials():
        options["skip_signature"] = True
    return S3Store(authority, client_options=client, retry_config=retry, **options)  # type: ignore[arg-type]


def _check_server(url: str) -> None:
    check_address(url, origins=allowed_origins())
    if url.startswith("http:") and not is_named_origin(url):
        raise InvalidInputError(
            f"{url} is not encrypted: what it sends, and where it leads, anybody may change.",
            remedy="Use https://, or name the origin in SKERRY_ALLOWED_ORIGINS.",
        )


def _has_credentials() -> bool:
    """Return whether the environment names credentials; else S3's client would ask the cloud."""
    ways = (
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )  # fmt: skip
    return any(os.environ.get(way) for way in ways)


@contextmanager
def explaining(place: object) -> Iterator[None]:
    """Turn errors of the store's client into errors that name the place and a remedy."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        # `from None`: the client's own words hold whole addresses, with their signatures.
        raise explain(error, place) from None


def explain(error: Exception, place: object) -> SkerryError:
    """Return the error that explains what went wrong at `place`."""
    from obstore import exceptions

    if isinstance(error, FileNotFoundError | exceptions.NotFoundError):
        return NotFoundError(f"There is no {place}.", remedy="Check the address.")
    text = str(error)
    status = _STATUS.search(text)
    status_text = status.group(1).strip() if status else ""
    if "Content-Length" in text.partition("\n")[0]:
        return InvalidInputError(
            f"{place} is answered with something of unknown length: a page, such as one to log "
            "in, and no file.",
            remedy="Check the address in a browser; give one that needs no log-in.",
        )
    denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError
    if isinstance(error, denied) or status_text[:3] in ("401", "403"):
        return ForbiddenError(
            f"{place} is not open to you ({status_text or 'refused'}).",
            remedy="Ask for access, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if isinstance(error, exceptions.NotSupportedError) or "ange" in text.partition("\n")[0]:
        return InvalidInputError(
            f"{place} cannot be read in parts: the server sends whole files only.",
            remedy="Download the product and give its path.",
        )
    what = f"answers {status_text}" if status_text else "does not answer"
    if "timed out" in text or "Timeout" in text:
        what = "does not answer in time"
    return UnavailableError(f"{place} {what}.", remedy="Check the address and the network.")


def too_large(place: object, size: int, most: int) -> InvalidInputError:
    """Return the error for metadata that are too large."""
    return InvalidInputError(
        f"{place} has {size} bytes, more than the {most} that metadata may have.",
        remedy="Write the product again with less in its attributes.",
    )


@dataclass(frozen=True)
class RemoteFile:
    """A file behind an address whose size is known: a source of `BlockReader`."""

    place: RemotePath
    size: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.place.name

    def fetch(self, start: int, stop: int) -> bytes:
        """Return a range of bytes, in one request."""
        import obstore

        with explaining(self.place):
            data = bytes(obstore.get_range(self.place.store, self.place.key, start=start, end=stop))
        if len(data) != stop - start:
            raise UnavailableError(
                f"{self.place} sent {len(data)} of {stop - start} bytes.", remedy="Try again."
            )
        return data

    def close(self) -> None:
        """Do nothing: there is no connection of its own."""
