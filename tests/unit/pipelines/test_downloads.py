import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from skerry.core.errors import InvalidInputError, NotFoundError, UnavailableError
from skerry.pipelines import sources
from skerry.pipelines.downloads import download
from skerry.pipelines.sources import locate_source

BODY = b"PK" + bytes(range(256)) * 400


class Handler(BaseHTTPRequestHandler):
    hosts: list[str]
    redirects: dict[str, str]

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        if self.path in self.redirects:
            self.send_response(302)
            self.send_header("Location", self.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.endswith("/cut.zip"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:1000])
            self.close_connection = True
        elif self.path.endswith("/absent.zip"):
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("OneTestsHandler", (Handler,), {"hosts": [], "redirects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def origin(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that stands for a public one: named in settings, as tests must."""
    url = f"http://data.example:{server.server_port}"
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", url)
    return url


def to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def test_a_file_arrives_whole_from_the_checked_address(
    server: ThreadingHTTPServer, origin: str, tmp_path: Path
) -> None:
    steps: list[float] = []
    path = download(
        f"{origin}/d/scene.zip",
        tmp_path,
        progress=lambda done, _what: steps.append(done),
        resolve=to_loopback,
    )
    assert path == tmp_path / "scene.zip"
    assert path.read_bytes() == BODY
    assert steps[-1] == 1.0
    assert server.RequestHandlerClass.hosts == [origin.removeprefix("http://")]


def test_a_redirect_to_an_inside_address_is_refused_before_it_is_asked(
    server: ThreadingHTTPServer, origin: str, tmp_path: Path
) -> None:
    inside = f"http://127.0.0.1:{server.server_port}/secret.zip"
    server.RequestHandlerClass.redirects["/scene.zip"] = inside
    with pytest.raises(InvalidInputError, match="not public"):
        download(f"{origin}/scene.zip", tmp_path, resolve=to_loopback)
    assert len(server.RequestHandlerClass.hosts) == 1
    assert not list(tmp_path.iterdir())


def test_a_redirect_to_a_file_is_refused(
    server: ThreadingHTTPServer, origin: str, tmp_path: Path
) -> None:
    server.RequestHandlerClass.redirects["/scene.zip"] = "file:///etc/passwd"
    with pytest.raises(InvalidInputError, match="http or https"):
        download(f"{origin}/scene.zip", tmp_path, resolve=to_loopback)


def test_a_relative_redirect_is_followed(
    server: ThreadingHTTPServer, origin: str, tmp_path: Path
) -> None:
    server.RequestHandlerClass.redirects["/scene.zip"] = "/d/other"
    assert download(f"{origin}/scene.zip", tmp_path, resolve=to_loopback).read_bytes() == BODY


def test_an_endless_redirect_ends(server: ThreadingHTTPServer, origin: str, tmp_path: Path) -> None:
    server.RequestHandlerClass.redirects["/scene.zip"] = "/scene.zip"
    with pytest.raises(InvalidInputError, match="redirects"):
        download(f"{origin}/scene.zip", tmp_path, resolve=to_loopback)


def test_a_transfer_that_breaks_off_is_named_and_removed(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{origin}/d/cut.zip"
    with pytest.raises(UnavailableError, match="broke off"):
        download(url, tmp_path, resolve=to_loopback)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(sources, "download", partial(download, resolve=to_loopback))
    with pytest.raises(UnavailableError), locate_source(url):
        pass
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_refusal_names_the_address(origin: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=f"There is no {origin}/absent.zip"):
        download(f"{origin}/absent.zip", tmp_path, resolve=to_loopback)


@pytest.mark.parametrize("path", ["/", "/..", "/a b.zip"])
def test_a_url_without_a_file_name_is_refused(origin: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="file name"):
        download(origin + path, tmp_path, resolve=to_loopback)


def test_the_platforms_own_machine_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="not public"):
        download("http://localhost:8000/hub/x.zip", tmp_path)


def test_what_is_not_an_archive_is_refused_and_removed(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}/scene.zip"
    with pytest.raises(InvalidInputError, match="no zip archive"), locate_source(url):
        pass
    assert not list(tmp_path.iterdir())
