"""Runs against budgets: refused before they are recorded, and settled whoever was killed."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from tests.unit.production.test_runs import claim, show, start
from tests.unit.production.test_ticks import create_clock, find_runs, open_rounds

from skerry.budgets.amounts import Size, name_month
from skerry.budgets.ledger import Start, count_spent, count_used, list_open, reserve
from skerry.budgets.limits import Budget, set_budget
from skerry.budgets.refusals import BudgetSpentError
from skerry.core.ownership import PLATFORM_OWNER
from skerry.core.run_size import RunSize
from skerry.core.time import utc_now
from skerry.production.clusters import LiveCluster
from skerry.production.epochs import Outcome, claim_run, end_attempt, end_run, record_token
from skerry.production.runs import cancel_run, retry_run
from skerry.production.spending import SpendingUpkeep, find_cluster_owner, settle_runs
from skerry.production.tables import attempts, jobs


def limit(engine: Engine, hours: int, holder: str = PLATFORM_OWNER) -> None:
    with engine.begin() as connection:
        set_budget(connection, Budget(holder, core_hours=hours))


def count(engine: Engine, holder: str = PLATFORM_OWNER) -> tuple[float, float]:
    """Return the core hours of this month that are used and settled, and all that are spent."""
    now = utc_now()
    with engine.begin() as connection:
        month = name_month(now)
        settled = count_used(connection, holder, month).core_hours
        return settled, count_spent(connection, holder, month, now).core_hours


def work(engine: Engine, run: str, epoch: int, hours: float) -> None:
    """Let an attempt look as if it had worked for so long."""
    with engine.begin() as connection:
        started = utc_now().replace(microsecond=0)
        values = {"started_at": started, "ended_at": started + timedelta(hours=hours)}
        condition = (attempts.c.run_id == run, attempts.c.epoch == epoch)
        connection.execute(update(attempts).where(*condition).values(values))


def settle(engine: Engine) -> int:
    with engine.begin() as connection:
        return settle_runs(connection)


def end(engine: Engine, run: str, epoch: int, status: Any = "failed") -> None:
    with engine.begin() as connection:
        end_run(connection, run, epoch, Outcome(epoch, status))


def test_without_budgets_a_run_reserves_nothing(engine: Engine, job: str) -> None:
    start(engine)
    with engine.begin() as connection:
        assert list_open(connection) == []


def test_a_run_beyond_the_budget_is_not_recorded(engine: Engine, job: str) -> None:
    limit(engine, 1)
    run = start(engine)
    assert count(engine) == (0, 1)
    with pytest.raises(BudgetSpentError, match=r"project:.* 0 of 1 core hours.*this run \(1 proc"):
        start(engine, "manual/other")
    assert [found.id for found in find_runs(engine)] == [run]
    assert start(engine) == run  # the same key is the same run


def test_a_run_is_settled_by_its_attempts_once(engine: Engine, job: str) -> None:
    limit(engine, 10)
    run = start(engine)
    assert claim(engine, run) == 1
    assert settle(engine) == 0
    end(engine, run, 1)
    work(engine, run, 1, 0.25)
    assert (settle(engine), settle(engine)) == (1, 0)
    assert count(engine) == (0.25, 0.25)


def test_each_attempt_counts_and_a_killed_worker_s_attempt_too(engine: Engine, job: str) -> None:
    limit(engine, 10)
    run = start(engine)
    for epoch in (1, 2):  # the second claim is that of another worker, after a kill
        assert claim(engine, run) == epoch
    with engine.begin() as connection:
        end_attempt(connection, run, 2, Outcome(2, "crashed"))
        assert claim_run(connection, run, 0) == 3
    end(engine, run, 3)
    for epoch, hours in ((1, 0.5), (2, 0.25), (3, 1)):
        work(engine, run, epoch, hours)
    settle(engine)
    assert count(engine) == (1.75, 1.75)


def test_a_run_that_waited_and_was_cancelled_used_nothing(engine: Engine, job: str) -> None:
    limit(engine, 1)
    run = start(engine)
    with engine.begin() as connection:
        cancel_run(connection, run)
    start(engine, "manual/next")  # what has ended does not stand in its way
    assert count(engine) == (0, 1)


def test_a_retry_reserves_again_or_stays_what_it_was(engine: Engine, job: str) -> None:
    limit(engine, 1)
    run = start(engine)
    claim(engine, run)
    end(engine, run, 1)
    work(engine, run, 1, 0.5)
    with pytest.raises(BudgetSpentError), engine.begin() as connection:
        retry_run(connection, run)
    assert show(engine, run).status == "failed"
    limit(engine, 2)
    with engine.begin() as connection:
        assert retry_run(connection, run).status == "queued"
    assert count(engine) == (0.5, 1.5)


def test_retries_of_a_job_are_reserved_too(engine: Engine, job: str) -> None:
    limit(engine, 10)
    with engine.begin() as connection:
        connection.execute(update(jobs).values(retries=2))
    start(engine)
    assert count(engine) == (0, 3)


def test_a_tick_beyond_the_budget_stands_in_the_history_with_its_reason(
    engine: Engine, release: str
) -> None:
    create_clock(engine, release)
    limit(engine, 0)
    open_rounds(engine).start_ticks(utc_now() + timedelta(days=2))
    [failed] = find_runs(engine, "failed")
    assert "has 0 of 0 core hours left" in str(failed.detail)
    assert find_runs(engine, "queued") == []


def test_work_of_a_person_is_at_their_own_cost(engine: Engine, job: str) -> None:
    with engine.begin() as connection:
        connection.execute(update(jobs).values(owner="person:ann"))
    limit(engine, 5, "person:ann")
    start(engine)
    assert count(engine, "person:ann") == (0, 1)
    assert count(engine) == (0, 0)


def test_a_cluster_of_a_run_is_at_the_cost_of_the_run_s_owner(engine: Engine, job: str) -> None:
    run = start(engine)
    claim(engine, run)
    with engine.begin() as connection:
        record_token(connection, run, 1, token="secret", token_id="a1")
        [known] = connection.execute(attempts.select()).all()
        assert find_cluster_owner(connection, known.token_hash) == PLATFORM_OWNER
        assert find_cluster_owner(connection, "another") is None


@pytest.mark.parametrize(
    ("cpu", "memory", "size"),
    [("", "", (1, 0)), ("500m", "2000", (0.5, 2_000_000_000)), ("2.5", "", (2.5, 0))],
)
def test_the_size_of_a_run_is_that_of_its_limits(
    monkeypatch: pytest.MonkeyPatch, cpu: str, memory: str, size: tuple[float, int]
) -> None:
    monkeypatch.setenv("SKERRY_JOBS_CPU", cpu)
    monkeypatch.setenv("SKERRY_RUN_MEMORY_MB", memory)
    read = RunSize.from_environment()
    assert (read.cores, read.memory) == size


class Lists:
    """A hub's and a gateway's lists of what lives."""

    def __init__(self) -> None:
        self.servers: set[str] = set()
        self.clusters: list[LiveCluster] = []

    def list_servers(self) -> set[str]:
        return self.servers

    def list_clusters(self) -> list[LiveCluster]:
        return self.clusters


def test_the_upkeep_asks_hub_and_gateway_and_releases_what_does_not_live(
    engine: Engine, job: str
) -> None:
    limit(engine, 100, "person:ann")
    limit(engine, 100)
    lists = Lists()
    long_ago = utc_now() - timedelta(hours=1)
    things = ("server/ann/", "server/ann/gone", "cluster/alive", "cluster/gone")
    with engine.begin() as connection:
        for thing in things:
            kind = thing.partition("/")[0]
            order = Start(thing, thing, kind, Size(1000, 0), 3600, 3600, "person:ann")
            assert reserve(connection, order, long_ago) is not None
    run = start(engine)
    claim(engine, run)
    end(engine, run, 1)
    lists.servers = {"server/ann/"}
    lists.clusters = [LiveCluster("alive", "ann", None, "running", "2026-01-01T00:00:00Z", 1, 1)]
    SpendingUpkeep(engine, lists, lists).look()  # type: ignore[arg-type]
    with engine.begin() as connection:
        assert {one.thing for one in list_open(connection)} == {"server/ann/", "cluster/alive"}
