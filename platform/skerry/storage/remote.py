"""Files behind ``http(s)://`` and ``s3://`` addresses, read by ranges.

Servers are asked through `skerry.storage.web`, whose allow-list holds for redirects too. Access to
S3 comes from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ``AWS_REGION``, ...);
without a key, requests are not signed. Neither keys nor the query of an address (where signatures
stand) appear in messages, and keys do not travel with a `RemotePath` that is sent to a worker: each
process makes its own connection from its own environment. The endpoint of S3 passes as it is: it
stands in the environment, never in an address.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)
from skerry.storage import web
from skerry.storage.blocks import AHEAD_BYTES, KEPT_BYTES, BlockReader
from skerry.storage.s3 import ADDRESS_ENDED, list_below

SCHEMES = ("http", "https", "s3")
MAX_LISTED = 20_000
"""Largest number of files of one product."""
UNTRUSTED = "shows a certificate that this machine does not trust"
_BROKEN_OFF = re.compile(r"body error|decoding response body|before message length")
_CODE = re.compile(r"(?:<Code>|\(code: )(\w+)")
OLD_CREDENTIALS = ("ExpiredToken", "InvalidTokenId")
"""Codes of S3 for credentials that are good no more: AWS's, and MinIO's."""
_STATUS = re.compile(r"status code: (\d{3}[ A-Za-z]*)")
_ODD_KEY = re.compile(r'[Pp]ath "(.*?)"(?: contained|: )', re.DOTALL)


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
    def bucket(self) -> Any:
        """The obstore store of the S3 bucket, with the credentials that open this place."""
        from skerry.storage.granted import connect

        return connect(urlsplit(self.url).netloc, self.key)

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
        return web.persist(lambda: self._read_once(most))

    def _read_once(self, most: int) -> bytes:
        if not self.lists:
            return self._read_page(most)
        with explaining(self):
            answer = self.bucket.get(self.key)
            if answer.meta["size"] <= most:
                return bytes(answer.bytes())
        raise too_large(self, answer.meta["size"], most)

    def _read_page(self, most: int) -> bytes:
        with web.ask(self.url) as answer:
            answer.check_status()
            if answer.size > most:
                raise too_large(self, answer.size, most)
            return b"".join(answer.read_pieces())

    def read_part(self, start: int, stop: int) -> tuple[bytes, int]:
        """Return the bytes from `start` to before `stop`, or to the end, and the file's size.

        Raises
        ------
        NotFoundError, ForbiddenError, UnavailableError
            If it is not there, not for the asker, or the server does not answer.
        InvalidInputError
            If the server sends whole files only.
        """
        if not self.lists:
            return web.fetch_part(self.url, f"{start}-{stop - 1}")
        return web.persist(lambda: self._read_part_once(start, stop))

    def _read_part_once(self, start: int, stop: int) -> tuple[bytes, int]:
        with explaining(self):
            part = self.bucket.get(self.key, options={"range": (start, stop)})
            return bytes(part.bytes()), int(part.meta["size"])

    def open(self, ahead: int = AHEAD_BYTES, cache_bytes: int = KEPT_BYTES) -> BlockReader:
        """Open a file for reading by ranges of `ahead` bytes; it can be sent to a worker.

        The first range and the size come in one request.

        Raises
        ------
        NotFoundError, ForbiddenError, UnavailableError
            If it is not there, not for the asker, or the server does not answer.
        InvalidInputError
            If the server sends whole files only.
        """
        first, size = self.read_part(0, ahead)
        reader = BlockReader(RemoteFile(self, size), ahead=ahead, cache_bytes=cache_bytes)
        reader.take(first)
        return reader

    def find_size(self) -> int | None:
        """Return a file's size in bytes; None if it is not there."""
        try:
            return self._ask_size() if self.lists else web.persist(self._ask_size_of_page)
        except NotFoundError:
            return None

    def _ask_size(self) -> int:
        with explaining(self):
            return int(self.bucket.head(self.key)["size"])

    def _ask_size_of_page(self) -> int:
        with web.ask(self.url, method="HEAD") as answer:
            answer.check_status()
            return answer.size

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
        sizes: dict[str, int] = {}
        with explaining(self):
            for batch in list_below(self.bucket, self.key):
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
        host, user = parts.hostname, parts.username
        _ = parts.port  # which raises where it is not a port
    except ValueError:
        host, user = None, None
        parts = urlsplit("")
    if parts.scheme not in SCHEMES or not host or user is not None:
        raise InvalidInputError(
            f"{label!r} is not an address that can be opened.",
            remedy="Give http://..., https://... or s3://bucket/..., without a user name, or a "
            "path on this machine; keys of S3 stand in the environment (AWS_ACCESS_KEY_ID, ...).",
        )
    query = parts.query if parts.scheme != "s3" else ""
    return RemotePath(urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), query, "")))


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
    first_line = text.partition("\n")[0]
    if isinstance(error, exceptions.NotSupportedError) or "ange" in first_line:
        return web.refuse_whole_files(place)
    if "Content-Length" in first_line:
        return web.refuse_unknown_length(place)
    denied = exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError
    if isinstance(error, denied) or status_text[:3] in ("401", "403"):
        return _refuse(error, place, status_text)
    if _BROKEN_OFF.search(text):
        return web.TemporaryError(f"{place} broke off its answer.", remedy="Try again.")
    return refuse_odd_key(error, place) or UnavailableError(
        f"{place} {describe_silence(error)}.", remedy="Check the address and the network."
    )


