"""What one run costs the platform's parts, on a real platform with its state in PostgreSQL.

The notebook does next to nothing, and its process is not counted: what it needs is the notebook's
affair. Then many runs are asked for while the worker is stopped: how fast they are taken in.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from aiohttp import ClientSession
from tests.integration.production.stage import Stage, make_notebook
from tests.platform_process import start_platform
from tests.postgresql_server import PostgresqlServer
from tests.scale.figures import Figure
from tests.scale.metering import Meter
from tests.scale.progress import say

from skerry.core.settings import DATABASE_VARIABLE

PART = "runs"
_PARTS = ["gateway", "api", "worker", "hub"]
_NOTEBOOK = make_notebook(("number: int = 0", "print(number + 1)"), parameters=0)
_AT_ONCE = 8
_JOB = "small"
_LIMIT_S = 600


def measure_runs(server: PostgresqlServer, folder: Path, count: int, rest_s: float) -> list[Figure]:
    """Carry out a tenth of so many runs, and take in all of them.

    Parameters
    ----------
    rest_s
        How long the platform is measured before, while nothing is to do: that is no run's share.
    """
    with server.database("template0") as database:
        platform = start_platform(
            folder / "platform", parts=_PARTS, extra_environment={DATABASE_VARIABLE: database}
        )
        try:
            with closing(Stage(platform, database)) as stage:
                stage.create_job(_JOB, stage.release_notebook(_JOB, _NOTEBOOK))
                carry_out = max(1, count // 10)
                return [
                    *_measure_whole(stage, server, carry_out, rest_s),
                    *asyncio.run(_measure_intake(stage, server, count)),
                ]
        finally:
            platform.stop()


def _make_meter(stage: Stage, server: PostgresqlServer) -> Meter:
    parts = {name: pid for name, pid in stage.platform.part_pids().items() if name in _PARTS}
    return Meter({**parts, "database": server.pid}, alone=["worker"])


def _measure_whole(
    stage: Stage, server: PostgresqlServer, count: int, rest_s: float
) -> list[Figure]:
    say(f"a platform without work, {rest_s:g} s")
    meter = _make_meter(stage, server)
    before = _count_transactions(server, stage.database)
    time.sleep(rest_s)  # what is measured is that nothing is done
    idle = {part: use.cpu_s / meter.seconds for part, use in meter.read().items()}
    often = (_count_transactions(server, stage.database) - before) / meter.seconds
    say(f"{count} runs from the request to the end")
    meter.begin()
    before, size = _count_transactions(server, stage.database), _read_size(server, stage.database)
    runs = [stage.start(_JOB, number=number) for number in range(count)]
    for run in runs:
        stage.wait_for(run, "succeeded")
    seconds, used = meter.seconds, meter.read()
    transactions = _count_transactions(server, stage.database) - before - often * seconds
    grown = _read_size(server, stage.database) - size
    return [
        Figure(PART, "whole: on this machine", count, count / seconds, "1/s"),
        *(
            Figure(PART, f"whole: CPU of the {part}", count,
                   max(0.0, use.cpu_s - idle[part] * seconds) / count, "s for each")
            for part, use in used.items()
        ),
        *(Figure(PART, f"at rest: CPU of the {part}", count, use, "cores")
          for part, use in idle.items()),
        Figure(PART, "at rest: transactions", count, often, "1/s"),
        Figure(PART, "whole: transactions", count, transactions / count, "for each"),
        Figure(PART, "whole: database grows by", count, grown / count / 1e3, "kB for each"),
    ]  # fmt: skip


async def _measure_intake(stage: Stage, server: PostgresqlServer, count: int) -> list[Figure]:
    say(f"{count} runs are asked for")
    meter = _make_meter(stage, server)
    headers = {"Authorization": f"Bearer {stage.platform.token}"}
    numbers = iter(range(1000, 1000 + count))
    with _stopped(stage.platform.part_pids()["worker"]):
        async with ClientSession(stage.platform.url, headers=headers) as session:

            async def ask() -> None:
                for number in numbers:
                    asked = {"parameters": {"number": number}}
                    path = f"/services/api/production/jobs/{_JOB}/runs"
                    async with session.post(path, json=asked) as answer:
                        assert answer.status in (200, 201, 202), await answer.text()

            await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
        seconds, used = meter.seconds, meter.read()
    return [
        Figure(PART, "taken in", count, count / seconds, "1/s"),
        *(
            Figure(PART, f"taken in: CPU of the {part}", count, use.cpu_s / count, "s for each")
            for part, use in used.items() if part in ("api", "database", "hub")
        ),
    ]  # fmt: skip


@contextmanager
def _stopped(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _count_transactions(server: PostgresqlServer, database: str) -> int:
    return _ask(server, "SELECT xact_commit FROM pg_stat_database WHERE datname = %s", database)


def _read_size(server: PostgresqlServer, database: str) -> int:
    return _ask(server, "SELECT pg_database_size(%s)", database)


def _ask(server: PostgresqlServer, query: str, database: str) -> int:
    with psycopg.connect(server.url("postgres")) as connection:
        found = connection.execute(query.encode(), (database.rpartition("/")[2],)).fetchone()
    assert found is not None
    return int(found[0])
