"""Every hop of a request passes the allow-list: real servers, plain and encrypted."""

import datetime as dt
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.products import open_product
from skerry.products.stores.raster_files import RasterFile
from skerry.products.stores.zarr_stores import open_store
from skerry.storage import web
from skerry.storage.remote import parse_address
from skerry.storage.web import ask, fetch_part

BODY = b"0123456789" * 100
HOPS = [301, 302, 303, 307, 308]


@dataclass
class Server:
    """A server that sends `BODY`, or leads elsewhere; it keeps what it was asked."""

    url: str
    leads: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(self.path)
            status, target = server.leads.get(self.path, (200, ""))
            body = b"" if target else BODY
            self.send_response(status)
            if target:
                self.send_header("Location", target)
            if status == 206:
                self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing about a connection that was refused while it was made."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    server = Server(f"{'https' if context else 'http'}://127.0.0.1:{httpd.server_port}")
    thread = Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with key and certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("data.example")]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("keys") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


@dataclass
class Servers:
    """Two plain and two encrypted servers; `name` puts origins on the allow-list."""

    by_kind: dict[str, Server]
    name: Callable[..., None]
    resolve: Callable[[str, int], list[str]]

    def get(self, url: str, method: str = "GET") -> bytes:
        with ask(url, method=method, resolve=self.resolve) as answer:
            answer.check_status()
            return b"".join(answer.read_pieces())


@pytest.fixture
def servers(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    web._open_checked.cache_clear()
    with ExitStack() as stack:
        running = {
            kind: stack.enter_context(serve(context if kind.startswith("https") else None))
            for kind in ("http", "http2", "https", "https2")
        }

        def name(*kinds: str) -> None:
            named = ",".join(running[kind].url for kind in kinds)
            monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", named)

        def resolve(host: str, _port: int) -> list[str]:
            return ["127.0.0.1" if host == "data.example" else host]

        yield Servers(running, name, resolve)
        for pool in {web._open_checked(resolve), web._open_checked(web.resolve_name)}:
            pool.close()
    web._open_checked.cache_clear()


@pytest.mark.parametrize("status", HOPS)
@pytest.mark.parametrize("first", ["http", "https"])
@pytest.mark.parametrize("second", ["http2", "https2"])
def test_a_redirect_leads_only_where_the_allow_list_lets_it(
    servers: Servers, first: str, second: str, status: int
) -> None:
    start, target = servers.by_kind[first], servers.by_kind[second]
    start.leads["/a"] = (status, f"{target.url}/b?signature=very-secret")
    servers.name(first, second)
    assert servers.get(f"{start.url}/a") == BODY
    assert target.asked == ["/b?signature=very-secret"]
    target.asked.clear()
    servers.name(first)
    for method in ("GET", "HEAD"):
        with pytest.raises(InvalidInputError, match=r"not (public|encrypted)") as refused:
            servers.get(f"{start.url}/a", method)
        assert "very-secret" not in str(refused.value)
        assert "SKERRY_ALLOWED_ORIGINS" in refused.value.remedy
    if second == "http2":  # an encrypted connection that exists was checked when it was made
        assert target.asked == []


@pytest.mark.parametrize("kind", ["http2", "https2"])
def test_what_is_not_named_gets_no_connection(servers: Servers, kind: str) -> None:
    servers.by_kind["https"].leads["/a"] = (302, f"{servers.by_kind[kind].url}/b")
    servers.name("https")
    with pytest.raises(InvalidInputError, match="not public"):
        servers.get(f"{servers.by_kind['https'].url}/a")
    assert servers.by_kind[kind].asked == []


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://93.184.215.14/b", "not encrypted"),
        ("http://169.254.169.254/latest/meta-data/", "not public"),
        ("https://10.0.0.1/b", "not public"),
        ("https://[::1]:8000/b", "not public"),
        ("file:///etc/passwd", "http or https"),
        ("//me:very-secret@127.0.0.1/b", "without a user name"),
    ],
)
def test_redirects_out_of_what_is_allowed_are_refused(
    servers: Servers, target: str, words: str
) -> None:
    servers.by_kind["https"].leads["/a"] = (302, target)
    servers.name("https", "http")
    with pytest.raises(InvalidInputError, match=words):
        servers.get(f"{servers.by_kind['https'].url}/a")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://files.example/a", "https:///a"])
def test_what_cannot_be_fetched_is_named_whole(address: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(address)):
        web._prepare(address, "GET", {}, lambda _host, _port: [])


def test_relative_redirects_are_followed_and_loops_end(servers: Servers) -> None:
    server = servers.by_kind["http"]
    servers.name("http")
    server.leads |= {"/d/a": (302, "b"), "/loop": (302, "/loop")}
    assert servers.get(f"{server.url}/d/a") == BODY
    assert server.asked[-1] == "/d/b"
    with pytest.raises(InvalidInputError, match="redirects more than 5 times"):
        servers.get(f"{server.url}/loop")


def test_every_reader_goes_through_the_same_door(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, target = servers.by_kind["http"], servers.by_kind["http2"]
    servers.name("http")
    names = ["a.zarr/zarr.json", "a.zarr/c/0", "a.nc", "a.tif", "a.zip"]
    start.leads |= {f"/{name}": (302, f"{target.url}/{name}") for name in names}
    zarr = open_store(parse_address(f"{start.url}/a.zarr"))
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    raster = RasterFile("a.tif", "a.tif", parse_address(f"{start.url}/a.tif"))
    readers: list[Callable[[], object]] = [
        lambda: open_product(f"{start.url}/a.nc"),
        lambda: open_product(f"{start.url}/a.zip"),
        lambda: sync(zarr.get("zarr.json", default_buffer_prototype())),
        lambda: sync(zarr.get("c/0", default_buffer_prototype())),
        lambda: sync(zarr.exists("c/0")),
        lambda: parse_address(f"{start.url}/a.nc").read_bytes(10**6),
        lambda: raster.open().__enter__(),
    ]
    for read in readers:
        with pytest.raises(InvalidInputError, match="not public"):
            read()
    assert target.asked == []


def test_the_checked_address_is_connected_to_and_the_next_if_it_is_silent(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = servers.by_kind["https"].url.rpartition(":")[2]
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", f"https://data.example:{port}")
    query: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        query.append(host)
        return ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first

    with ask(f"https://data.example:{port}/a", resolve=resolve) as answer:
        assert b"".join(answer.read_pieces()) == BODY
    assert set(query) == {"data.example"}
    web._open_checked(resolve).close()


def test_a_certificate_of_another_name_is_refused(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = servers.by_kind["https"].url.rpartition(":")[2]
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", f"https://other.example:{port}")

    def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    with (
        pytest.raises(UnavailableError, match="does not answer"),
        ask(f"https://other.example:{port}/a", resolve=resolve),
    ):
        pass
    web._open_checked(resolve).close()


def test_no_more_than_was_asked_for_is_taken_of_a_file(servers: Servers) -> None:
    """A server might send parts without end, and fill the memory of whoever reads."""
    server = servers.by_kind["http"]
    server.leads["/a"] = (206, "")
    servers.name("http")
    last = len(BODY) - 1
    for byte_range in (f"0-{last}", f"-{len(BODY)}", "0-"):
        assert fetch_part(f"{server.url}/a", byte_range) == (BODY, len(BODY))
    for byte_range in (f"0-{last - 1}", f"1-{last}", f"-{last}"):
        with pytest.raises(InvalidInputError, match=f"more than the bytes {byte_range} that"):
            fetch_part(f"{server.url}/a", byte_range)
