"""`skerry prune`: what it prints, and that nothing goes without ``--yes``."""

import json
from pathlib import Path

import pytest
from tests.fresh_database import fill_database

from skerry.cli.main import run
from skerry.storage.layout import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    fill_database(folder)
    (folder.logs / "api.log.1").write_bytes(b"x" * 50_000)
    return folder


def test_list_then_remove(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--data", str(data.root)]
    assert run(["prune", *folder]) == 0
    output = capsys.readouterr().out
    assert "older parts of logs  1" in output
    assert "Would free" in output
    assert "'skerry prune --yes' does it" in output
    assert (data.logs / "api.log.1").exists()
    assert run(["prune", *folder, "--yes"]) == 0
    assert "Freed" in capsys.readouterr().out
    assert not (data.logs / "api.log.1").exists()
    assert run(["prune", *folder, "--yes", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["done"]
    assert report["entries"] == report["unnamed"] == report["lost"] == []


def test_a_database_that_is_away_is_said_and_scratch_goes_all_the_same(
    data: DataFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_DATABASE_URL", "postgresql://ada@127.0.0.1:1/skerry")
    assert run(["prune", "--data", str(data.root), "--yes"]) == 0
    assert "The database could not be read" in capsys.readouterr().out
    assert not (data.logs / "api.log.1").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--data", "gone"], "gone"), (["--older-than", "-1"], "older-than")],
)
def test_bad_input_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prune", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_setting_that_cannot_be_read_is_named(
    data: DataFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_KEEP_RUN_DAYS", "month")
    assert run(["prune", "--data", str(data.root)]) == 2
    assert "SKERRY_KEEP_RUN_DAYS is 'month'" in capsys.readouterr().err
