"""A proxy before an object store that loses, delays, cuts and refuses requests by plan."""

import http.client
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Lock, Thread
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


class Fault(StrEnum):
    """What happens to a request instead of being passed on."""

    DROP = "drop"
    """The connection is closed before the store hears of it."""
    LOSE = "lose"
    """The store carries it out; its answer is lost."""
    CUT = "cut"
    """Half of the answer's body arrives, then the connection is closed."""
    CUT_REQUEST = "cut request"
    """Half of the request's body arrives at the store, then the connection is closed."""
    DELAY = "delay"
    """It is passed on a while later."""
    ERROR = "500"
    SLOW_DOWN = "503"


@dataclass(frozen=True)
class Request:
    """A request on its way."""

    method: str
    path: str


Plan = Callable[[Request], Fault | None]


def no_faults(_request: Request) -> Fault | None:
    """Pass everything on."""
    return None


def first(count: int, fault: Fault, method: str = "", path: str = "") -> Plan:
    """Return a plan for the first `count` requests of a method whose path has a pattern."""
    left, lock = [count], Lock()

    def choose(request: Request) -> Fault | None:
        if (method and request.method != method) or not re.search(path, request.path):
            return None
        with lock:
            left[0] -= 1
            return fault if left[0] >= 0 else None

    return choose


def at_random(share: float, seed: int) -> Plan:
    """Return a plan by which each request has a fault of any kind with this probability."""
    chance, lock = random.Random(seed), Lock()

    def choose(_request: Request) -> Fault | None:
        with lock:
            return chance.choice(list(Fault)) if chance.random() < share else None

    return choose


def without_tokens(plan: Plan = no_faults) -> Plan:
    """Return the plan of a store that has no token service, and else does as `plan` says."""
    refusal = first(10**6, Fault.ERROR, "POST", "^/$")
    return lambda request: refusal(request) or plan(request)


@dataclass
class FaultProxy:
    """A running proxy.

    Attributes
    ----------
    endpoint
        Its address.
    store
        The address of the store behind it.
    plan
        What happens to which request.
    done
        Faults in the order in which they happened.
    hear
        Told of each request and of the store's answer to it.
    """

    endpoint: str
    store: str
    plan: Plan = no_faults
    delay_s: float = 0.3
    done: list[tuple[Fault, Request]] = field(default_factory=list)
    hear: Callable[[Request, bytes], None] = lambda *_: None


@contextmanager
def serve_faults(store: str, tls: SSLContext | None = None) -> Iterator[FaultProxy]:
    """Start a proxy before the store at an address, without faults at first; encrypted with TLS."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        Handler.proxy = FaultProxy(address, store)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield Handler.proxy
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    proxy: FaultProxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path)
        fault = self.proxy.plan(request)
        if fault is not None:
            self.proxy.done.append((fault, request))
        if fault is Fault.DROP:
            self._hang_up()
        elif fault in (Fault.ERROR, Fault.SLOW_DOWN):
            self._answer(int(fault), [("Content-Type", "application/xml")], _SLOW_DOWN)
        elif fault is Fault.CUT_REQUEST:
            self._send_half(body)
            self._hang_up()
        else:
            if fault is Fault.DELAY:
                time.sleep(self.proxy.delay_s)
            self._relay(body, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815 - the server's names

    def _connect(self) -> http.client.HTTPConnection:
        place = urlsplit(self.proxy.store)
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)

    def _relay(self, body: bytes, fault: Fault | None) -> None:
        store = self._connect()
        try:
            store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                store.putheader(name, value)
            store.endheaders(body or None)
            answer = store.getresponse()
            content = answer.read()
        except OSError:
            self._hang_up()
            return
        finally:
            store.close()
        self.proxy.hear(Request(self.command, self.path), content)
        if fault is Fault.LOSE:
            self._hang_up()
            return
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP]
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._answer(answer.status, headers, content, length, cut=fault is Fault.CUT)

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        length: str | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut and body:
            self._hang_up()

    def _send_half(self, body: bytes) -> None:
        """Send the head and half of the body to the store, then close."""
        store = self._connect()
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            store.putheader(name, value)
        store.endheaders(body[: len(body) // 2] or None)
        store.close()

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""
