"""The two platforms of a soak: on one machine alone, and as a team has it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tests.minio_server import MinioServer
from tests.platform_process import RunningPlatform, free_port, start_platform, wait_until
from tests.postgresql_server import PostgresqlServer
from tests.soak.front import serve_front
from tests.soak.kills import Victim

from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.production.executors.places import list_places
from skerry.production.executors.protocol import AttemptName, Phase
from skerry.storage.layout import DataFolder

PARTS = ["gateway", "api", "maps", "worker", "hub"]
OTHER_WORKERS = ("second", "third")
QUIET_START_S = 10.0
"""How long a platform takes to start on a machine that does nothing else."""
SLOWEST_PACE = 2.5


@dataclass(frozen=True)
class Mark:
    """A process that may be killed.

    Attributes
    ----------
    name
        Its name for people.
    pid
        The process.
    attempt, folder
        Of a run process: the attempt, and the data folder of its worker.
    """

    name: str
    pid: int
    attempt: AttemptName | None = None
    folder: Path = Path()


@dataclass
class Other:
    """A process beside those of `skerry up`, started anew whenever it has ended."""

    name: str
    module: str
    environment: dict[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start the process unless it lives."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], env=self.environment, stdout=log, stderr=log
            )

    def end(self) -> None:
        """End the process in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


@dataclass
class SoakedPlatform:
    """A platform whose processes are killed and come back.

    Attributes
    ----------
    platform
        What `skerry up` runs.
    apis
        Addresses of the apis, which a client may ask in turn.
    folders
        The data folder of each worker, the platform's own first.
    others
        Processes beside those of `skerry up`.
    server
        The database server, if the state is on one.
    database
        Its address.
    store
        The object store, if it is not a folder.
    variables
        How programs find the object store.
    pace
        How many times longer than on a quiet machine all takes here. Kills and prunes keep to it:
        else a busy machine would only start again and again what is killed before it is ready.
    """

    platform: RunningPlatform
    apis: list[str]
    folders: list[DataFolder]
    others: list[Other] = field(default_factory=list)
    server: PostgresqlServer | None = None
    database: str | None = field(default=None, repr=False)
    store: MinioServer | None = None
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    pace: float = 1.0

    def tend(self) -> None:
        """Start what has ended, as a supervisor of other machines does."""
        for other in self.others:
            other.tend()

    def find(self, victim: Victim) -> list[Mark]:
        """Return the processes of a kind that live now."""
        if victim is Victim.ATTEMPT:
            return [mark for folder in self.folders for mark in _find_attempts(folder)]
        pid = self.platform.part_pids()[victim.value]
        own = [Mark(victim.value, pid)] if psutil.pid_exists(pid) else []
        return own + [
            Mark(other.name, other.process.pid)
            for other in self.others
            if other.name.endswith(victim.value)
            and other.process is not None
            and other.process.poll() is None
        ]

    def explain(self) -> str:
        """Return the ends of all logs, for a failing soak."""
        logs = [*self.platform.data.glob("logs/*.log"), *(other.log for other in self.others)]
        texts = {path: path.read_text(errors="replace")[-30_000:] for path in logs if path.exists()}
        return "\n".join(f"== {path}\n{text}" for path, text in texts.items())


def _find_attempts(folder: DataFolder) -> Iterator[Mark]:
    for places in list_places(folder.run):
        record = places.read()
        if record is not None and record.phase is Phase.RUNNING and record.find() is not None:
            yield Mark(str(places.name), record.pid, places.name, folder.root)


@contextmanager
def start_alone(top: Path) -> Iterator[SoakedPlatform]:
    """Start a platform on SQLite and a folder, with one worker and one api."""
    platform, pace = _start(top / "data", {})
    try:
        yield SoakedPlatform(platform, [platform.url], [DataFolder(platform.data)], pace=pace)
    finally:
        platform.stop()


@contextmanager
def start_team(
    top: Path, postgresql: PostgresqlServer, store: MinioServer | None = None
) -> Iterator[SoakedPlatform]:
    """Start a platform on PostgreSQL with three workers and two apis."""
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.database("template0"))
        variables = {}
        if store is not None:
            bucket = stack.enter_context(store.bucket())
            variables = {**store.variables(), OBJECTS_VARIABLE: f"s3://{bucket}/skerry"}
        platform, pace = _start(top / "data", {DATABASE_VARIABLE: database, **variables})
        stack.callback(platform.stop)
        folders = [DataFolder(platform.data), *(DataFolder(top / name) for name in OTHER_WORKERS)]
        ports = [_find_port(platform, "api"), free_port()]
        front = stack.enter_context(serve_front(ports))
        others = [
            _prepare_api(platform, top, ports[1]),
            *(_prepare_worker(platform, folder, front) for folder in folders[1:]),
        ]
        team = SoakedPlatform(
            platform, [platform.url, front], folders, others, postgresql, database, store,
            variables, pace,
        )  # fmt: skip
        for other in others:
            stack.callback(other.end)
        team.tend()
        for folder in folders[1:]:
            ready = folder.run / "worker.ready"
            wait_until(ready.exists, 60, f"the worker of {folder.root} is ready", team.explain)
        yield team


def _start(data: Path, settings: dict[str, str]) -> tuple[RunningPlatform, float]:
    """Start what `skerry up` runs; return it and the machine's pace."""
    began = time.monotonic()
    platform = start_platform(data, parts=PARTS, extra_environment=settings)
    return platform, min(max(1.0, (time.monotonic() - began) / QUIET_START_S), SLOWEST_PACE)


def _find_port(platform: RunningPlatform, part: str) -> int:
    environment = platform.environment_of(part)
    return int(environment["SKERRY_SERVICE_PORT"])


def _prepare_api(platform: RunningPlatform, top: Path, port: int) -> Other:
    environment = platform.environment_of("api")
    more: dict[str, Any] = {"SKERRY_SERVICE_PORT": str(port)}
    return Other("second api", "skerry.services.api", environment | more, top / "second-api.log")


def _prepare_worker(platform: RunningPlatform, folder: DataFolder, front: str) -> Other:
    """Prepare another worker, as a machine of its own has it.

    It shares the folder of objects, if they are in a folder.
    """
    folder.create()
    environment = platform.environment_of("worker")
    if OBJECTS_VARIABLE not in environment:
        folder.objects.rmdir()
        folder.objects.symlink_to(platform.data / "objects")
    more = {"SKERRY_DATA": str(folder.root), "SKERRY_PUBLIC_URL": front}
    name = f"{folder.root.name} worker"
    return Other(name, "skerry.services.worker", environment | more, folder.logs / "worker.log")
