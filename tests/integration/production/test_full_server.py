"""The disk of the database server fills while runs are at work: no accepted run is lost."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.integration.production.stage import Stage, serve_stage
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer, find_user, serve_postgresql

pytestmark = [pytest.mark.postgresql, pytest.mark.long, pytest.mark.timeout(900)]

SIZE_MB = 96
MOST_RUNS = 300
OWN_MOUNTS = ["unshare", "--mount"]
if os.geteuid() != 0:
    OWN_MOUNTS += ["--user", "--map-current-user", "--keep-caps"]


class SmallDisk:
    """A small file system in a mount name space of its own, for the server's tables.

    This process looks into it through ``/proc/<holder>/root``.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        mount = f"mount -t tmpfs -o size={SIZE_MB}m,mode=777 none {place} && echo there"
        self.place = place
        self.holder = subprocess.Popen(
            [*OWN_MOUNTS, "sh", "-c", f"{mount} && exec sleep 3600"], stdout=subprocess.PIPE
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"there\n"
        self.prefix = ["nsenter", "--mount", f"--target={self.holder.pid}"]
        if os.geteuid() != 0:
            self.prefix += ["--user", "--preserve-credentials"]
        self.inside = Path(f"/proc/{self.holder.pid}/root") / place.relative_to("/")

    def fill(self) -> None:
        """Leave no room for one more page."""
        with (self.inside / "filling").open("ab", buffering=0) as stream:
            try:
                while True:
                    stream.write(b"x" * 4096)
            except OSError:
                pass

    def make_room(self) -> None:
        """Take the filling away."""
        (self.inside / "filling").unlink()


@contextmanager
def small_disk(place: Path) -> Iterator[SmallDisk]:
    """Give a small disk, which goes after the block."""
    disk = SmallDisk(place)
    try:
        yield disk
    finally:
        disk.holder.kill()
        disk.holder.communicate()


@pytest.fixture
def stage_and_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, SmallDisk]]:
    """Start a platform whose database is on a small disk; the server's journal is elsewhere."""
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    with ExitStack() as stack:
        top = Path(stack.enter_context(_short_folder()))
        disk = stack.enter_context(small_disk(top / "small"))
        server = stack.enter_context(serve_postgresql(prefix=disk.prefix))
        database = _create_database(server, disk)
        data, settings = tmp_path_factory.mktemp("full") / "data", {"SKERRY_WORKER_RUNS": "3"}
        yield stack.enter_context(serve_stage(data, database=database, settings=settings)), disk


@contextmanager
def _short_folder() -> Iterator[str]:
    """Give a folder that the server's user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="skerry-disk-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield folder


def _create_database(server: PostgresqlServer, disk: SmallDisk) -> str:
    tables = disk.inside / "tables"
    tables.mkdir()
    if os.geteuid() == 0:  # then the server has another user
        user = find_user()
        os.chown(tables, user.pw_uid, user.pw_gid)
    server.execute(f"CREATE TABLESPACE small LOCATION '{disk.place / tables.name}'")
    server.execute("CREATE DATABASE full_disk TEMPLATE template0 TABLESPACE small")
    return server.url("full_disk")


def test_runs_wait_for_room_and_none_is_lost(
    stage_and_disk: tuple[Stage, SmallDisk], tmp_path: Path
) -> None:
    stage, disk = stage_and_disk
    gate = tmp_path / "gate"
    accepted = [stage.start(gate=str(gate)) for _ in range(3)]
    for run in accepted:
        stage.wait_for_epoch(run, 1)
    disk.fill()
    gate.touch()  # all three publish now

    def is_refused() -> bool:
        body = {"parameters": {"minute": len(accepted) % 60}}
        answer = stage.ask_with(
            stage.platform.token, "POST", "/production/jobs/field/runs", json=body
        )
        if answer.status_code == 201:
            accepted.append(answer.json()["id"])
            return False
        assert answer.status_code == 507, answer.text
        problem = answer.json()
        assert problem["title"] == "Disk full"
        assert problem["detail"] == "The disk of the database server is full."
        return True

    assert any(is_refused() for _ in range(MOST_RUNS)), "the disk is full"
    assert len(stage.ask("GET", "/production/runs?limit=1000")["runs"]) == len(accepted)
    assert stage.fetch("/stac/search").is_success
    assert "No space left on device" in stage.platform.log_text("api")
    disk.make_room()
    wait_until(
        lambda: stage.ask_with(
            stage.platform.token, "POST", "/production/jobs/field/runs",
            json={"parameters": {"minute": 59}},
        ).status_code == 201, 60, "runs are accepted again",
    )  # fmt: skip
    for run in accepted[:6]:
        ended = stage.wait_for(run, "succeeded", "failed")
        assert ended["status"] == "succeeded", stage.explain(run)
        stage.check_published_once(run)
    shown = {
        run["id"]: run["status"] for run in stage.ask("GET", "/production/runs?limit=1000")["runs"]
    }
    assert {shown[run] for run in accepted} <= {"queued", "running", "succeeded"}
    stage.check_audit()
    assert "Traceback" not in stage.platform.log_text("worker")
