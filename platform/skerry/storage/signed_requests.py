"""Requests to a store at signed addresses, which stand in no message and no log.

httpcore sends them: httpx would write whole addresses into logs. Refusals are errors of obstore, in
words like those of its own client, so that one place says what they mean.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpcore
import httpx

from skerry.core.certificates import read_authorities
from skerry.core.patience import ask_patiently, find_patience
from skerry.storage.at_once import REQUESTS
from skerry.storage.s3 import ADDRESS_ENDED
from skerry.storage.web import (
    FAULTS,
    TemporaryError,
    limit_waits,
    name_silence,
    open_pool,
    persist,
)

_Bytes = bytes  # a method of an answer has that name
_PIECE = 1 << 20
_LONGEST_REFUSAL = 1 << 16
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
_CODE = re.compile(rb"<Code>(\w+)</Code>")
_ENDED = re.compile(rb"has expired", re.IGNORECASE)


def persist_patiently[T](attempt: Callable[[], T]) -> T:
    """Try again where a fault may pass: for a moment, and in a run as long as a store may be away.

    Raises
    ------
    TemporaryError
        The last one.
    """
    return ask_patiently(lambda: persist(attempt), find_patience())


class SignedAnswer:
    """A file that the store sends; as with obstore, it is read when its bytes are wanted.

    Attributes
    ----------
    range
        Its first byte, and that after its last.
    meta
        What a listing says of the file.
    """

    def __init__(self, path: str, send: Callable[[], httpcore.Response]) -> None:
        self._send = send
        self._response: httpcore.Response | None = persist_patiently(send)
        self.meta = describe(path, self._response)
        self.range = _read_range(self._response, self.meta["size"])

    def bytes(self) -> _Bytes:
        """Return the bytes; ask again if the answer breaks off.

        Raises
        ------
        TemporaryError
            If it breaks off each time.
        """
        return persist_patiently(self._read)

    def _read(self) -> "_Bytes":
        response, self._response = self._response or self._send(), None
        try:
            with _naming_silence(self.meta["path"]):
                return response.read()
        finally:
            response.close()

    def __del__(self) -> None:
        """Give the connection back if nobody wanted the bytes."""
        if response := getattr(self, "_response", None):
            response.close()


def send_request(
    method: str, address: str, path: str, headers: dict[str, str], content: bytes | Path
) -> httpcore.Response:
    """Send a request to the store; its answer is read and closed by the caller.

    Parameters
    ----------
    method, address
        The request that was signed, and its address.
    path
        The file, for messages.
    headers
        Further headers.
    content
        What to write, as bytes or as a file.

    Raises
    ------
    TemporaryError
        If the store does not answer, or is busy.
    """
    url = httpcore.URL(address)
    host = httpx.URL(address).netloc.decode("ascii")
    request = httpcore.Request(
        method, url, headers=list({"Host": host, "User-Agent": "skerry", **headers}.items()),
        content=_read_pieces(content) if isinstance(content, Path) else content,
        extensions=limit_waits(),
    )  # fmt: skip
    with _naming_silence(path):
        response = _connect(os.environ.get("AWS_CA_BUNDLE")).handle_request(request)
    if response.status in _TEMPORARY:
        response.close()
        raise TemporaryError(
            f"The object store answers {response.status} (for {path[:140]!r}).",
            remedy="Try again.",
        )
    return response


def read_refusal(response: httpcore.Response) -> str:
    """Return the code of an answer that is no success, nothing if it has none; close it."""
    text = b""
    try:
        with _naming_silence("the store's refusal"):
            for piece in response.iter_stream():
                text += piece
                if len(text) > _LONGEST_REFUSAL:
                    break
    except TemporaryError:
        pass
    finally:
        response.close()
    if response.status == HTTPStatus.FORBIDDEN and _ENDED.search(text):
        return ADDRESS_ENDED
    code = _CODE.search(text)
    return code.group(1).decode("ascii") if code else ""


def explain_refusal(status: int, code: str, path: str) -> Exception:
    """Return the error for an answer that is no success, as the store's own client raises it."""
    from obstore.exceptions import AlreadyExistsError

    words = f"{path[:140]!r}: status code: {status} (code: {code})"
    if status == HTTPStatus.NOT_FOUND:
        return FileNotFoundError(words)
    if status == HTTPStatus.PRECONDITION_FAILED:
        return AlreadyExistsError(words)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return refuse(status, "InvalidRange")
    return refuse(status, code)


def refuse(status: int, code: str) -> Exception:
    """Return a refusal in the words of the store's own client."""
    from obstore.exceptions import GenericError

    phrase = next((item.phrase for item in HTTPStatus if item == status), "")
    return GenericError(f"status code: {status} {phrase} (code: {code})")


def write_range(part: Any) -> dict[str, str]:
    """Return the header for a part of a file, which is given as obstore's options write it."""
    if part is None:
        return {}
    if isinstance(part, tuple):
        return {"Range": f"bytes={part[0]}-{part[1] - 1}"}
    if "suffix" in part:
        return {"Range": f"bytes=-{part['suffix']}"}
    return {"Range": f"bytes={part['offset']}-"}


def describe(path: str, response: httpcore.Response) -> dict[str, Any]:
    """Return what a listing says of a file, from the headers of an answer."""
    headers = httpx.Headers(response.headers)
    whole = headers.get("content-range", "").rpartition("/")[2]
    modified = headers.get("last-modified")
    return {
        "path": path, "size": int(whole or headers.get("content-length", "0")),
        "last_modified": parsedate_to_datetime(modified) if modified else None,
        "e_tag": headers.get("etag"),
    }  # fmt: skip


def _read_range(response: httpcore.Response, size: int) -> tuple[int, int]:
    part = httpx.Headers(response.headers).get("content-range", "")
    if response.status != HTTPStatus.PARTIAL_CONTENT or not part:
        return 0, size
    first, _, last = part.partition("/")[0].removeprefix("bytes ").partition("-")
    return int(first), int(last) + 1


def _read_pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


@contextmanager
def _naming_silence(path: str) -> Iterator[None]:
    try:
        yield
    except FAULTS as error:
        raise TemporaryError(
            f"The object store {name_silence(error)} (for {path[:140]!r}).",
            remedy="Check the network and the store, and try again.",
        ) from None


@cache
def _connect(_certificates: str | None) -> httpcore.ConnectionPool:
    """Return the connections to stores; there are others where another authority is named."""
    return open_pool(read_authorities(), 2 * REQUESTS)
