"""Everything that an attempt keeps has one owner, and nobody else puts its keys together."""

import ast
import os
from pathlib import Path

import pytest

import skerry
from skerry.core.errors import ForbiddenError, InvalidInputError, NotFoundError
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.run_folder import (
    RunFile,
    RunFolder,
    find_attempt,
    list_run_folders,
    remove_run,
)

PACKAGE = Path(skerry.__file__).parent
OWNER = PACKAGE / "storage" / "run_folder.py"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    result = RunFolder(ObjectFolder(tmp_path), "r1", 2)
    result.create()
    return result


def find_place(folder: RunFolder) -> Path:
    """Return an attempt's folder on this machine."""
    place = folder.objects.locate(folder.prefix)
    assert isinstance(place, Path)
    return place


def test_all_keys_lie_below_run_and_epoch(folder: RunFolder) -> None:
    assert folder.prefix == "runs/r1/2/"
    assert folder.name_product("water") == "runs/r1/2/products/water/"
    assert find_attempt(folder.name_product("water")) == ("r1", 2)


@pytest.mark.parametrize("run", ["", "..", "a/../b", "a\x00"])
def test_no_run_leads_out_of_the_store(tmp_path: Path, run: str) -> None:
    with pytest.raises(InvalidInputError):
        RunFolder(ObjectFolder(tmp_path), run, 1).create()
    assert list(tmp_path.iterdir()) == []


def test_files_are_listed_read_and_written_whole(folder: RunFolder) -> None:
    assert folder.list_files() == {}
    assert folder.read_json(RunFile.INPUTS) is None
    folder.write(RunFile.LOG, "line\n")
    folder.write_json(RunFile.INPUTS, [{"a": 1}])
    assert list(folder.list_files()) == [RunFile.LOG, RunFile.INPUTS]
    assert folder.read_json(RunFile.INPUTS) == [{"a": 1}]
    with folder.open(RunFile.LOG) as file:
        assert file.stream.read() == b"line\n"
    assert folder.read(RunFile.LOG, slice(2, 4)) == b"ne"
    with pytest.raises(TypeError):
        folder.write_json(RunFile.INPUTS, [object()])
    assert folder.read_json(RunFile.INPUTS) == [{"a": 1}]


@pytest.mark.parametrize("way", ["link", "pipe", "folder"])
def test_what_is_not_a_plain_file_is_not_opened(folder: RunFolder, way: str) -> None:
    path = find_place(folder) / RunFile.LOG
    if way == "link":
        path.symlink_to("/etc/hostname")
    elif way == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises((ForbiddenError, NotFoundError)):
        folder.open(RunFile.LOG)
    assert folder.list_files() == {}


def test_an_output_is_there_when_its_record_is(folder: RunFolder) -> None:
    folder.objects.prepare(folder.name_product("water"))
    assert not folder.has_output("water")
    folder.record_output("water", {"output": "water"})
    folder.record_output("ice", {"output": "ice"})
    assert folder.has_output("water")
    assert folder.read_outputs() == [{"output": "ice"}, {"output": "water"}]


def test_products_go_and_the_log_stays(folder: RunFolder) -> None:
    folder.write(RunFile.LOG, "line\n")
    folder.record_output("water", {"output": "water"})
    folder.objects.prepare(folder.name_product("water"))
    folder.remove_products()
    assert folder.read_outputs() == []
    assert not folder.objects.exists(folder.name_product("water"))
    assert list(folder.list_files()) == [RunFile.LOG]


def test_only_folders_of_attempts_are_listed_and_removed(folder: RunFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (find_place(folder).parent / "3").symlink_to(outside)
    (find_place(folder).parent / "notes").mkdir()
    for run, epoch in (("r1", 10), ("r2", 1)):
        RunFolder(folder.objects, run, epoch).create()
    listed = [(result.run, result.epoch) for result in list_run_folders(folder.objects)]
    assert listed == [("r1", 10), ("r1", 2), ("r2", 1)]
    remove_run(folder.objects, "r1", {10})
    assert [path.name for path in find_place(folder).parent.iterdir()] == ["10"]
    remove_run(folder.objects, "r2")
    assert [result.run for result in list_run_folders(folder.objects)] == ["r1"]
    assert (outside / "kept").exists(), "a link is removed, not what it leads to"


OF_ANOTHER_MEANING = {"production/backups.py": ["manifest.json"]}
"""Names that are not those of an attempt's files: a backup has a manifest of its own."""


def find_keys(source: str) -> list[str]:
    """Return the texts of a module that begin a key of runs, or name a file of an attempt."""
    nodes = list(ast.walk(ast.parse(source)))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    joined = [ast.unparse(node.right) for node in nodes if isinstance(node, ast.BinOp)]
    return [
        *(text for text in texts if isinstance(text, str) and text.startswith("runs/")),
        *(text for text in texts if text in set(RunFile)),
        *(text for text in joined if text == "'runs'"),
    ]


def test_the_search_for_keys_finds_them() -> None:
    assert find_keys('f"runs/{run}/1/"; folder / "log.txt"; objects / "runs" / run') == [
        "runs/", "log.txt", "'runs'",
    ]  # fmt: skip


@pytest.mark.slow
def test_nobody_else_puts_keys_together() -> None:
    rooms = (
        "client",
        "production",
        "storage",
        "catalog",
        "pipelines",
        "cli",
        "services",
        "dashboards",
    )
    result = {
        str(path.relative_to(PACKAGE)): keys
        for room in rooms
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path != OWNER and (keys := find_keys(path.read_text()))
    }
    assert result == OF_ANOTHER_MEANING
