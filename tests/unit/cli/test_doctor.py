"""`skerry doctor`: each fault is named with its remedy, whether the platform runs or not."""

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import click
import psutil
import pytest
from click.testing import CliRunner
from sqlalchemy import insert
from tests.fresh_database import fill_database
from tests.platform_process import free_port
from tests.postgresql_server import PostgresqlServer
from tests.served_api import bind_free_port, make_hub_access, serve_in_thread

from skerry.cli.doctor.command import doctor, examine
from skerry.cli.doctor.findings import Finding
from skerry.cli.doctor.machine import CHECKS, look_at_attempts, look_at_upkeep
from skerry.cli.supervisor.record import GatewayRecord, PartRecord, PlatformRecord
from skerry.cli.up import up
from skerry.core.disk import FLOOR_VARIABLE
from skerry.core.errors import InvalidInputError
from skerry.core.settings import (
    DATABASE_VARIABLE,
    MAPS_PREFIX,
    OBJECTS_VARIABLE,
    ServiceSettings,
)
from skerry.core.time import utc_now
from skerry.models.upkeep import Entry, Kind, Lost, PruneReport
from skerry.production.tables import workers
from skerry.production.upkeep.last_prune import record_prune
from skerry.production.workers import WorkerBook
from skerry.services.maps import create_maps
from skerry.storage.database import (
    database_url,
    find_database,
    open_database,
    using_database,
)
from skerry.storage.layout import DataFolder
from skerry.storage.pid_files import write_pid_file
from skerry.storage.tables import audit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return a data folder whose platform does not run, and a free port."""
    data = DataFolder(tmp_path / "data")
    data.create()
    fill_database(data)
    listening, _url = bind_free_port()
    monkeypatch.setenv("SKERRY_PORT", str(listening.getsockname()[1]))
    listening.close()
    return data


def find(folder: DataFolder, check: str) -> Finding:
    """Return what one check saw; every fault has a remedy, and what is well has none."""
    findings = examine(folder)
    assert all(bool(entry.remedy) == (entry.state != "well") for entry in findings)
    return next(entry for entry in findings if entry.check == check)


def test_a_stopped_platform_is_not_broken(folder: DataFolder) -> None:
    states = {entry.check: entry.state for entry in examine(folder)}
    assert states == {
        "data folder": "well", "settings": "well", "disk": "well", "database": "well",
        "clock": "well", "objects": "well", "upkeep": "well", "packages": "well", "port": "well",
        "platform": "attention",
    }  # fmt: skip


def test_the_exit_code_says_whether_something_is_broken(folder: DataFolder) -> None:
    answer = CliRunner().invoke(doctor, ["--data", str(folder.root), "--json"])
    assert answer.exit_code == 0
    assert len(json.loads(answer.output)) == 10
    folder.database.write_bytes(b"no database, " * 500)
    answer = CliRunner().invoke(doctor, ["--data", str(folder.root)])
    assert answer.exit_code == 2
    assert "1 broken, 1 to look at" in answer.output


def test_a_kubernetes_that_does_not_answer_is_named(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = {"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [server],
        "users": [{"name": "x", "user": {"token": "x"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))
    for name, value in {
        "KUBECONFIG": str(tmp_path / "config"), "SKERRY_EXECUTOR": "kubernetes",
        "SKERRY_JOBS_NAMESPACE": "runs", "SKERRY_JOBS_IMAGE": f"skerry@sha256:{'0' * 64}",
        "AWS_REGION": "us-east-1", OBJECTS_VARIABLE: "s3://bucket/skerry",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (finding,) = look_at_attempts(folder)
    assert finding.state == "broken"
    assert "Kubernetes does not answer" in finding.detail
    assert "role.yaml" in finding.remedy


def test_no_folder_is_named(tmp_path: Path) -> None:
    (finding,) = examine(DataFolder(tmp_path / "nothing"))
    assert finding.state == "broken"
    assert str(tmp_path / "nothing") in finding.detail


def test_a_damaged_database_is_broken_and_its_copies_are_named(folder: DataFolder) -> None:
    content = bytearray(folder.database.read_bytes())
    content[4096 : 4096 * 4] = b"\x00" * (4096 * 3)
    folder.database.write_bytes(content)
    finding = find(folder, "database")
    assert finding.state == "broken"
    assert "skerry.sqlite.*.bak" in finding.remedy


def test_schemas_are_compared(folder: DataFolder) -> None:
    engine = open_database(database_url(folder.database))
    for revision, state in {"0003": "attention", "9999": "broken"}.items():
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
        engine.dispose()
        finding = find(folder, "database")
        assert finding.state == state
        assert revision in finding.detail
        assert ("skerry database upgrade" in finding.remedy) == (state == "attention")
    engine.dispose()


def test_a_disk_that_is_nearly_full_is_named_with_what_would_help(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FLOOR_VARIABLE, "1000000000")
    finding = find(folder, "disk")
    assert finding.state == "attention"
    assert "is nearly full" in finding.detail
    assert "'skerry prune' would free nothing" in finding.remedy
    (folder.logs / "api.log.1").write_bytes(b"x" * 3_000_000)
    assert "'skerry prune --yes' would free 3 MB" in find(folder, "disk").remedy


def test_a_bucket_that_cannot_be_reached_is_named(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, url = bind_free_port()
    listening.close()
    known = {
        OBJECTS_VARIABLE: "s3://lakes/skerry", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
    }  # fmt: skip
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    finding = find(folder, "objects")
    assert finding.state == "broken"
    assert finding.detail == "The object store s3://lakes/skerry does not answer."
    assert "AWS_ENDPOINT_URL" in finding.remedy


@pytest.mark.postgresql
def test_a_worker_that_shows_nothing_is_named(
    folder: DataFolder, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        with using_database(find_database(folder)) as engine, engine.begin() as connection:
            long_ago = utc_now() - timedelta(hours=1)
            connection.execute(insert(workers).values(name="gone", beats=7, seen_at=long_ago))
        alone = find(folder, "workers")
        assert alone.state == "broken"
        assert "gone" in alone.detail
        assert "no run goes on without one" in alone.remedy
        with using_database(find_database(folder)) as engine:
            WorkerBook(engine, "here").look()
        findings = {entry.detail: entry for entry in examine(folder) if entry.check == "workers"}
        assert findings.pop("here works.").state == "well"
        [stale] = findings.values()
        assert stale.state == "attention"
        assert "another worker carries its runs on" in stale.remedy


def test_a_taken_port_and_open_permissions_are_named(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setenv("SKERRY_PORT", str(port))
        finding = find(folder, "port")
    assert finding.state == "broken"
    assert f"process {os.getpid()}" in finding.detail
    folder.root.chmod(0o755)
    assert find(folder, "data folder").remedy == f"chmod 700 {folder.root}"


@pytest.mark.parametrize(
    "variable",
    ["SKERRY_PORT", "SKERRY_WORKER_RUNS", "SKERRY_KEEP_RUN_DAYS", "SKERRY_RUN_LOG_MB",
     "SKERRY_LOG_FORMAT", "SKERRY_GRANTS", "SKERRY_LARGEST_BODY", FLOOR_VARIABLE],
)  # fmt: skip
def test_a_variable_that_cannot_be_read_is_named_and_starts_nothing(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, variable: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, "odd")
    finding = find(folder, "settings")
    assert finding.state == "broken"
    assert f"{variable} is 'odd'" in finding.detail
    new = tmp_path / "new"
    # click itself reads the port, and names the value
    with pytest.raises((InvalidInputError, click.BadParameter), match="'odd'"):
        up.main(["--data", str(new)], standalone_mode=False)
    assert not new.exists()


def test_a_clock_that_is_behind_what_was_recorded_is_named(folder: DataFolder) -> None:
    later = utc_now() + timedelta(hours=1)
    with using_database(find_database(folder)) as engine, engine.begin() as connection:
        facts = {"at": later, "who": "ann", "what": "job/x", "action": "created"}
        connection.execute(insert(audit).values(facts))
    finding = find(folder, "clock")
    assert finding.state == "attention"
    assert later.strftime("%Y-%m-%dT%H:%M") in finding.detail
    assert "NTP" in finding.remedy


@pytest.mark.parametrize("error", [ValueError("odd\nthing"), OSError(5, "I/O error")])
def test_a_check_that_fails_itself_hides_no_other(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_folder: DataFolder) -> None:
        raise error

    monkeypatch.setitem(CHECKS, "disk", fail)
    finding = find(folder, "disk")
    assert finding.state == "broken"
    assert "odd thing" in finding.detail or "I/O error" in finding.detail
    assert find(folder, "port").state == "well"


def test_errors_in_logs_are_counted_by_part(folder: DataFolder) -> None:
    (folder.logs / "api.log").write_text("2026-05-01T10:30:00.123Z ERROR skerry: one\n" * 3)
    (folder.logs / "maps.log").write_text('{"level": "ERROR", "message": "two"}\n')
    (folder.logs / "hub.log").write_text("2026-05-01T10:30:00.123Z INFO hub: No ERROR here\n")
    finding = find(folder, "logs")
    assert finding.detail == "Errors near the end of logs: api 3, maps 1."


def write_record(folder: DataFolder, pid: int, created: float, url: str = "") -> None:
    PlatformRecord(
        pid=pid, created=created, url=url or "http://127.0.0.1:9", user="alice",
        gateway=GatewayRecord(address="", proxy_address=""),
        parts=[
            PartRecord(name="maps", url="", health=f"{url}{MAPS_PREFIX}/health"),
            PartRecord(name="gateway", url="", health=f"{url}{MAPS_PREFIX}/health"),
            PartRecord(name="worker", url="", beat=folder.run / "worker.ready"),
        ],
    ).write(folder)  # fmt: skip


@pytest.mark.parametrize("database", ["", "postgresql://skerry@db.example/skerry"])
def test_a_shell_that_names_another_database_than_the_platform_s_is_told(
    folder: DataFolder, database: str
) -> None:
    write_record(folder, os.getpid(), psutil.Process().create_time())
    record = PlatformRecord.read(folder)
    assert record is not None
    record.model_copy(update={"database": database}).write(folder)
    finding = find(folder, "settings")
    assert finding.state == ("attention" if database else "well")
    assert database in finding.detail
    assert ("its data folder" in finding.detail) == bool(database)


def test_a_killed_platform_is_broken(folder: DataFolder) -> None:
    write_record(folder, pid=os.getpid(), created=1.0)
    assert "ended unexpectedly" in find(folder, "platform").detail


def test_parts_say_what_they_lack(folder: DataFolder) -> None:
    listening, url = bind_free_port()
    write_record(folder, os.getpid(), psutil.Process().create_time(), url)
    settings = ServiceSettings(data=folder.root, public_url=url, port=1)
    with serve_in_thread(create_maps(settings, hub=make_hub_access("maps")), listening):
        shutil.rmtree(folder.objects)
        finding = find(folder, "maps")
        assert finding.state == "broken"
        assert finding.detail == "objects: The object store cannot be read."
        assert "goes on by itself" in finding.remedy
        write_pid_file(folder.pids / "worker.json", os.getpid())
        silent = find(folder, "worker")
        assert silent.detail == "has not reported yet"
        assert silent.remedy.endswith(f"end it: kill -9 {os.getpid()}.")
        assert find(folder, "gateway").detail == "answers", "it is not asked what it lacks"
        assert find(folder, "platform").state == "well"


def test_what_the_last_prune_found_is_repeated_with_its_remedy(folder: DataFolder) -> None:
    stray = Entry(kind=Kind.UNNAMED, name="imports/x/", size=5_000_000)
    lost = Lost(record="item i of c, version 1", prefix="imports/y/")
    engine = open_database(find_database(folder))
    for report, state, words in (
        (PruneReport(done=True), "well", "records and bytes agree"),
        (PruneReport(done=True, unnamed=[stray]), "attention", "no record names 5 MB"),
        (PruneReport(done=True, unnamed=[stray], lost=[lost]), "broken", "of 1 records are gone"),
        (PruneReport(done=True, changed=[lost]), "broken", "of 1 items were written again later"),
    ):
        record_prune(engine, report)
        (finding,) = look_at_upkeep(folder)
        assert finding.state == state
        assert words in finding.detail
        assert ("skerry prune" in finding.remedy) == (state != "well")
    engine.dispose()


@pytest.mark.slow
def test_a_database_that_is_away_is_named_once_and_in_no_log_line(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "skerry.cli", "doctor", "--data", str(folder.root)]
    address = f"postgresql://skerry@127.0.0.1:{free_port()}/skerry"
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == ""
    assert "Connection refused" in done.stdout
