"""The logs of pods that only pretend, answered as kubelets do, by a process of its own."""

import multiprocessing
import ssl
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

_LINE = b"a line of a notebook that is at work, and tells what it does\n"
_LIMIT_S = 60


class PretendedLogs:
    """The logs of all pods of some nodes: each has a line for each second since it was first read.

    Attributes
    ----------
    port
        Where they are answered.
    """

    def __init__(self, port: int, process: Connection) -> None:
        self.port = port
        self._process = process

    def read_gaps(self) -> list[float]:
        """Return for each log the longest time, in seconds, for which nobody has read it."""
        self._process.send(None)
        assert self._process.poll(_LIMIT_S)
        gaps: list[float] = self._process.recv()
        return gaps


@contextmanager
def serve_logs(folder: Path) -> Iterator[PretendedLogs]:
    """Answer while the block lasts, with the certificate of a server's folder."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(folder, there), daemon=True)
    process.start()
    try:
        assert here.poll(_LIMIT_S)
        yield PretendedLogs(here.recv(), here)
    finally:
        process.kill()
        process.join()


def _serve(folder: Path, asking: Connection) -> None:
    moments: defaultdict[str, list[float]] = defaultdict(list)

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen = moments[self.path.split("/")[3]]
            seen.append(time.monotonic())
            content = _LINE * (1 + int(seen[-1] - seen[0]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as kubelet:
        kubelet.daemon_threads = True
        kubelet.socket = context.wrap_socket(kubelet.socket, server_side=True)
        Thread(target=kubelet.serve_forever, daemon=True).start()
        asking.send(kubelet.server_port)
        while True:
            asking.recv()
            asking.send([
                max((after - before for before, after in pairwise(seen)), default=0.0)
                for seen in list(moments.values())
            ])  # fmt: skip
