"""A handler of HTTP requests, served on a free port while a block lasts."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


@contextmanager
def serve_handler(handler: Any, certificate: Path | None = None) -> Iterator[int]:
    """Serve a handler on this machine; give its port.

    Parameters
    ----------
    handler
        A class, or what makes an instance of it, as `http.server` takes it.
    certificate
        A file without its ending: with ``.crt`` and ``.key`` beside it, for HTTPS.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
