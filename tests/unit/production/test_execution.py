"""Attempts from the worker's side: nothing runs on unwatched, nothing of a later one is freed."""

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine
from tests.platform_process import wait_until
from tests.unit.production.conftest import make_notebook

from skerry.core.disk import FLOOR_VARIABLE
from skerry.core.errors import UnavailableError
from skerry.core.ownership import PLATFORM_OWNER
from skerry.models.jobs import JobOrder
from skerry.models.releases import Proposal
from skerry.production.environments import describe_environment
from skerry.production.epochs import claim_run
from skerry.production.execution import Attempts, StoppingError, remove_unpublished
from skerry.production.executors import local
from skerry.production.executors.local import LocalExecutor
from skerry.production.executors.protocol import AttemptName, Limits, Order, Phase
from skerry.production.jobs import create_job
from skerry.production.proposals import propose_release
from skerry.production.releases import approve_release
from skerry.production.runs import cancel_run, start_run
from skerry.production.tokens import RunToken, TokenMinter
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.recording import Actor
from skerry.storage.run_folder import RunFile, RunFolder


class Minter(TokenMinter):
    """Hands out tokens that no hub knows."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9/hub/api", "")

    def mint(self, *, note: str, life_s: int) -> RunToken:
        return RunToken("a1", f"{note} {life_s}")


def start_lakes(engine: Engine, data: DataFolder) -> str:
    """Start a run of an approved release, and claim its first attempt; return its id."""
    released = propose_release(
        engine,
        open_objects(data),
        Proposal(name="water", notebook=make_notebook()),
        by=Actor("ada"),
        owner=PLATFORM_OWNER,
    )
    with engine.begin() as connection:
        approve_release(connection, released.id, by="ada", own=True)
        create_job(connection, JobOrder(name="lakes", release="water"), by="ada")
        run, _ = start_run(connection, "lakes", occurrence="manual/k", parameters={}, by="ada")
        assert claim_run(connection, run.id, 0) == 1
    return run.id


def find_attempts() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "skerry.production.attempt" in child.cmdline()]


def test_a_watch_that_fails_ends_the_run_process(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_lakes(engine, data)
    watched = []

    def fail() -> bool:
        watched.extend(find_attempts())
        raise OSError("no more memory")

    def find(
        _data: object, _environment: object, say: Callable[[str], None], _check: object
    ) -> Path:
        say("Building it.")
        return Path(sys.executable)

    monkeypatch.setattr(local, "find_python", find)
    attempts = Attempts(engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=fail)
    with pytest.raises(OSError, match="no more memory"):
        attempts.carry_out(run, 1)
    assert len(watched) == 1
    folder = RunFolder(open_objects(data), run, 1)
    assert b"Z Building it.\n" in (folder.read(RunFile.LOG) or b"")
    assert not watched[0].is_running()
    assert find_attempts() == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", [False, True], ids=["cancelled", "worker ends"])
def test_a_run_can_be_stopped_while_its_environment_is_built(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch, ending: bool
) -> None:
    run = start_lakes(engine, data)

    def build(_data: object, _environment: object, _say: object, check: Callable[[], None]) -> Path:
        check()
        if not ending:
            with engine.begin() as connection:
                assert cancel_run(connection, run).status == "running"
        stopping.append(ending)
        check()
        raise AssertionError("nobody ended the build")

    stopping = [False]
    monkeypatch.setattr(local, "find_python", build)
    attempts = Attempts(
        engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(),
        stopping=lambda: stopping[-1],
    )  # fmt: skip
    if ending:
        with pytest.raises(StoppingError):
            attempts.carry_out(run, 1)
    else:
        assert attempts.carry_out(run, 1).status == "cancelled"
    assert find_attempts() == []


def test_only_what_is_over_is_freed(data: DataFolder) -> None:
    folders = [RunFolder(open_objects(data), "r", epoch) for epoch in (1, 2, 3)]
    for folder in folders:
        folder.create()
        (folder.objects.locate(folder.name_product("x"))).mkdir()
        folder.write(RunFile.LOG, "line")
        killed = folder.objects.locate(f"{folder.prefix}.executed.ipynb.71.0a1b2c3d.partial")
        killed.mkdir()
        (killed / "executed.ipynb").touch()
    remove_unpublished(folders[0].objects, "r", 1, up_to=2)
    assert [folder.objects.exists(folder.name_product("x")) for folder in folders] == [
        True,
        False,
        True,
    ]
    assert list(folders[1].list_files()) == [RunFile.LOG]
    left = [".executed.ipynb.71.0a1b2c3d.partial/" in folder.objects.list_names(folder.prefix)
            for folder in folders]  # fmt: skip
    assert left == [False, False, True]


@pytest.mark.slow
def test_an_attempt_waits_for_room_on_the_disk(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_lakes(engine, data)
    monkeypatch.setenv(FLOOR_VARIABLE, "100000000")
    attempts = Attempts(
        engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=lambda: False
    )
    with pytest.raises(UnavailableError, match=r"A run needs 100000.0 GB of free disk"):
        attempts.carry_out(run, 1)  # the workflow tries again until there is room
    assert find_attempts() == []
    with engine.begin() as connection:
        cancel_run(connection, run)
    assert attempts.carry_out(run, 1).status == "cancelled"


@pytest.mark.slow
def test_an_attempt_whose_run_another_worker_carried_on_is_forgotten_when_it_has_ended(
    engine: Engine, data: DataFolder
) -> None:
    run = start_lakes(engine, data)
    name, executor = AttemptName(run, 1), LocalExecutor(data)
    attempts = Attempts(engine, executor, "http://127.0.0.1:9", Minter(), stopping=lambda: False)
    order = Order(("-c", "input()"), describe_environment(), {})
    executor.start_or_attach(name, order, Limits(60))
    wait_until(lambda: executor.poll(name).is_over, 60, "it ends: there is no input")
    attempts.forget_old()
    assert executor.list_attempts() == [name], "its run waits for it"
    with engine.begin() as connection:
        assert claim_run(connection, run, 0) == 2
    attempts.forget_old()
    assert executor.list_attempts() == []


def test_an_attempt_that_is_at_work_is_not_forgotten(engine: Engine, data: DataFolder) -> None:
    run = start_lakes(engine, data)
    name, executor = AttemptName(run, 1), LocalExecutor(data)
    attempts = Attempts(engine, executor, "http://127.0.0.1:9", Minter(), stopping=lambda: False)
    order = Order(("-c", "import time; time.sleep(600)"), describe_environment(), {})
    executor.start_or_attach(name, order, Limits(600))
    with engine.begin() as connection:
        assert claim_run(connection, run, 0) == 2
    attempts.forget_old()
    assert executor.poll(name).phase is Phase.RUNNING
    executor.end(name, "The test is over.")
    attempts.forget_old()
    assert executor.list_attempts() == []
