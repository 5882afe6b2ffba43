"""`skerry database upgrade` beside a database and an object store that are still starting."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.platform_process import clean_environment

from skerry.cli.main import run
from skerry.core.settings import OBJECTS_VARIABLE


def test_it_waits_for_what_is_not_there_yet(tmp_path: Path) -> None:
    store = tmp_path / "store"
    command = ["database", "upgrade", "--data", str(tmp_path / "data"), "--wait", "120"]
    with subprocess.Popen(
        [sys.executable, "-m", "skerry.cli", *command], text=True,
        env=clean_environment() | {OBJECTS_VARIABLE: str(store)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told.startswith("Waiting: ")
        assert str(store) in told
        store.mkdir()
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "The database has schema" in printed


@pytest.mark.parametrize("wait", ["0", "1"])
def test_it_ends_with_the_reason_when_its_time_is_over(
    wait: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(OBJECTS_VARIABLE, str(tmp_path / "store"))
    words = ["database", "upgrade", "--data", str(tmp_path / "data"), "--wait", wait]
    assert run(words) == 2
    assert str(tmp_path / "store") in capsys.readouterr().err
    assert not (tmp_path / "data").exists(), "nothing was written"
