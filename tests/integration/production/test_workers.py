"""Three workers on one PostgreSQL: they share the runs, and one that is lost is replaced."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.integration.production.stage import (
    Stage,
    find_environment,
    history,
    kill,
    make_notebook,
    serve_stage,
)
from tests.integration.production.test_clusters import list_clusters, wait_for_cluster
from tests.platform_process import (
    SKERRY,
    RunningPlatform,
    clean_environment,
    wait_until,
)
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.layout import DataFolder

pytestmark = [pytest.mark.postgresql, pytest.mark.long, pytest.mark.timeout(900)]

OTHERS = ("second", "third")


class Workers:
    """The worker of a platform, and two more, each with a data folder of its own."""

    def __init__(self, stage: Stage, database: str, folders: dict[str, DataFolder]) -> None:
        self.stage = stage
        self.database = database
        self.folders = folders
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start another worker, as a machine of its own would: its objects are the platform's."""
        environment = self.stage.platform.environment_of("worker")
        with (self.folders[name].logs / "worker.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "skerry.services.worker"],
                env=environment | {"SKERRY_DATA": str(self.folders[name].root)},
                stdout=log,
                stderr=log,
            )
        ready = self.folders[name].run / "worker.ready"
        wait_until(ready.exists, 60, f"the {name} worker is ready", lambda: self.log(name))

    def log(self, name: str) -> str:
        """Return a worker's log."""
        return (self.folders[name].logs / "worker.log").read_text()

    def find(self, run: str) -> str | None:
        """Return which of the other workers has an attempt of a run, None if neither has."""
        return next(
            (name for name in OTHERS if list((self.folders[name].run).rglob(f"*{run}*"))), None
        )

    def count(self) -> int:
        """Return how many workers the database knows."""
        return int(str(self.ask("SELECT count(*) FROM workers")[0][0]))

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def workers(
    postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    top = tmp_path_factory.mktemp("workers")
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.database("template0"))
        stage = stack.enter_context(serve_stage(top / "data", database=database))
        folders = {}
        for name in OTHERS:
            folders[name] = DataFolder(top / name)
            folders[name].create()
            _share(stage.platform, folders[name])
        workers = Workers(stage, database, folders)
        stack.enter_context(_ending(workers))
        for name in OTHERS:
            workers.start(name)
        yield workers


def _share(platform: RunningPlatform, folder: DataFolder) -> None:
    for name in ("objects", "environments"):
        (folder.root / name).rmdir()
        (folder.root / name).symlink_to(platform.data / name)


@contextmanager
def _ending(workers: Workers) -> Iterator[None]:
    yield
    for process in workers.processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(30)


def test_they_share_the_runs_and_each_is_done_once(workers: Workers) -> None:
    stage = workers.stage
    runs = [stage.start() for _ in range(4)]  # two at once for each worker
    for run in runs:
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
        stage.check_published_once(run)
    executors = {row[0] for row in workers.ask("SELECT executor_id FROM dbos.workflow_status")}
    assert len(executors) > 1
    assert workers.count() == 1 + len(OTHERS)


def ask(workers: Workers, *arguments: str) -> str:
    """Return what a command says that knows the database, as a person on the machine does."""
    known = {"SKERRY_DATA": str(workers.stage.platform.data), DATABASE_VARIABLE: workers.database}
    answer = subprocess.run(
        [*SKERRY, *arguments], env=clean_environment() | known, stdout=subprocess.PIPE, check=False
    )
    return answer.stdout.decode()


def test_all_of_them_are_seen_from_the_platforms_machine(workers: Workers) -> None:
    platform = workers.stage.platform
    names = sorted(str(row[0]) for row in workers.ask("SELECT name FROM workers"))
    assert len(names) == 1 + len(OTHERS)
    status = json.loads(ask(workers, "status", "--json"))
    assert sorted(sign["name"] for sign in status["workers"]) == names
    client = platform.http(platform.token)
    health = client.get("/services/api/platform/health").json()
    assert {sign["name"]: sign["works"] for sign in health["workers"]} == dict.fromkeys(names, True)
    measured = client.get("/services/api/metrics").text
    assert all(f'skerry_worker_silence_seconds{{worker="{name}"}}' in measured for name in names)
    findings = json.loads(ask(workers, "doctor", "--json"))
    found = [entry for entry in findings if entry["check"] == "workers"]
    assert sorted(entry["detail"] for entry in found) == [f"{name} works." for name in names]


def test_tokens_of_ended_runs_are_revoked_and_no_other(workers: Workers, tmp_path: Path) -> None:
    stage, gate = workers.stage, tmp_path / "gate"
    runs = [stage.start() for _ in range(2)] + [stage.start(gate=str(gate)) for _ in range(2)]
    tokens = {}
    for run in runs:
        stage.wait_for_epoch(run, 1, executing=False)
    for run in runs[-2:]:
        stage.wait_for_epoch(run, 1)
        tokens[run] = find_environment(run)["SKERRY_TOKEN"]
    for run in runs[:-2]:
        stage.wait_for(run, "succeeded", "failed")
    kept = "SELECT run_id FROM attempts WHERE token_id IS NOT NULL"
    wait_until(
        lambda: {str(row[0]) for row in workers.ask(kept)} == set(runs[-2:]), 60,
        "the tokens of all ended runs have been revoked", lambda: str(workers.ask(kept)),
    )  # fmt: skip
    hub = f"{stage.platform.url}/hub/api/user"
    for token in tokens.values():
        assert stage.ask_with(token, "GET", hub).status_code == 200, "their runs are at work"
    gate.touch()
    for run, token in tokens.items():
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
        wait_until(
            lambda token=token: stage.ask_with(token, "GET", hub).status_code == 403, 60,
            "the token is revoked",
        )  # fmt: skip


