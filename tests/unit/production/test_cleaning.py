"""Making room: what goes, and above all what stays."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, update
from tests.unit.production.conftest import make_notebook

from skerry.models.jobs import JobOrder
from skerry.models.releases import Proposal
from skerry.production.cleaning import clean, measure_families
from skerry.production.jobs import create_job
from skerry.production.proposals import propose_release
from skerry.production.releases import approve_release
from skerry.production.runs import start_run
from skerry.production.tables import runs
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.pid_files import write_pid_file

OLD = time.time() - 40 * 86_400


def fill_run(
    engine: Engine, data: DataFolder, key: str, *, published: int | None, status: str
) -> Path:
    """Record a run with two attempts, forty days old, and return its folder."""
    ended = None if status == "running" else datetime(2026, 1, 1, tzinfo=UTC)
    with engine.begin() as connection:
        run, _ = start_run(connection, "lakes", occurrence=f"manual/{key}", parameters={}, by="ada")
        connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            .values(status=status, published_epoch=published, ended_at=ended)
        )
    folder = data.objects / "runs" / str(run.id)
    for epoch in ("1", "2"):
        attempt = folder / epoch
        (attempt / "products").mkdir(parents=True)
        for name in ("executed.ipynb", "executed.html", "log.txt", "products/x"):
            (attempt / name).write_bytes(b"x" * 5000)
            os.utime(attempt / name, (OLD, OLD))
    return folder


def test_only_what_is_safe_goes(engine: Engine, data: DataFolder) -> None:
    released = propose_release(
        engine, open_objects(data), Proposal(name="water", notebook=make_notebook()), by="ada"
    )
    with engine.begin() as connection:
        approve_release(connection, released.id, by="ada", own=True)
        create_job(connection, JobOrder(name="lakes", release="water"), by="ada")
    ended = fill_run(engine, data, "ended", published=2, status="succeeded")
    active = fill_run(engine, data, "active", published=None, status="running")
    for name in (released.environment_digest, "b3-unused"):
        (data.environments / name).mkdir()
    scratch, live = data.run / "attempts" / "r-1", data.run / "attempts" / "r-2"
    temporary = [data.run / "tmp" / name for name in ("r-1", "r-2")]
    for folder in (scratch, live, *temporary):
        folder.mkdir(parents=True)
    write_pid_file(data.run / "pids" / "attempt-r-2.json", os.getpid())
    (data.logs / "api.log").touch()
    (data.logs / "api.log.1").touch()

    planned, _ = clean(data, pretend=True)
    assert scratch.exists()
    gone, complete = clean(data)
    assert complete
    assert [entry.place for entry in gone] == [entry.place for entry in planned]
    assert sum(entry.size for entry in gone) > 4 * 5000
    assert not scratch.exists()
    assert live.exists(), "its process lives"
    assert [folder.exists() for folder in temporary] == [False, True]
    assert not (data.logs / "api.log.1").exists()
    assert (data.logs / "api.log").exists()
    assert not (ended / "1").exists(), "this attempt was not published"
    assert (ended / "2" / "products" / "x").exists(), "products stay"
    assert (ended / "2" / "log.txt").exists()
    assert not (ended / "2" / "executed.html").exists()
    assert (active / "1" / "products" / "x").exists(), "the run goes on"
    assert not (data.environments / "b3-unused").exists()
    assert (data.environments / released.environment_digest).exists()


def test_young_notebooks_stay_and_no_database_is_not_trouble(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    attempt = data.objects / "runs" / "r" / "1"
    attempt.mkdir(parents=True)
    (attempt / "executed.html").write_bytes(b"x" * 9000)
    (attempt / "products").mkdir()
    (attempt / "products" / "p").write_bytes(b"x" * 20_000)
    assert clean(data) == ([], True)
    families = measure_families(data)
    assert families["notebooks and logs of runs"] >= 9000
    assert families["products"] >= 20_000
    (entry,) = clean(data, days=0)[0]
    assert entry.place == "runs/r/1/executed.html"
