"""`skerry backup` and `skerry restore`: what they print and refuse."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fresh_database import fill_database

from skerry.cli.main import run
from skerry.storage.layout import DataFolder


def test_an_empty_platform_goes_there_and_back(tmp_path: Path) -> None:
    from skerry.cli.backup import backup, restore

    folder = DataFolder(tmp_path / "data")
    folder.create()
    fill_database(folder)
    runner, folder_name = CliRunner(), str(tmp_path / "kept")
    none = runner.invoke(backup, [folder_name, "--list"])
    assert (none.exit_code, none.output) == (0, f"{folder_name} holds no backup.\n")
    result = runner.invoke(backup, [folder_name, "--data", str(folder.root), "--json"])
    name = json.loads(result.stdout)["name"]
    assert runner.invoke(backup, [folder_name, "--list"]).output == f"{name}\n"
    done = runner.invoke(restore, [folder_name, "--data", str(tmp_path / "again")])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Restored backup {name} into {tmp_path / 'again'}")


def test_a_folder_without_a_platform_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", str(tmp_path / "kept"), "--data", str(tmp_path)]) == 2
    assert f"{tmp_path} is not a data folder of Skerry." in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("fault", ["no backup", "no such backup", "no manifest", "a newer schema"])
def test_what_cannot_be_restored_is_refused_before_a_folder_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    fill_database(folder)
    kept = tmp_path / "kept"
    if fault != "no backup":
        assert run(["backup", str(kept), "--data", str(folder.root)]) == 0
    else:
        kept.mkdir()
    for manifest in kept.glob("backups/*/manifest.json"):
        if fault == "no manifest":
            manifest.unlink()
        elif fault == "a newer schema":
            content = json.loads(manifest.read_text())
            manifest.write_text(json.dumps(content | {"schema_revision": "9999"}))
    named = ["--backup", "2020"] if fault == "no such backup" else []
    again = tmp_path / "again"
    assert run(["restore", str(kept), "--data", str(again), *named]) in (1, 2)
    assert "Traceback" not in (said := capsys.readouterr().err)
    assert said
    assert not again.exists()
