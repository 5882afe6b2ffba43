"""Loopback servers that keep count: files over HTTP with ranges, and buckets over S3.

Both serve a folder, note every request, and fail on purpose where told to. The S3 server speaks
as much of the protocol as reading needs (GET and HEAD of objects with ranges, ListObjectsV2) and
looks at who signs, not at the signature. As in many buckets, each folder has an empty object whose
key ends in ``/``.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

ACCESS_KEY = "AKIALOOPBACKTEST"
SECRET_KEY = "loopback-secret-that-must-not-show"
BUCKET = "products"
PAGE = b"<html><body>Not what was asked for.</body></html>"
_PAGE = 3
_LISTED: dict[Path, list[tuple[str, int]]] = {}
"""Folder to what its listing began with; the pages that follow do not walk through it again."""
"""Keys a listing page: small, so that paging is exercised."""


@dataclass(frozen=True)
class Request:
    """One request that arrived."""

    method: str
    path: str
    range: str


@dataclass
class ObjectServer:
    """A running server.

    Attributes
    ----------
    url
        Where the folder is: ``http://127.0.0.1:port`` or ``s3://products``.
    endpoint
        The server's HTTP address.
    seen
        Requests in the order in which they arrived.
    sent
        Path to bytes of it sent.
    at_once
        Most requests being answered at one time.
    faults
        Pattern of paths to what happens instead: a status, ``"stall"``, ``"slow"``, ``"cut"``
        (half of the bytes), ``"whole"`` (the range is ignored), ``"page"`` (an HTML page of
        unknown length) or ``"index"`` (an HTML page, by ranges).
    """

    url: str
    endpoint: str
    seen: list[Request] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    faults: dict[str, int | str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def paths(self, method: str | None = None) -> list[str]:
        """Return the paths asked for."""
        return [item.path for item in self.seen if method in (None, item.method)]

    def note_sent(self, path: str, count: int) -> None:
        """Count bytes of a file."""
        with self._lock:
            self.sent[path] += count

    def forget(self) -> None:
        """Start counting anew."""
        self.seen.clear()
        self.sent.clear()
        self.at_once = 0


@contextmanager
def serve_folder(folder: Path) -> Iterator[ObjectServer]:
    """Serve a folder over HTTP, with ranges and without listings."""
    with _serve(folder, _answer_http) as (endpoint, server):
        server.url = endpoint
        yield server


@contextmanager
def serve_bucket(folder: Path) -> Iterator[ObjectServer]:
    """Serve a folder as the S3 bucket ``products``, to those who sign with `ACCESS_KEY`."""
    with _serve(folder, _answer_s3) as (_, server):
        server.url = f"s3://{BUCKET}"
        yield server


@contextmanager
def _serve(
    folder: Path, answer: Callable[["_Handler", Path], None]
) -> Iterator[tuple[str, ObjectServer]]:
    lock = Lock()
    running: set[int] = set()

    class Handler(_Handler):
        def _handle(self) -> None:
            path = unquote(urlsplit(self.path).path)
            with lock:
                self.noted.seen.append(Request(self.command, path, self.headers.get("Range", "")))
                running.add(id(self))
                self.noted.at_once = max(self.noted.at_once, len(running))
            if not self._fail():
                answer(self, folder)
            with lock:
                running.discard(id(self))

        do_GET = do_HEAD = _handle  # noqa: N815

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    endpoint = f"http://127.0.0.1:{httpd.server_address[1]}"
    Handler.noted = ObjectServer(endpoint, endpoint)
    thread = Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SKERRY_ALLOWED_ORIGINS", endpoint, prepend=",")
            yield endpoint, Handler.noted
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    noted: ObjectServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _fault(self) -> int | str | None:
        for pattern, fault in self.noted.faults.items():
            if re.search(pattern, unquote(self.path)):
                return fault
        return None

    def _fail(self) -> bool:
        fault = self._fault()
        if fault == "slow":
            time.sleep(0.05)
        if fault in ("page", "index"):
            self._send_page(ranged=fault == "index")
            return True
        if isinstance(fault, int):
            self.reply(fault, b"")
            return True
        if fault == "stall":
            time.sleep(5)
            self.close_connection = True
            return True
        return False

    def _send_page(self, *, ranged: bool) -> None:
        """Send an HTML page, by ranges or of unknown length."""
        if ranged:
            end = {"Content-Range": f"bytes 0-{len(PAGE) - 1}/{len(PAGE)}"}
            is_range = "Range" in self.headers
            self.reply(206 if is_range else 200, PAGE, end if is_range else {})
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send an answer whole."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_file(self, file: Path) -> None:
        """Send a file or the range of it that is asked for."""
        if not file.is_file():
            self.reply(404, b"")
            return
        size = file.stat().st_size
        start, stop, status = 0, size, 200
        expected = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if expected and self._fault() != "whole":
            first, last = expected.groups()
            start = int(first) if first else max(0, size - int(last))
            stop = min(size, int(last) + 1) if first and last else size
            status = 206
            if start >= size > 0:
                self.reply(416, b"", {"Content-Range": f"bytes */{size}"})
                return
        headers = {
            "Accept-Ranges": "bytes", "ETag": f'"{size}"', "Content-Type": "binary/octet-stream",
            "Last-Modified": "Fri, 01 May 2026 10:00:00 GMT",
        }  # fmt: skip
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(stop - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with file.open("rb") as stream:
            stream.seek(start)
            data = stream.read(stop - start)
        if self._fault() == "cut":
            data = data[: len(data) // 2]
            self.close_connection = True
        self.noted.note_sent(unquote(urlsplit(self.path).path), len(data))
        with suppress(ConnectionError):  # the reader may hang up when it has seen enough
            self.wfile.write(data)


def _answer_http(request: _Handler, folder: Path) -> None:
    request.send_file(folder / unquote(urlsplit(request.path).path).lstrip("/"))


def _answer_s3(request: _Handler, folder: Path) -> None:
    if f"Credential={ACCESS_KEY}/" not in request.headers.get("Authorization", ""):
        request.reply(403, b"<Error><Code>AccessDenied</Code></Error>")
        return
    parts = urlsplit(request.path)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    if bucket != BUCKET:
        request.reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
    elif key:
        request.send_file(folder / key)
    else:
        request.reply(200, _list(folder, parse_qs(parts.query)), {"Content-Type": "text/xml"})


def _walk(folder: Path) -> list[tuple[str, int]]:
    """Return name and size of everything below a folder; a folder is an empty mark."""
    return sorted(
        (f"{path.relative_to(folder).as_posix()}/", 0)
        if path.is_dir()
        else (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in folder.rglob("*")
    )


def _list(folder: Path, query: dict[str, list[str]]) -> bytes:
    """Return one page of ListObjectsV2."""
    prefix = query.get("prefix", [""])[0]
    delimiter = query.get("delimiter", [""])[0]
    after = query.get("continuation-token", query.get("start-after", [""]))[0]
    if "continuation-token" not in query or folder not in _LISTED:
        _LISTED[folder] = _walk(folder)
    entries: dict[str, int | None] = {}
    for name, size in _LISTED[folder]:
        rest = name.removeprefix(prefix)
        if not name.startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            entries[prefix + rest.partition(delimiter)[0] + delimiter] = None
        else:
            entries[name] = size
    left = [(name, size) for name, size in entries.items() if name > after]
    page = left[:_PAGE]
    lines = []
    for name, length in page:
        if length is None:
            lines.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
        else:
            lines.append(
                f"<Contents><Key>{escape(name)}</Key><Size>{length}</Size><ETag>"
                f"&quot;{length}&quot;</ETag><LastModified>2026-05-01T10:00:00.000Z</LastModified></Contents>"
            )
    more = len(left) > len(page)
    token = f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{token}{''.join(lines)}"
        "</ListBucketResult>"
    ).encode()


def locate(server: ObjectServer, name: str) -> str:
    """Return the address of a file or folder of the served folder."""
    return f"{server.url}/{quote(name)}"
