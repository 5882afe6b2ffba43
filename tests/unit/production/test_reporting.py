"""A run process's calls outlast a hub that has just been started again."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from skerry.core import patience
from skerry.core.errors import ConflictError, UnavailableError
from skerry.production.reporting import Reporter


class Answers(ThreadingHTTPServer):
    """Gives the answers in turn, the last one for ever: status, type, body."""

    answers: list[tuple[int, str, bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answers = self.server.answers
        status, kind, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:  # type: ignore[override]
        pass


@pytest.fixture
def server() -> Iterator[Answers]:
    with Answers(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def make_reporter(server: Answers) -> Reporter:
    return Reporter("r1", 1, f"http://127.0.0.1:{server.server_port}", "token")


HUB_PAGE = (404, "text/html", b"<html>404 : Not Found</html>")


def test_a_page_of_the_hub_is_not_a_refusal(
    server: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_PAUSE_S", 0.0)
    reporter = make_reporter(server)
    server.answers = [HUB_PAGE]
    with pytest.raises(UnavailableError, match="It is tried again"):
        reporter.report(done=1, total=2, cell=None)
    server.answers = [HUB_PAGE, HUB_PAGE, (200, "application/json", b'{"outputs": []}')]
    assert reporter.publish([], {}) == {"outputs": []}


def test_the_apis_own_answer_is_a_refusal(server: Answers) -> None:
    server.answers = [(404, "application/problem+json", b'{"detail": "There is no run."}')]
    with pytest.raises(ConflictError, match="There is no run"):
        make_reporter(server).report(done=1, total=2, cell=None)