def _refuse(error: Exception, place: object, status: str) -> SkerryError:
    from skerry.storage.granted import find_failure

    if failure := find_failure(str(error)):
        return failure
    code = read_code(error)
    if code in OLD_CREDENTIALS:
        return ForbiddenError(
            f"{place} does not open: the credentials have expired, or belong to another key.",
            remedy="Open the item again, or set new ones in AWS_ACCESS_KEY_ID, ...",
        )
    if code == ADDRESS_ENDED:
        return ForbiddenError(
            f"{place} does not open: the address that was just signed for it has expired.",
            remedy="Operators: set the clocks of the platform and of the store, best with NTP.",
        )
    return ForbiddenError(
        f"{place} is not open to you ({status or 'refused'}).",
        remedy="Ask for access, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )


def refuse_odd_key(error: Exception, place: object) -> UnavailableError | None:
    """Return the error for a listing with a key that the client does not take, if it is that.

    S3 takes any text as a key: ``a//b``, ``a/../b``, or one with a line feed. One such key, which
    another program has written, makes the client fail for all keys that it lists with it.
    """
    from obstore.exceptions import InvalidPathError

    if not isinstance(error, InvalidPathError):
        return None
    key = _ODD_KEY.search(str(error))
    named = f" {key.group(1)[:140]!r}" if key else ""
    return UnavailableError(
        f"{place} cannot be listed: another program has written a file there with a name that is"
        f" no path{named}.",
        remedy="Remove or rename that file in the bucket with the program that wrote it.",
    )


def read_code(error: Exception) -> str:
    """Return the code of an answer of S3 that says what is wrong, nothing if it has none."""
    code = _CODE.search(str(error))
    return code.group(1) if code else ""


def describe_silence(error: Exception) -> str:
    """Return how a store did not answer as it should, without the client's own words."""
    text = str(error)
    if "timed out" in text or "Timeout" in text:
        return "does not answer in time"
    if "InvalidCertificate(" in text:
        return UNTRUSTED
    status = _STATUS.search(text)
    return f"answers {status.group(1).strip()}" if status else "does not answer"


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
        data, _ = self.place.read_part(start, stop)
        if len(data) != stop - start:
            raise UnavailableError(
                f"{self.place} sent {len(data)} of {stop - start} bytes.", remedy="Try again."
            )
        return data

    def close(self) -> None:
        """Do nothing: there is no connection of its own."""
