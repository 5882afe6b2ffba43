"""What a job will do next is what the worker then does."""

from typing import Any

import pytest
from sqlalchemy import Engine
from tests.unit.production.conftest import propose
from tests.unit.production.test_ticks import create_clock, find_runs, open_rounds

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.core.time import utc_now
from skerry.models.jobs import PlannedRun
from skerry.production.jobs import pause_job
from skerry.production.planning import plan_runs
from skerry.production.releases import approve_release

NIGHT = {"kind": "clock", "cron": "30 0 * * *", "timezone": "Europe/Helsinki"}
DAYS = {"day": "{{ day - 3d }}", "seen": "from {{ tick - 6h }}"}


@pytest.fixture
def daily(engine: Engine) -> str:
    release = propose(engine, "daily", "day: date\nseen: str = ''\nn: int = 4", imports="date")
    with engine.begin() as connection:
        approve_release(connection, release, by="ada", own=True)
    return release


def plan(engine: Engine, count: int = 10) -> list[PlannedRun]:
    with engine.connect() as connection:
        return plan_runs(connection, "lakes", count=count)


def test_each_planned_run_starts_at_its_tick_with_its_day_and_parameters(
    engine: Engine, daily: str
) -> None:
    create_clock(engine, daily, NIGHT, parameters=DAYS)
    planned = plan(engine, 4)
    rounds = open_rounds(engine)
    for run in planned:
        assert run.tick is not None
        rounds.start_ticks(run.tick)
    begun: list[Any] = sorted(find_runs(engine, "queued"), key=lambda run: run.occurrence)
    assert [(run.data_day, run.parameters) for run in begun] == [
        (run.data_day, run.parameters) for run in planned
    ]
    assert {run.parameters["n"] for run in planned} == {4}


def test_a_paused_job_shows_what_it_would_do(engine: Engine, daily: str) -> None:
    create_clock(engine, daily, NIGHT, parameters=DAYS)
    with engine.begin() as connection:
        pause_job(connection, "lakes", paused=True)
    ticks = [run.tick for run in plan(engine)]
    assert len(ticks) == 10
    assert all(tick is not None and tick > utc_now() for tick in ticks)


def test_a_job_without_a_clock_shows_the_run_that_would_start_now(
    engine: Engine, daily: str
) -> None:
    create_clock(engine, daily, {"kind": "manual"}, parameters={"day": "{{ day }}"})
    [run] = plan(engine)
    assert run.tick is None
    assert run.parameters["day"] == run.data_day.isoformat()


def test_what_is_left_to_each_run_is_named(engine: Engine, daily: str) -> None:
    create_clock(engine, daily, {"kind": "manual"})
    with pytest.raises(InvalidInputError, match="day"):
        plan(engine)


def test_an_expression_is_checked_when_the_job_is_made(engine: Engine, daily: str) -> None:
    with pytest.raises(InvalidInputError, match="no expression"):
        create_clock(engine, daily, NIGHT, parameters={"day": "{{ dya }}"})
    with pytest.raises(NotFoundError):
        plan(engine)
