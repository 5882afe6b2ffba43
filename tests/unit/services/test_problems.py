"""Every error of the api and of maps is a problem document, whoever in the program answers it."""

import contextlib
import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from fastapi import HTTPException
from starlette.responses import PlainTextResponse, Response
from tests.served_api import (
    ServedApi,
    bind_free_port,
    make_hub_access,
    open_client,
    serve_in_thread,
)

from skerry.core.settings import MAPS_PREFIX, ServiceSettings
from skerry.services.guarded_route import create_router
from skerry.services.maps import create_maps

JSON = {"Content-Type": "application/json"}
LARGE = json.dumps({"a": "x" * (2 << 20)}).encode()
STATUSES = [status for status in HTTPStatus if status >= 400]


def check_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["remedy"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def maps(api: ServedApi) -> Iterator[httpx.Client]:
    listening, url = bind_free_port()
    settings = ServiceSettings(data=api.data.root, public_url=url, port=listening.getsockname()[1])
    app = create_maps(settings, hub=make_hub_access("maps"), verifier=api.book)
    with (
        serve_in_thread(app, listening),
        open_client(f"{url}{MAPS_PREFIX}/", "alice-token") as client,
    ):
        yield client


def ask_wrongly(client: httpx.Client, path: str) -> Iterator[tuple[httpx.Response, int]]:
    yield client.get("nothing/here"), 404
    yield client.get("/outside"), 404
    yield client.request("PUT", path), 405
    yield client.request("TRACE", path), 405
    yield client.get("health", headers={"Host": "evil.example"}), 400
    yield client.get("health?unknown=1"), 400
    yield client.get(f"{path}?unknown=1"), 400
    yield client.get(path, headers={"Authorization": "Bearer nobody"}), 401


def test_the_log_tells_which_change_was_refused_to_whom_but_not_its_values(
    reader: httpx.Client, alice: httpx.Client, anonymous: httpx.Client,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with caplog.at_level(logging.INFO, "skerry.services.problems"):
        job = {"name": "a secret"}
        assert reader.post("production/jobs", json=job).status_code == 403
        assert alice.post("production/jobs", json=job).status_code == 422
        assert anonymous.post("production/jobs", json=job).status_code == 401
        assert reader.get("platform/logs").status_code == 403
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "refused POST /production/jobs to reader: 403 Not allowed",
        "refused POST /production/jobs to alice: 422 Invalid input",
    ]
    assert "secret" not in caplog.text


def test_errors_of_the_api(alice: httpx.Client, anonymous: httpx.Client) -> None:
    for answer, status in ask_wrongly(alice, "production/runs"):
        check_problem(answer, status)
    for headers in (JSON, JSON | {"Accept": "text/html"}):
        check_problem(alice.post("grants", content=LARGE, headers=headers), 413)
        check_problem(alice.post("grants", content=iter([LARGE]), headers=headers), 413)
    check_problem(alice.post("stac/search", content=LARGE, headers=JSON), 413)
    for content in (b"{", b"\xff\xfe", b"[]", b"3", b"NaN"):
        answer = alice.post("grants", content=content, headers=JSON)
        check_problem(answer, answer.status_code)
        assert answer.status_code in {400, 422}
    check_problem(alice.get("files/nothing"), 404)
    check_problem(anonymous.get("audit"), 401)
    check_problem(anonymous.post("grants", content=LARGE, headers=JSON), 413)
    away = anonymous.get("audit", headers={"Accept": "text/html"})  # these tests have no hub
    check_problem(away, 503)
    assert away.headers["retry-after"] == "5"


def test_errors_of_maps(maps: httpx.Client) -> None:
    for answer, status in ask_wrongly(maps, "tiles/none/none/none/tilejson.json"):
        check_problem(answer, status)
    check_problem(maps.get("tiles/none/none/none/99/0/0.png"), 422)


def test_the_body_of_an_answer_to_head_is_absent(alice: httpx.Client) -> None:
    answer = alice.head("nothing/here")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.fixture
def failing(api: ServedApi) -> Iterator[httpx.Client]:
    """Return a client of an api with two more routes, which answer any status."""
    router = create_router(prefix="/failing")

    @router.get("/raised/{status}")
    def fail(status: int) -> None:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RuntimeError("a fault in Skerry")
        raise HTTPException(status)

    @router.get("/plain/{status}")
    def answer(status: int) -> Response:
        return PlainTextResponse("no problem document", status)

    listening, url = bind_free_port()
    settings = ServiceSettings(data=api.data.root, public_url=url, port=listening.getsockname()[1])
    from skerry.services.application import create_application

    app: Any = create_application(
        settings, [router], "Failing", prefix="/f", hub=make_hub_access(), verifier=api.book
    )
    with (
        contextlib.ExitStack() as stack,
        # the server ends a connection after a fault
        open_client(f"{url}/f/failing/", headers={"Connection": "close"}) as client,
    ):
        stack.enter_context(serve_in_thread(app, listening))
        yield client


@pytest.mark.parametrize("way", ["raised", "plain"])
def test_every_status_is_a_problem_document(failing: httpx.Client, way: str) -> None:
    for status in STATUSES:
        answer = failing.get(f"{way}/{int(status)}")
        check_problem(answer, status)
        assert "fault in Skerry" not in answer.text
        assert "no problem document" not in answer.text
