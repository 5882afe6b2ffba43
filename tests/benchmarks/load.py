"""A load client in a process of its own: keep-alive connections, bounded in count and time.

Reads ``{"urls", "headers", "clients", "requests", "limit_s"}`` from standard input and writes
``{"latencies_ms", "seconds", "bytes"}`` to standard output. Each client asks for the next address
as soon as it has an answer; an answer other than 200 ends everything.
"""

import json
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit


class Clients:
    """Clients that share a list of addresses and take the next one in turn."""

    def __init__(self, order: dict[str, Any]) -> None:
        parts = [urlsplit(url) for url in order["urls"]]
        self.host = parts[0].netloc
        self.paths = [f"{part.path}?{part.query}" if part.query else part.path for part in parts]
        self.headers, self.limit = order["headers"], order["requests"]
        self.clients = order["clients"]
        self.turns, self.latencies_ms, self.sizes = count(), [], []
        self.errors: list[Exception] = []
        self.ends = time.perf_counter() + order["limit_s"]

    def run(self) -> None:
        """Run all clients to the end."""
        threads = [threading.Thread(target=self.ask) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask(self) -> None:
        """Be one client."""
        connection = HTTPConnection(self.host, timeout=120)
        try:
            while (turn := next(self.turns)) < self.limit and time.perf_counter() < self.ends:
                self.ask_once(connection, self.paths[turn % len(self.paths)])
        except Exception as error:  # noqa: BLE001  (reported by main, whatever it is)
            self.errors.append(error)

    def ask_once(self, connection: HTTPConnection, path: str) -> None:
        """Ask for one tile and read the answer."""
        began = time.perf_counter()
        connection.request("GET", path, headers=self.headers)
        answer = connection.getresponse()
        body = answer.read()
        self.latencies_ms.append((time.perf_counter() - began) * 1000)
        self.sizes.append(len(body))
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{path}: {answer.status} {body[:500]!r}")


def main() -> None:
    clients = Clients(json.load(sys.stdin))
    began = time.perf_counter()
    clients.run()
    seconds = time.perf_counter() - began
    if clients.errors:
        raise SystemExit(str(clients.errors[0]))
    answer = {
        "latencies_ms": clients.latencies_ms, "seconds": seconds, "bytes": sum(clients.sizes)
    }  # fmt: skip
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
