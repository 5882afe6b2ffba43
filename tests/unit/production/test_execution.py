"""Attempts from the worker's side: nothing runs on unwatched, nothing of a later one is freed."""

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine
from tests.unit.production.conftest import make_notebook

from skerry.core.disk import FLOOR_VARIABLE
from skerry.core.errors import UnavailableError
from skerry.models.jobs import JobOrder
from skerry.models.releases import Proposal
from skerry.production.epochs import claim_run
from skerry.production.execution import Attempts, remove_unpublished
from skerry.production.executors import local
from skerry.production.executors.local import LocalExecutor
from skerry.production.jobs import create_job
from skerry.production.proposals import propose_release
from skerry.production.releases import approve_release
from skerry.production.runs import cancel_run, start_run
from skerry.production.tokens import RunToken, TokenMinter
from skerry.storage.layout import DataFolder
from skerry.storage.objects import ObjectFolder
from skerry.storage.run_folder import RunFile, RunFolder


class Minter(TokenMinter):
    """Hands out tokens that no hub knows."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9/hub/api", "")

    def mint(self, *, note: str, life_s: int) -> RunToken:
        return RunToken("a1", f"{note} {life_s}")


def find_attempts() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "skerry.production.attempt" in child.cmdline()]


def test_a_watch_that_fails_ends_the_run_process(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = propose_release(
        engine, data, Proposal(name="water", notebook=make_notebook()), by="ada"
    )
    with engine.begin() as connection:
        approve_release(connection, released.id, by="ada", own=True)
        create_job(connection, JobOrder(name="lakes", release="water"), by="ada")
        run, _ = start_run(connection, "lakes", occurrence="manual/k", parameters={}, by="ada")
        epoch = claim_run(connection, run.id, 0)
    assert epoch == 1
    watched = []

    def fail() -> bool:
        watched.extend(find_attempts())
        raise OSError("no more memory")

    def find(_data: DataFolder, _environment: object, say: Callable[[str], None]) -> Path:
        say("Building it.")
        return Path(sys.executable)

    monkeypatch.setattr(local, "find_python", find)
    attempts = Attempts(engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=fail)
    with pytest.raises(OSError, match="no more memory"):
        attempts.carry_out(run.id, epoch)
    assert len(watched) == 1
    folder = RunFolder(ObjectFolder(data.objects), run.id, 1)
    assert "Z Building it.\n" in folder.locate(RunFile.LOG).read_text()
    assert not watched[0].is_running()
    assert find_attempts() == []


def test_only_what_is_over_is_freed(data: DataFolder) -> None:
    folders = [RunFolder(ObjectFolder(data.objects), "r", epoch) for epoch in (1, 2, 3)]
    for folder in folders:
        folder.create()
        folder.locate_product("x").mkdir()
        folder.write(RunFile.LOG, "line")
    remove_unpublished(folders[0].objects, "r", 1, up_to=2)
    assert [folder.locate_product("x").exists() for folder in folders] == [True, False, True]
    assert folders[1].list_files() == [RunFile.LOG]


def test_an_attempt_waits_for_room_on_the_disk(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = propose_release(
        engine, data, Proposal(name="water", notebook=make_notebook()), by="ada"
    )
    with engine.begin() as connection:
        approve_release(connection, released.id, by="ada", own=True)
        create_job(connection, JobOrder(name="lakes", release="water"), by="ada")
        run, _ = start_run(connection, "lakes", occurrence="manual/k", parameters={}, by="ada")
        claim_run(connection, run.id, 0)
    monkeypatch.setenv(FLOOR_VARIABLE, "100000000")
    attempts = Attempts(
        engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=lambda: False
    )
    with pytest.raises(UnavailableError, match=r"A run needs 100000.0 GB of free disk"):
        attempts.carry_out(run.id, 1)  # the workflow tries again until there is room
    assert find_attempts() == []
    with engine.begin() as connection:
        cancel_run(connection, run.id)
    assert attempts.carry_out(run.id, 1).status == "cancelled"
