"""Waiting for a run outlasts a restart of the api."""

import json

import httpx
import pytest
from click.testing import CliRunner
from tests.production_models import make_run

from skerry.cli import runs
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core import patience
from skerry.core.errors import UnavailableError

ENDED = make_run(status="succeeded").model_dump(mode="json")


def make_session(answers: list[httpx.Response]) -> Session:
    """Return a session that is given the answers in turn, the last one for ever."""
    login = Login(url="http://127.0.0.1:9", token="t", user="ann")

    def answer(_request: httpx.Request) -> httpx.Response:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return Session(login, transport=httpx.MockTransport(answer))


def test_waiting_outlasts_a_restart_of_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE_S", 0.0)
    with make_session(
        [httpx.Response(503), httpx.Response(502), httpx.Response(200, json=ENDED)]
    ) as session:
        assert runs.wait_for_run(session, "r").status == "succeeded"


def test_waiting_ends_when_the_platform_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_PATIENCE_S", 0.0)
    with make_session([httpx.Response(503)]) as session, pytest.raises(UnavailableError):
        runs.wait_for_run(session, "r")


def test_cancelling_waits_for_the_end_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry right after it is not refused."""
    monkeypatch.setattr(runs, "_POLL_S", 0.0)
    states = [
        make_run(id="r", status=status).model_dump(mode="json")
        for status in ("running", "running", "cancelled")
    ]
    with make_session([httpx.Response(200, json=state) for state in states]) as session:
        monkeypatch.setattr(runs, "connect", lambda: session)
        done = CliRunner().invoke(runs.run, ["cancel", "r", "--json"])
    assert json.loads(done.output)["status"] == "cancelled"
