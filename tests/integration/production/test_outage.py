"""PostgreSQL goes away while notebooks are about to publish: they wait for it, and none fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.production.stage import Stage, history, serve_stage
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer

pytestmark = [pytest.mark.postgresql, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage(
    postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    data = tmp_path_factory.mktemp("outage") / "data"
    settings = {"SKERRY_WORKER_RUNS": "4"}
    with (
        postgresql.database("template0") as database,
        serve_stage(data, database=database, settings=settings) as stage,
    ):
        yield stage


def test_attempts_that_publish_while_the_database_is_away_wait_for_it(
    stage: Stage, postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    runs = [stage.start(gate=str(gate)) for _ in range(4)]

    def wait_for_line(words: str) -> None:
        for run in runs:
            log = stage.platform.data / "objects" / "runs" / run / "1" / "log.txt"
            wait_until(
                lambda log=log: log.exists() and words in log.read_text(), 120,
                f"each log says {words!r}", log.read_text,
            )  # fmt: skip

    wait_for_line("the gate is")
    postgresql.stop()
    gate.touch()
    wait_for_line("The database does not answer")
    postgresql.start()
    for run in runs:
        ended = stage.wait_for(run, "succeeded", "failed")
        assert history(ended) == [(1, "published", None)], stage.explain(run)
        stage.check_published_once(run)
        assert stage.fetch(f"/production/runs/{run}/files/manifest.json").is_success
