"""Logs by the command line: of runs for those who may see runs, of parts for the administrator."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.served_api import ServedApi
from tests.unit.production.conftest import make_notebook

from skerry.cli.main import run
from skerry.core.scopes import OPERATOR

TEXT = "größer\n"


@pytest.fixture
def api(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> ServedApi:
    api.book.tokens["operator-token"] = ("olga", OPERATOR)
    monkeypatch.setenv("SKERRY_URL", api.url)
    return api


def log_in(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("SKERRY_TOKEN", token)


@pytest.fixture
def ended(api: ServedApi) -> str:
    """Return a run that was cancelled, with a log all the same."""
    with api.client("alice-token") as alice:
        body = {"name": "water", "notebook": make_notebook()}
        proposed = alice.post("production/releases", json=body).json()
        release = proposed["id"]
        seen = {name: proposed[name] for name in ("notebook_digest", "environment_digest")}
        alice.post(f"production/releases/{release}/approve", json={"self": True, **seen})
        alice.post("production/jobs", json={"name": "lakes", "release": release})
        answer = str(alice.post("production/jobs/lakes/runs", json={}).json()["id"])
        alice.post(f"production/runs/{answer}/cancel")
    folder = api.data.objects / "runs" / answer / "0"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(TEXT, encoding="utf-8")
    return answer


@pytest.mark.slow
def test_an_operator_sees_a_run_s_log_but_no_part_s(
    ended: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    log_in(monkeypatch, "operator-token")
    assert run(["logs", ended, "-f"]) == 0
    assert capfd.readouterr().out == TEXT
    assert run(["logs", "api"]) == 2
    assert "no run and no part 'api'" in capfd.readouterr().err


def test_the_administrator_sees_both(
    api: ServedApi,
    ended: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    log_in(monkeypatch, "alice-token")
    (api.data.logs / "worker.log").write_text("said\n")
    assert run(["logs", "worker"]) == 0
    assert capfd.readouterr().out == "said\n"
    assert run(["logs", "worker", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"part": "worker", "text": "said\n"}
    assert run(["logs", "worker", "--attempt", "2"]) == 2
    assert "'worker' is a part" in capfd.readouterr().err
    assert run(["logs", ended, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"run": ended, "epoch": 0, "text": TEXT}


@pytest.mark.slow
def test_a_parts_log_can_be_read_when_the_platform_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "hub.log").write_text("the hub says why\n")
    login = {"url": "http://127.0.0.1:9", "user": "ann", "token": "none"}
    (tmp_path / "owner.json").write_text(json.dumps(login))
    monkeypatch.setenv("SKERRY_DATA", str(tmp_path))
    for other in ("SKERRY_URL", "SKERRY_TOKEN"):
        monkeypatch.delenv(other, raising=False)

    def show(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "skerry.cli", "logs", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert show("hub").stdout == "the hub says why\n"
    followed = show("hub", "--json", "-f")
    assert json.loads(followed.stdout) == {"part": "hub", "text": "the hub says why\n"}
    assert "what comes later is not shown" in followed.stderr
    unknown = show("cafe")
    assert unknown.returncode == 1
    assert "no log of 'cafe'" in unknown.stderr