def test_clusters_of_runs_on_several_workers_end_with_their_own_run(workers: Workers) -> None:
    stage = workers.stage
    begin = "import time, skerry\nclient = skerry.cluster(workers=1)\ntime.sleep(3600)"
    notebook = make_notebook(("number: int = 0", begin), parameters=0)
    stage.create_job("parallel", stage.release_notebook("parallel", notebook))
    first, second = (stage.start("parallel", number=number) for number in range(2))
    clusters = {run: wait_for_cluster(stage, run)["name"] for run in (first, second)}
    stage.ask("POST", f"/production/runs/{first}/cancel")
    stage.wait_for(first, "cancelled")
    wait_until(lambda: not list_clusters(stage, first), 120, "the cluster is gone")
    (cluster,) = list_clusters(stage, second)
    assert (cluster["name"], cluster["workers"]) == (clusters[second], 1), "its run is at work"
    stage.ask("POST", f"/production/runs/{second}/cancel")
    stage.wait_for(second, "cancelled")
    wait_until(lambda: not list_clusters(stage, second), 120, "the other is gone, too")


def test_a_tick_of_a_clock_is_done_once(workers: Workers) -> None:
    stage = workers.stage
    stage.create_job("minutely", trigger={"kind": "clock", "cron": "* * * * *", "timezone": "UTC"})

    def list_runs() -> list[dict[str, str]]:
        found: list[dict[str, str]] = stage.ask("GET", "/production/runs?job=minutely")["runs"]
        return found

    wait_until(lambda: bool(list_runs()), 120, "a tick has made a run")
    stage.ask("POST", "/production/jobs/minutely/pause")
    occurrences = [run["occurrence"] for run in list_runs()]
    assert len(occurrences) == len(set(occurrences))
    for run in list_runs():
        assert history(stage.wait_for(run["id"], "succeeded")) == [(1, "published", None)]


def test_runs_under_way_wait_while_the_server_is_away(
    workers: Workers, postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    stage, gate = workers.stage, tmp_path / "gate"
    runs = [stage.start(gate=str(gate)) for _ in range(3)]
    for run in runs:
        stage.wait_for_epoch(run, 1)
    postgresql.stop()
    gate.touch()
    for name in OTHERS:
        wait_until(lambda name=name: "The worker waits" in workers.log(name), 60, "it waits")
    postgresql.start()
    for run in runs:
        assert history(stage.wait_for(run, "succeeded", "failed")) == [(1, "published", None)]
        stage.check_published_once(run)
    assert workers.count() == 1 + len(OTHERS), "nobody counts as lost"


def test_a_worker_that_never_returns_is_replaced_within_a_minute(
    workers: Workers, tmp_path: Path
) -> None:
    stage, gate = workers.stage, tmp_path / "gate"
    runs = [stage.start(gate=str(gate)) for _ in range(4)]  # a worker has room for two
    for run in runs:
        stage.wait_for_epoch(run, 1)
    lost = next(name for run in runs if (name := workers.find(run)))
    own = [run for run in runs if workers.find(run) == lost]
    kill(workers.processes[lost].pid)
    killed = time.monotonic()
    for process in psutil.process_iter(["environ"]):  # its machine is gone, with all that ran there
        if str(workers.folders[lost].root) in str((process.info["environ"] or {}).values()):
            process.kill()
    gate.touch()
    for run in runs:
        ended = stage.wait_for(run, "succeeded", "failed")
        assert ended["status"] == "succeeded"
        assert len(history(ended)) == (2 if run in own else 1)
        stage.check_published_once(run)
    assert own
    assert time.monotonic() - killed < 60
    assert workers.count() == len(OTHERS)
    told = [workers.log(name) for name in OTHERS] + [stage.platform.log_text("worker")]
    assert sum(log.count("shows no sign of life") for log in told) == 1


def test_a_worker_that_stood_still_changes_nothing_any_more(
    workers: Workers, tmp_path: Path
) -> None:
    stage, before = workers.stage, workers.count()
    name = next(name for name in OTHERS if workers.processes[name].poll() is None)
    # A worker has room for two: each has a run.
    gates = [tmp_path / str(number) for number in range(2 * before - 1)]
    runs = {stage.start(gate=str(gate)): gate for gate in gates}
    for run in runs:
        stage.wait_for_epoch(run, 1)
    own = [run for run in runs if workers.find(run) == name]
    assert own
    os.kill(workers.processes[name].pid, signal.SIGSTOP)
    for run in runs.keys() - own:  # the others have room now
        runs[run].touch()
    for run in own:  # one carries it on, beside the attempt that goes on
        stage.wait_for_epoch(run, 2, executing=False)
    os.kill(workers.processes[name].pid, signal.SIGCONT)
    for run, gate in runs.items():
        gate.touch()
        assert stage.wait_for(run, "succeeded", "failed")["status"] == "succeeded"
        stage.check_published_once(run)
    wait_until(lambda: workers.count() == before, 30, "it is back")
