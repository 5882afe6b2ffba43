"""Ticks become runs: the latest is carried out, missed ones stand in the history as passed."""

import logging
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from tests.unit.production.conftest import propose

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.ownership import KEEPER
from skerry.core.time import parse_time, utc_now
from skerry.models.jobs import JobOrder
from skerry.production import reconciler
from skerry.production.clock import list_latest
from skerry.production.jobs import create_job, delete_job, pause_job
from skerry.production.reconciler import Reconciler
from skerry.production.releases import approve_release
from skerry.production.run_history import list_runs
from skerry.production.runs import retry_run, start_run
from skerry.production.tables import jobs
from skerry.production.tokens import TokenMinter
from skerry.production.workflow import open_client
from skerry.production.workflows import Workflows

DAILY = {"kind": "clock", "cron": "0 5 * * *", "timezone": "Europe/Helsinki"}


def create_clock(
    engine: Engine, release: str, trigger: dict[str, str] = DAILY, **more: Any
) -> None:
    order = {"name": "lakes", "release": release, "trigger": trigger, **more}
    with engine.begin() as connection:
        create_job(connection, JobOrder.model_validate(order), by="ada")


def open_rounds(engine: Engine) -> Reconciler:
    workflows = Workflows(open_client(engine), "worker", list)
    return Reconciler(engine, workflows, TokenMinter("http://127.0.0.1:9", ""))


def find_runs(engine: Engine, status: str | None = None) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        return list_runs(connection, viewer=KEEPER, status=status, limit=1000)


def find_settled(engine: Engine) -> datetime:
    with engine.begin() as connection:
        return connection.execute(select(jobs.c.settled_until)).scalar_one()


def test_a_missed_tick_runs_once_and_only_the_latest(engine: Engine, release: str) -> None:
    create_clock(engine, release)
    rounds = open_rounds(engine)
    back = utc_now() + timedelta(days=9)
    for moment in (utc_now(), back, back, back + timedelta(seconds=1)):
        rounds.start_ticks(moment)
    settled = find_settled(engine)
    assert [parse_time(run.occurrence[6:]) for run in find_runs(engine, "queued")] == [settled]
    assert timedelta() <= back - settled < timedelta(hours=25)
    rounds.start_ticks(back + timedelta(days=1))
    assert len(find_runs(engine, "queued")) == 2


def test_passed_ticks_stand_in_the_history_and_can_be_carried_out(
    engine: Engine, release: str
) -> None:
    create_clock(engine, release)
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=9))
    passed = find_runs(engine, "passed")
    assert len(passed) in (8, 9)
    days = [run.occurrence for run in find_runs(engine)]
    assert days == sorted(days, reverse=True)
    assert all("was carried out" in run.detail for run in passed)
    with engine.begin() as connection:
        retried = retry_run(connection, passed[0].id)
    assert retried.status == "queued"
    assert retried.parameters == {"minute": 0}  # complete, as those of every run


def test_a_tick_that_did_not_fit_the_release_is_not_retried_unchecked(
    engine: Engine, release: str
) -> None:
    create_clock(engine, release)
    with engine.begin() as connection:
        connection.execute(update(jobs).values(parameters={"minute": "soon"}))
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=1, minutes=1))
    (failed,) = find_runs(engine, "failed")
    with engine.begin() as connection, pytest.raises(InvalidInputError, match="'minute'"):
        retry_run(connection, failed.id)
    assert find_runs(engine, "queued") == []


def test_long_absences_do_not_flood_the_history(engine: Engine, release: str) -> None:
    create_clock(engine, release, {"kind": "clock", "cron": "* * * * *", "timezone": "UTC"})
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=400))
    passed = find_runs(engine, "passed")
    assert len(passed) == 50
    assert "Earlier ticks were passed over, too." in passed[-1].detail
    assert "Earlier" not in passed[0].detail


def test_a_clock_that_jumped_ahead_is_noticed_and_its_ticks_go_on(
    engine: Engine, release: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_clock(engine, release)
    rounds = open_rounds(engine)
    rounds.start_ticks(utc_now() + timedelta(days=3650))
    assert find_settled(engine) > utc_now() + timedelta(days=3600)
    with caplog.at_level(logging.WARNING):
        rounds.start_ticks(utc_now())
    assert "this machine's time was ahead" in caplog.text
    assert find_settled(engine) <= utc_now()
    before = len(find_runs(engine))
    rounds.start_ticks(utc_now() + timedelta(days=1))
    assert len(find_runs(engine)) == before + 1


def test_a_tick_that_makes_no_run_stands_in_the_history_as_failed(
    engine: Engine, release: str
) -> None:
    create_clock(engine, release)
    with engine.begin() as connection:
        connection.execute(jobs.update().values(parameters={"minute": "no number"}))
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=1))
    (failed,) = find_runs(engine, "failed")
    assert "'minute'" in failed.detail


