"""`skerry disk`, and what `skerry status` says of the disk."""

import json
from pathlib import Path

import pytest

from skerry.cli.main import run
from skerry.core.disk import FLOOR_VARIABLE
from skerry.storage.layout import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    (folder.logs / "api.log.1").write_bytes(b"x" * 50_000)
    return folder


def test_show(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["disk", "show", "--data", str(data.root), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["removable"] >= 50_000
    assert printed["families"]["logs"] >= 50_000
    assert printed["total"] > printed["free"] > 0


def test_show_says_what_prune_would_free(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["disk", "show", "--data", str(data.root)]) == 0
    assert "'skerry prune --yes' would free 5" in capsys.readouterr().out
    (data.logs / "api.log.1").unlink()
    assert run(["disk", "show", "--data", str(data.root)]) == 0
    assert "'skerry prune' would free nothing." in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["disk", "show", "--data", str(tmp_path / "gone")]) == 2
    assert "gone" in capsys.readouterr().err


def test_status_says_that_the_disk_is_low(
    data: DataFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FLOOR_VARIABLE, "100000000")
    assert run(["status", "--data", str(data.root), "--json"]) == 1
    disk = json.loads(capsys.readouterr().out)["disk"]
    assert disk["low"]
    assert not disk["full"]
    assert run(["status", "--data", str(data.root)]) == 1
    output = capsys.readouterr().out
    assert f"The disk of {data.root} is nearly full" in output
    assert "skerry prune" in output
