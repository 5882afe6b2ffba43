"""What is decided before a body is read: host, who asks, parameters, size, whole characters."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from starlette.types import Message
from tests.platform_process import wait_until
from tests.served_api import ServedApi, make_hub_access

from skerry.catalog import spacetime
from skerry.core.hosts import allowed_hosts, check_host
from skerry.core.settings import API_PREFIX, LARGEST_BODY, ServiceSettings
from skerry.services import guarded_route
from skerry.services.application import open_server
from skerry.services.guarded_route import GuardedRoute
from skerry.services.maps import create_maps

MIB = 1 << 20
GUARDED = [
    ("PUT", "stac/collections/lakes"),
    ("POST", "stac/collections/lakes/items"),
    ("POST", "production/releases"),
    ("POST", "production/jobs"),
]


class Sender:
    """Sends a request with a body straight to an application and counts what it reads."""

    def __init__(self, api: ServedApi, method: str, path: str, **headers: str) -> None:
        self.read = 0
        self.answer: dict[str, Any] = {}
        names = {"host": "127.0.0.1", "content-type": "application/json", **headers}
        self._api = api
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": f"{API_PREFIX}/{path}", "raw_path": f"{API_PREFIX}/{path}".encode(),
            "query_string": b"", "root_path": "", "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in names.items()],
        }  # fmt: skip

    def send(self, chunks: list[bytes]) -> int:
        """Return the status of the answer to a body in these pieces."""
        asyncio.run(self._api.app(self._scope, self._give(iter(chunks)), self._take))
        return int(self.answer["status"])

    def leave(self, begun: bytes) -> int:
        """Return the status of the answer that nobody waits for, after the beginning of a body."""
        messages = iter([
            {"type": "http.request", "body": begun, "more_body": True}, {"type": "http.disconnect"}
        ])  # fmt: skip

        async def receive() -> Message:
            return next(messages)

        asyncio.run(self._api.app(self._scope, receive, self._take))
        return int(self.answer["status"])

    def _give(self, chunks: Iterator[bytes]) -> Any:
        async def receive() -> Message:
            chunk = next(chunks, None)
            self.read += len(chunk or b"")
            return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

        return receive

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.answer = dict(message)


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer nothing-token"])
def test_no_byte_is_read_of_whom_the_route_is_not_for(
    api: ServedApi, method: str, path: str, authorization: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    sender = Sender(api, method, path, **headers)
    status = sender.send([b'["' + b"x" * MIB] * 8)
    assert status == (403 if "nothing" in authorization else 401)
    assert sender.read == 0


@pytest.mark.parametrize(
    ("method", "path", "authorization"),
    [
        ("POST", "grants", ""),
        ("POST", "stac/search", ""),
        *((method, path, "Bearer alice-token") for method, path in GUARDED if "rel" not in path),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_bodies_are_bounded(
    api: ServedApi, method: str, path: str, authorization: str, announced: bool
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    if announced:
        headers["content-length"] = str(8 * MIB)
    sender = Sender(api, method, path, **headers)
    assert sender.send([b"x" * 65536] * 128) == 413
    assert sender.read <= (0 if announced else LARGEST_BODY + 65536)


@pytest.mark.parametrize("path", ["stac/search", "grants"])
def test_whoever_leaves_amid_a_body_is_not_a_failure_of_the_platform(
    api: ServedApi, path: str
) -> None:
    assert Sender(api, "POST", path).leave(b'{"limit"') == 400


def test_a_proposal_may_be_larger_than_other_bodies(api: ServedApi, alice: httpx.Client) -> None:
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [], "x": "y" * 2 * MIB}
    answer = alice.post("production/releases", json={"name": "large", "notebook": notebook})
    assert answer.status_code == 422  # read, and found not to be a notebook with parameters


def test_polygons_are_read_in_a_thread(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = set[int]()
    read = spacetime.shape

    def read_and_note(value: Any) -> Any:
        readers.add(threading.get_ident())
        return read(value)

    monkeypatch.setattr(spacetime, "shape", read_and_note)
    ring = [[10, 50], [11, 50], [11, 51], [10, 50]]
    area = {"type": "Polygon", "coordinates": [ring]}
    assert asyncio.run(_post(api, "stac/search", {"intersects": area})) == 200
    assert readers
    assert threading.get_ident() not in readers  # this thread ran the event loop


async def _post(api: ServedApi, path: str, body: Any) -> int:
    transport = httpx.ASGITransport(app=api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return (await client.post(f"{API_PREFIX}/{path}", json=body)).status_code


def test_every_route_is_guarded(api: ServedApi) -> None:
    maps = create_maps(api.app.state.settings, hub=make_hub_access("maps"))
    routes = [
        getattr(context, "original_route", context)
        for app in (api.app, maps)
        for context in iter_route_contexts(app.routes)
    ]
    assert len(routes) > 40
    assert [route.path for route in routes if not isinstance(route, GuardedRoute)] == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("LOCALHOST:8000", 200), ("localhost.", 200), ("[::1]:80", 200),
        ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("localhost@evil.example", 400),
        ("evil.example#127.0.0.1", 400), ("", 400), ("[::1", 400),
        ("127.0.0.1:80@evil.example", 400),
    ],
)  # fmt: skip
def test_only_the_platforms_own_names_are_answered(
    anonymous: httpx.Client, host: str, status: int
) -> None:
    answer = anonymous.get("health", headers={"Host": host})
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status != 200 and host:
        assert "SKERRY_ALLOWED_HOSTS" in answer.json()["remedy"]


def test_a_connection_that_rests_is_kept_longer_than_by_any_proxy(
    api: ServedApi, tmp_path: Path
) -> None:
    """Whoever closes first must be the side that asks: nginx rests 60 s, Traefik 90 s, ours any."""
    settings = ServiceSettings(data=tmp_path, public_url="http://127.0.0.1:8000", port=0)
    server, sockets = open_server(api.app, settings)
    for listening in sockets:
        listening.close()
    assert server.config.timeout_keep_alive >= 600


def test_further_names_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_HOSTS", "api.skerry.svc, EO.example.org:443")
    allowed = allowed_hosts("https://skerry.example.org")
    for host in ("skerry.example.org", "api.skerry.svc:80", "eo.example.org", "127.0.0.1:1"):
        check_host(host, allowed)


LONE = "\\ud800"


@pytest.mark.parametrize("where", ["property", "name", "deep"])
@pytest.mark.parametrize("encoding", ["escape", "utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("method", "path"), [*GUARDED, ("POST", "grants"), ("POST", "stac/search")]
)
def test_half_a_character_in_a_body_is_refused(
    alice: httpx.Client, method: str, path: str, encoding: str, where: str
) -> None:
    text = {
        "property": '{"id": "a%s"}', "name": '{"a%s": 1}', "deep": '{"x": [[{"y": "%s"}]]}'
    }[where] % LONE  # fmt: skip
    if encoding != "escape":
        text = text.replace(LONE, "\ud800")
    content = text.encode("ascii" if encoding == "escape" else encoding, "surrogatepass")
    headers = {"content-type": "application/json"}
    answer = alice.request(method, path, content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.json()["remedy"]


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/Json", "application/A+JSON"])
@pytest.mark.parametrize("value", ["NaN", "[" * 101 + "]" * 101, '{"b":' * 500 + "1" + "}" * 500])
def test_values_that_json_lacks_or_that_are_too_deep_are_refused_everywhere(
    alice: httpx.Client, value: str, kind: str
) -> None:
    for method, path in GUARDED:
        answer = alice.request(
            method, path, content=f'{{"a": {value}}}', headers={"content-type": kind}
        )
        assert answer.status_code == 422
        assert "JSON cannot" in answer.json()["detail"]


@pytest.mark.parametrize("area", ["[" * 20_000, '{"a":' * 5000 + "1" + "}" * 5000, "1", "{"])
def test_an_area_in_an_address_is_read_as_carefully_as_a_body(api: ServedApi, area: str) -> None:
    assert _ask_raw(api, b"stac/search?intersects=" + quote(area, safe="[]{}:").encode()) == 422


RAW = [b"%ED%A0%80", b"%ed%bf%bf", b"%FF%FE", b"%00", b"\xed\xa0\x80", b"%u d800", b"%C0%AE%C0%AE"]


@pytest.mark.parametrize("raw", RAW)
@pytest.mark.parametrize(
    "target",
    [
        b"stac/collections/X", b"stac/collections/lakes/items/X", b"files/imports/X",
        b"production/jobs/X", b"production/runs/X/files/X", b"platform/logs/X", b"X",
        b"stac/search?ids=X", b"stac/search?X=1", b"stac/search?token=X", b"stac/search?datetime=X",
        b"stac/search?intersects=X", b"production/runs?job=X", b"oauth_callback?state=X",
    ],
)  # fmt: skip
def test_half_a_character_in_an_address_never_fails(
    api: ServedApi, target: bytes, raw: bytes
) -> None:
    status = _ask_raw(api, target.replace(b"X", raw))
    assert 200 <= status < 500


def _ask_raw(api: ServedApi, target: bytes) -> int:
    host, port = api.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=30)) as connection:
        head = b"GET %s/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer alice-token\r\n" % (
            API_PREFIX.encode(), target, host.encode(),
        )  # fmt: skip
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(b" ", 2)[1])


def test_a_body_of_more_values_than_fit_into_memory_is_not_parsed(
    api: ServedApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a proposal, which may have 128 MB, small values would take gigabytes."""
    monkeypatch.setattr(guarded_route, "_MOST_VALUES", 1000)
    with api.client("alice-token") as alice:
        for value in ("1", "[]", "{}"):
            body = '{"notebook": [' + ", ".join([value] * 1001) + "]}"
            answer = alice.post(
                "production/releases", content=body, headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 422
            assert answer.json()["detail"] == "The body holds more than 1000 values."
        body = '{"notebook": "' + "x" * 100_000 + '"}'
        answer = alice.post(
            "production/releases", content=body, headers={"Content-Type": "application/json"}
        )
        assert "values" not in answer.json()["detail"]


def test_an_account_sends_few_large_bodies_at_a_time(
    api: ServedApi, alice: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is kept whole in memory: many at once would end the program."""
    monkeypatch.setattr(guarded_route, "_large", Counter())
    path, body = "production/releases", b'{"name": "' + b"x" * (2 * LARGEST_BODY) + b'"}'
    begun = (
        f"POST {API_PREFIX}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer alice-token"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body[:10]

    def send(client: httpx.Client, content: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        return client.post(path, content=content, headers=headers).status_code

    with ExitStack() as stack:
        for _ in range(guarded_route._MOST_LARGE):
            address = ("127.0.0.1", urlsplit(api.url).port)
            stack.enter_context(closing(socket.create_connection(address))).sendall(begun)
        wait_until(
            lambda: guarded_route._large["alice"] == guarded_route._MOST_LARGE, 30, "they are read"
        )
        assert send(alice, body) == 503
        assert send(alice, b'{"name": "small"}') == 422
        with api.client("bob-token") as bob:
            assert send(bob, body) == 422
    wait_until(lambda: not guarded_route._large, 30, "they have broken off")
    assert send(alice, body) == 422