def test_a_paused_job_starts_nothing_and_can_be_deleted(engine: Engine, release: str) -> None:
    create_clock(engine, release)
    rounds = open_rounds(engine)
    rounds.start_ticks(utc_now() + timedelta(days=1))
    with engine.begin() as connection:
        with pytest.raises(ConflictError) as caught:
            delete_job(connection, "lakes", history=False)
        assert "skerry job pause lakes" in caught.value.remedy
        assert pause_job(connection, "lakes", paused=True).next_tick is None
    rounds.start_ticks(utc_now() + timedelta(days=5))
    assert len(find_runs(engine)) == 1
    with engine.begin() as connection:
        assert pause_job(connection, "lakes", paused=False).next_tick
    rounds.start_ticks(utc_now())
    assert len(find_runs(engine)) == 1  # ticks of the pause are not missed ticks


@pytest.mark.parametrize("change", ["pause", "pause and resume", "delete"])
def test_a_job_that_changes_between_reading_the_clock_and_starting_its_run_starts_nothing(
    engine: Engine, release: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    create_clock(engine, release)
    with engine.begin() as connection:
        connection.execute(update(jobs).values(settled_until=utc_now() - timedelta(days=2)))

    def change_then_list(*clock: Any, **more: Any) -> list[datetime]:
        due = list_latest(*clock, **more)
        with engine.begin() as connection:
            if change == "delete":
                delete_job(connection, "lakes", history=False)
            else:
                pause_job(connection, "lakes", paused=True)
            if change == "pause and resume":
                pause_job(connection, "lakes", paused=False)
        return due

    monkeypatch.setattr(reconciler, "list_latest", change_then_list)
    open_rounds(engine).start_ticks(utc_now())
    assert find_runs(engine) == []


class TestDataDay:
    """Parameters may take the day that a run's data speak of."""

    @pytest.fixture
    def daily(self, engine: Engine) -> str:
        release = propose(engine, "daily", "day: date\nseen: str = ''", imports="date")
        with engine.begin() as connection:
            approve_release(connection, release, by="ada", own=True)
        return release

    def test_it_is_the_ticks_day_in_the_clocks_zone(self, engine: Engine, daily: str) -> None:
        clock = {"kind": "clock", "cron": "30 0 * * *", "timezone": "Europe/Helsinki"}
        create_clock(
            engine, daily, clock, parameters={"day": "{{ day - 1d }}", "seen": "at {{ tick }}"}
        )
        open_rounds(engine).start_ticks(utc_now() + timedelta(days=1))
        run = find_runs(engine, "queued")[0]
        tick = parse_time(run.occurrence.removeprefix("clock/"))
        day = run.data_day
        assert day == tick.date() + timedelta(days=1)  # 00:30 in Helsinki is the day before in UTC
        assert run.parameters == {
            "day": (day - timedelta(days=1)).isoformat(),
            "seen": f"at {run.occurrence.removeprefix('clock/')}",
        }

    def test_it_can_be_given_by_hand(self, engine: Engine, daily: str) -> None:
        create_clock(engine, daily, {"kind": "manual"}, parameters={"day": "{{ day }}"})
        with engine.begin() as connection:
            run, _ = start_run(
                connection, "lakes", occurrence="manual/k", parameters={}, by="ada",
                data_day=date(2026, 5, 1),
            )  # fmt: skip
            assert run.parameters["day"] == run.data_day.isoformat() == "2026-05-01"
            again, new = start_run(
                connection, "lakes", occurrence="manual/k", parameters={}, by="ada"
            )
            assert (again.id, new) == (run.id, False)

    def test_it_is_today_without_a_clock(self, engine: Engine, daily: str) -> None:
        create_clock(engine, daily, {"kind": "manual"}, parameters={"day": "{{ day }}"})
        with engine.begin() as connection:
            run, _ = start_run(connection, "lakes", occurrence="manual/k", parameters={}, by="ada")
        assert run.data_day == run.created.date()

    def test_an_expression_has_to_fit_its_parameter(self, engine: Engine, release: str) -> None:
        with pytest.raises(InvalidInputError, match="minute"):
            create_clock(engine, release, parameters={"minute": "{{ day }}"})
