import json
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path

import httpx
import pytest
from tests.production_models import make_run

from skerry.client.kept_logins import KeptLogin, forget, keep
from skerry.client.login import Login, find_login
from skerry.client.production import fetch_run, start_run
from skerry.client.session import Session, UnreadableAnswerError, connect
from skerry.core import patience
from skerry.core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnauthenticatedError,
    UnavailableError,
)
from skerry.models.runs import RunOrder


def session_answering(handler: Callable[[httpx.Request], httpx.Response]) -> Session:
    login = Login(url="http://127.0.0.1:1", token="secret-token")
    return Session(login, transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInputError),
        (401, UnauthenticatedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (413, InvalidInputError),
        (422, InvalidInputError),
        (500, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_a_problem_becomes_the_error_it_stands_for(status: int, kind: type[SkerryError]) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        problem = {"title": "No", "detail": "Item 'x' is so.", "remedy": "Do thus."}
        return httpx.Response(
            status, json=problem, headers={"content-type": "application/problem+json"}
        )

    with session_answering(answer) as session, pytest.raises(SkerryError) as caught:
        session.request("GET", "stac/collections")
    assert type(caught.value) is kind
    assert caught.value.what == "Item 'x' is so."
    assert caught.value.remedy == "Do thus."


@pytest.mark.parametrize("path", ["clusters/../production/jobs/x", "clusters/%2e%2E/x", "/a/./b"])
def test_a_name_that_leads_to_another_address_is_refused(path: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    with (
        session_answering(answer) as session,
        pytest.raises(InvalidInputError, match="another address"),
    ):
        session.request("DELETE", path)
    assert asked == []


def test_a_refusal_that_is_not_a_problem_document_still_says_where_and_what_to_do() -> None:
    with (
        session_answering(lambda _: httpx.Response(502, text="<html>")) as session,
        pytest.raises(UnavailableError) as caught,
    ):
        session.request("GET", "stac/search")
    assert "502" in caught.value.what
    assert "/services/api/stac/search" in caught.value.what
    assert caught.value.remedy


def test_a_platform_that_is_away_is_named_with_a_remedy() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with session_answering(refuse) as session, pytest.raises(UnavailableError) as caught:
        session.request("GET", "stac/")
    assert "http://127.0.0.1:1" in caught.value.what
    assert "skerry up" in caught.value.remedy


def test_a_session_in_a_run_waits_for_a_platform_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "_PAUSE_S", 0.0)
    tries: list[str] = []

    def come_back(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        if len(tries) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(
            503 if len(tries) < 4 else 200, json={"sent": request.content.decode()}
        )

    login = Login(url="http://127.0.0.1:1", token="secret-token")
    transport = httpx.MockTransport(come_back)
    with Session(login, patience_s=60, transport=transport) as session:
        assert session.request("POST", "grants", json={"a": 1}) == {"sent": '{"a":1}'}
        assert len(tries) == 4
        tries.clear()
        with pytest.raises(UnavailableError):
            session.request("DELETE", "grants/a")
        assert tries == ["DELETE"]


@pytest.mark.parametrize(("run", "expected"), [("", 0.0), ("r1", patience.RUN_S)])
def test_only_a_run_is_patient(run: str, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_RUN", run)
    monkeypatch.setenv("SKERRY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SKERRY_TOKEN", f"token-{run}")
    assert connect()._patience_s == expected


def test_requests_carry_the_token_and_leave_out_empty_parameters() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"ok": True})

    with session_answering(answer) as session:
        assert session.request("GET", "production/runs", params={"job": "a", "limit": None}) == {
            "ok": True
        }
        session.request("GET", "/services/maps/health")
    assert seen[0].headers["authorization"] == "Bearer secret-token"
    assert str(seen[0].url) == "http://127.0.0.1:1/services/api/production/runs?job=a"
    assert seen[1].url.path == "/services/maps/health"


def test_an_empty_answer_is_none_and_text_stays_text() -> None:
    answers = iter([httpx.Response(204), httpx.Response(200, text="line\n")])
    with session_answering(lambda _: next(answers)) as session:
        assert session.request("DELETE", "production/jobs/a") is None
        assert session.request("GET", "production/runs/1/log") == "line\n"


def test_answers_are_read_as_models_and_orders_sent_as_their_json() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=make_run().model_dump(mode="json") | {"newer": 1})

    with session_answering(answer) as session:
        run = start_run(session, "lakes", RunOrder(parameters={"n": 1}, data_day=date(2026, 5, 1)))
    assert run == make_run()
    assert seen[0].url.path == "/services/api/production/jobs/lakes/runs"
    assert json.loads(seen[0].content) == {
        "parameters": {"n": 1}, "idempotency_key": None, "partition": "", "data_day": "2026-05-01"
    }  # fmt: skip


@pytest.mark.parametrize("content", [b'{"id": 1}', b"<html>", b""])
def test_an_answer_of_another_model_names_the_version_as_remedy(content: bytes) -> None:
    with (
        session_answering(lambda _: httpx.Response(200, content=content)) as session,
        pytest.raises(UnreadableAnswerError, match="production/runs/r") as caught,
    ):
        fetch_run(session, "r")
    assert "version" in caught.value.remedy


def test_a_session_neither_shows_nor_ships_its_token() -> None:
    with session_answering(lambda _: httpx.Response(200)) as session:
        assert "secret" not in repr(session)
        assert "secret" not in repr(Login(url="http://a", token="secret"))
        with pytest.raises(TypeError, match="token"):
            pickle.dumps(session)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("SKERRY_URL", "SKERRY_TOKEN", "JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SKERRY_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def write_owner(folder: Path) -> None:
    record = {"url": "http://127.0.0.1:8000", "user": "ann", "token": "from-file"}
    (folder / "owner.json").write_text(json.dumps(record))


def test_the_environment_goes_before_the_data_folder(
    bare_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_owner(bare_environment)
    assert find_login().token == "from-file"
    monkeypatch.setenv("SKERRY_URL", "http://hub.example/")
    monkeypatch.setenv("SKERRY_TOKEN", "from-environment")
    assert find_login() == Login(url="http://hub.example", token="from-environment")


@pytest.mark.usefixtures("bare_environment")
def test_a_user_server_needs_no_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_URL", "http://hub.example")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-server")
    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    assert find_login() == Login(url="http://hub.example", token="of-the-server", user="ann")


def test_a_pod_asks_the_inner_address_and_shows_the_public_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SKERRY_URL", "https://skerry.example")
    monkeypatch.setenv("SKERRY_INTERNAL_URL", "http://inside.skerry.svc/")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-server")
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    with Session(find_login(), transport=httpx.MockTransport(answer)) as session:
        session.request("GET", "stac")
        assert session.url == "https://skerry.example"
    assert asked == ["http://inside.skerry.svc/services/api/stac"]


def test_a_token_of_another_platform_is_never_sent(
    bare_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_owner(bare_environment)
    monkeypatch.setenv("SKERRY_URL", "http://elsewhere.example")
    with pytest.raises(UnauthenticatedError, match="SKERRY_TOKEN"):
        find_login()


def test_a_kept_login_goes_before_the_data_folder_unless_that_is_named(
    bare_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(KeptLogin(url="https://eo.example", user="ann", token="kept"))
    write_owner(bare_environment)
    assert find_login().token == "from-file"
    monkeypatch.setenv("SKERRY_URL", "https://eo.example")
    assert find_login() == Login(url="https://eo.example", token="kept", user="ann")
    monkeypatch.delenv("SKERRY_URL")
    monkeypatch.delenv("SKERRY_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(bare_environment))
    assert find_login().token == "kept"
    forget("https://eo.example")
    with pytest.raises(UnauthenticatedError, match="skerry login"):
        find_login()


@pytest.mark.usefixtures("bare_environment")
def test_no_platform_at_all_says_what_to_do() -> None:
    with pytest.raises(UnauthenticatedError, match="skerry up"):
        find_login()


def test_a_broken_owner_file_is_named(bare_environment: Path) -> None:
    (bare_environment / "owner.json").write_text("[]")
    with pytest.raises(InvalidInputError, match=r"owner\.json"):
        find_login()
