"""The daily prune: once among several workers, again after a kill, and what it leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, update
from tests.unit.production.upkeep.world import World

from skerry.core.errors import InvalidInputError
from skerry.core.measurements import Measurements
from skerry.core.time import utc_now
from skerry.core.worker_settings import UpkeepSettings
from skerry.models.upkeep import Entry, Kind, Lost, PruneReport
from skerry.production.tables import upkeep
from skerry.production.upkeep.daily import Upkeep
from skerry.production.upkeep.last_prune import (
    PATIENCE,
    PERIOD,
    claim_daily,
    find_last_prune,
    record_prune,
)
from skerry.services.figures import watch_upkeep
from skerry.storage.database import reading
from skerry.storage.layout import DataFolder

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def claim_together(engine: Engine, now: datetime, workers: int = 6) -> list[bool]:
    """Let several workers ask at once."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda _: claim_daily(engine, now), range(workers)))


def test_one_of_several_workers_prunes_once_a_day(engine: Engine) -> None:
    assert not any(claim_together(engine, NOON)), "the first is due a day after the first start"
    assert not any(claim_together(engine, NOON + PERIOD / 2))
    assert sum(claim_together(engine, NOON + PERIOD)) == 1
    assert not any(claim_together(engine, NOON + PERIOD + PATIENCE / 2)), "it is at work"


def test_a_prune_that_was_killed_is_begun_again_by_another_worker(engine: Engine) -> None:
    claim_daily(engine, NOON)
    assert claim_daily(engine, NOON + PERIOD)
    assert sum(claim_together(engine, NOON + PERIOD + PATIENCE)) == 1
    with engine.begin() as connection:
        connection.execute(update(upkeep).values(ended_at=NOON + PERIOD + PATIENCE))
    assert not claim_daily(engine, NOON + 2 * PERIOD), "it ended"
    assert claim_daily(engine, NOON + 2 * PERIOD + PATIENCE)


def test_the_last_prune_is_remembered_and_measured(engine: Engine) -> None:
    with reading(engine) as connection:
        assert find_last_prune(connection) is None
    measurements = Measurements()
    watch_upkeep(measurements, engine)
    read = measurements.registry.get_sample_value
    assert read("skerry_prune_freed_bytes") is None
    report = PruneReport(
        done=True,
        entries=[Entry(kind=Kind.RUN, name=f"runs/{run}/1/", size=70) for run in "ab"],
        unnamed=[Entry(kind=Kind.UNNAMED, name="imports/x/", size=5)],
        lost=[Lost(record="item i of c, version 1", prefix="imports/y/")],
        changed=[Lost(record="item j of c, version 1", prefix="imports/z/")],
    )
    began = utc_now()
    record_prune(engine, report)
    with reading(engine) as connection:
        last = find_last_prune(connection)
    assert last is not None
    assert last.ended >= began
    assert [(part.kind, part.count, part.size) for part in last.sums] == [(Kind.RUN, 2, 140)]
    assert last.examples == [
        "imports/x/", "item i of c, version 1: imports/y/", "item j of c, version 1: imports/z/",
    ]  # fmt: skip
    assert read("skerry_prune_freed_bytes") == 140
    assert read("skerry_unnamed_bytes") == 5
    assert read("skerry_prune_time_seconds") == last.ended.timestamp()
    assert [
        read("skerry_disagreements", {"kind": kind}) for kind in ("unnamed", "lost", "changed")
    ] == [1, 1, 1]  # fmt: skip


def test_the_worker_prunes_when_it_is_due_and_no_earlier(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(engine, data)
    job = world.add_job(count=1)
    gone = world.add_run(job, "failed", epochs=1, days=2)
    world.add_run(job, "failed", epochs=1, days=1)
    assert Upkeep(data, engine).look() is None
    with engine.begin() as connection:
        past = utc_now() - PERIOD - timedelta(minutes=1)
        connection.execute(update(upkeep).values(begun_at=past, ended_at=past))
    monkeypatch.setenv("SKERRY_DAILY_PRUNE", "off")
    assert Upkeep(data, engine).look() is None
    monkeypatch.setenv("SKERRY_DAILY_PRUNE", "on")
    worker = Upkeep(data, engine)
    thread = worker.look()
    assert thread is not None
    thread.join(60)
    assert not any(gone in key for key in world.list_keys())
    with reading(engine) as connection:
        last = find_last_prune(connection)
    assert last is not None
    assert last.freed == 300
    assert worker.look() is None
    assert Upkeep(data, engine).look() is None, "it has been done today"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SKERRY_DAILY_PRUNE", "yes"), ("SKERRY_KEEP_RUN_DAYS", "0"), ("SKERRY_KEEP_RUNS", "all"),
     ("SKERRY_KEEP_HISTORY_DAYS", "-1")],
)  # fmt: skip
def test_a_setting_that_cannot_be_read_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInputError, match=f"{variable} is '{value}'"):
        UpkeepSettings.from_environment()
