"""The status page: states in words, since when, and nothing of the inside."""

import asyncio
import http.server
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.platform_process import wait_until
from tests.served_api import bind_free_port, open_client, serve_in_thread
from tests.served_handler import serve_handler

from skerry.core.errors import InvalidInputError
from skerry.core.parts import PARTS_VARIABLE, read_parts
from skerry.core.settings import STATUS_PREFIX, ServiceSettings
from skerry.core.time import format_time, utc_now
from skerry.models.status import PartState
from skerry.services.identity import AudienceKind
from skerry.services.routes import list_routes
from skerry.services.status import board as board_module
from skerry.services.status.board import StatusBoard
from skerry.services.status.program import create_status

SECRET = "10.1.2.3"


class Part(http.server.BaseHTTPRequestHandler):
    """A part that answers as a test wants."""

    status: ClassVar[int] = 200
    body: ClassVar[dict[str, Any]] = {"ready": True, "missing": {}}
    pause_s: ClassVar[float] = 0.0

    def do_GET(self) -> None:
        time.sleep(self.pause_s)
        content = json.dumps(self.body).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_part(**facts: Any) -> Iterator[tuple[type[Part], str]]:
    handler = type("Part", (Part,), facts)
    with serve_handler(handler) as port:
        yield handler, f"http://127.0.0.1:{port}/services/api/ready"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat("2026-05-01T10:00:00+00:00")

    def __call__(self) -> datetime:
        return self.now


def look(board: StatusBoard) -> dict[str, Any]:
    asyncio.run(board.look())
    return {part.name: part for part in board.report().parts}


def test_since_when_a_part_is_away_stands_until_it_is_back() -> None:
    clock = Clock()
    with serve_part() as (_, url):
        board = StatusBoard({"api": url}, clock=clock)
        first = look(board)["api"]
        assert (first.state, first.since, first.detail) == (PartState.WORKS, clock.now, "")
    began = clock.now = clock.now + timedelta(minutes=5)
    away = look(board)["api"]
    assert (away.state, away.since) == (PartState.AWAY, began)
    assert board.report().summary == "1 of 1 parts is away: Catalogue, files and jobs."
    clock.now += timedelta(minutes=5)
    assert look(board)["api"].since == began
    assert board.report().seen == clock.now


def test_a_reason_is_told_in_words_of_its_own() -> None:
    missing = {"database": f"The server at {SECRET} does not answer."}
    limited = {"hub": f"http://{SECRET}:8081 does not answer."}
    with (
        serve_part(status=503, body={"ready": False, "missing": missing}) as (_, api),
        serve_part(body={"ready": True, "missing": {}, "limited": limited}) as (_, maps),
        serve_part(status=503, body={"missing": {"attempts": SECRET, "odd": SECRET}}) as (
            _,
            worker,
        ),
        serve_part(status=502, body={}) as (_, gateway),
    ):
        parts = {"api": api, "maps": maps, "worker": worker, "gateway": gateway}
        board = StatusBoard(parts)
        seen = look(board)
    assert seen["api"].detail == "Its database cannot be used."
    assert seen["maps"].state is PartState.IN_PART
    assert seen["maps"].detail == "Nobody can log in; what is public is shown."
    assert seen["worker"].detail == "It cannot start runs."
    assert seen["gateway"].detail == "It answers with a fault."
    assert SECRET not in board.report().model_dump_json()


def test_a_part_that_takes_long_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "SLOW_S", 0.05)
    with serve_part(pause_s=0.2) as (_, url):
        board = StatusBoard({"maps": url})
        assert look(board)["maps"].state is PartState.SLOW
    assert "not all of it works" in board.report().summary


def test_notices_stay_while_the_api_is_away_until_they_are_over() -> None:
    clock = Clock()
    ends = clock.now + timedelta(hours=1)
    planned = {"begins": format_time(clock.now), "ends": format_time(ends), "text": "New version."}
    last = {"ended": format_time(clock.now), "seconds": 12.0}
    with serve_part(body={"maintenance": planned, "end_to_end": last}) as (_, url):
        board = StatusBoard({}, url, clock)
        asyncio.run(board.look())
    asyncio.run(board.look())  # now the api is away
    notices = board.report().notices
    assert notices.maintenance is not None
    assert notices.maintenance.text == "New version."
    clock.now = ends
    assert board.report().notices.maintenance is None
    assert board.report().notices.end_to_end is not None


def test_the_page_is_for_everybody_and_names_no_place_inside(tmp_path: Path) -> None:
    text = "<b>New</b> version"
    now = utc_now()
    planned = {
        "begins": format_time(now), "ends": format_time(now + timedelta(hours=1)), "text": text,
    }  # fmt: skip
    listening, url = bind_free_port()
    settings = ServiceSettings(data=tmp_path, public_url=url, port=1)
    with (
        serve_part(body={"maintenance": planned}) as (_, notices),
        serve_part(body={"ready": True, "missing": {}}) as (_, api),
    ):
        parts = {"api": api, "hub": "http://127.0.0.1:9/hub/health"}
        board = StatusBoard(parts, notices)
        with (
            serve_in_thread(create_status(settings, board), listening),
            open_client(f"{url}{STATUS_PREFIX}") as client,
        ):
            page = client.get("/")
            facts = client.get("/status.json")
            assets = [
                client.get(f"/assets/{name}") for name in ("frame.css", "status.css", "icon.svg")
            ]
            refused = [client.get("/assets/program.py"), client.get("/nothing"), client.post("/")]
            stranger = client.get("/", headers={"Host": "elsewhere.example"})
            assert client.get("/health").json() == {"ready": True}
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert "Maintenance is under way" in page.text
    assert "&lt;b&gt;New&lt;/b&gt; version" in page.text
    assert '<th scope="row">Login and notebook servers</th>' in page.text
    assert "1 of 2 parts is away" in page.text
    assert facts.json()["parts"][1]["state"] == "away"
    for answer in (page, facts):
        assert "127.0.0.1" not in answer.text.replace(url, "")
    assert [asset.status_code for asset in assets] == [200] * 3
    assert [answer.status_code for answer in refused] == [404, 404, 405]
    assert stranger.status_code == 400


def test_every_route_of_it_is_for_everybody(tmp_path: Path) -> None:
    settings = ServiceSettings(data=tmp_path, public_url="http://127.0.0.1:1", port=1)
    routes = list_routes(create_status(settings, StatusBoard({})))
    audiences = {route.path: route.audience for route in routes}
    assert len(audiences) == 4
    for path, audience in audiences.items():
        assert audience is not None, path
        assert audience.kind is AudienceKind.ANYONE, path


def test_it_looks_again_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skerry.services.status import program

    monkeypatch.setattr(program, "_LOOK_S", 0.02)
    listening, url = bind_free_port()
    settings = ServiceSettings(data=tmp_path, public_url=url, port=1)
    with serve_part() as (part, address):
        board = StatusBoard({"api": address})
        with (
            serve_in_thread(create_status(settings, board), listening),
            open_client(f"{url}{STATUS_PREFIX}") as client,
        ):
            part.status = 503
            wait_until(
                lambda: client.get("/status.json").json()["parts"][0]["state"] == "away",
                30, "it has seen it", every_s=0.02,
            )  # fmt: skip


@pytest.mark.parametrize("text", ["[]", "{", '{"api": 1}', '{"api": "file:///etc/passwd"}'])
def test_addresses_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=PARTS_VARIABLE):
        read_parts({PARTS_VARIABLE: text})
