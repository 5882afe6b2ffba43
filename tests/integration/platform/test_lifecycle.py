"""Starting, refusing, crashing and ending: `skerry up` without the parts that this is not about."""

import json
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.older_schema import open_at
from tests.platform_process import RunningPlatform, start_platform, wait_until

from skerry.storage.database import database_url
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.long

PARTS = ["gateway", "hub"]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a platform to look at, which the last test that asks for it ends."""
    started = start_platform(tmp_path_factory.mktemp("lifecycle") / "data", parts=PARTS)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a platform on the data folder of an older Skerry; the last test ends it."""
    data = DataFolder(tmp_path_factory.mktemp("older") / "data")
    data.create()
    open_at(database_url(data.database), "0001").dispose()
    started = start_platform(data.root, parts=PARTS)
    yield started
    started.stop()


def find_marked(platform: RunningPlatform) -> list[psutil.Process]:
    instance = json.loads((platform.data / "state" / "secrets.json").read_text())["instance"]
    result = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SKERRY_INSTANCE") == instance:
                result.append(process)
        except psutil.Error:
            continue
    return result


def test_start_and_status(platform: RunningPlatform) -> None:
    status = platform.status()
    assert status["ready"]
    assert [part["name"] for part in status["parts"]] == PARTS
    assert all(part["ready"] and part["url"].startswith(platform.url) for part in status["parts"])
    assert platform.password not in platform.output  # it may be recorded
    assert f"Password in  {platform.data}/password" in platform.output
    assert f"{platform.url}/services/api/stac" in platform.output


def test_secrets_are_for_the_owner_alone(platform: RunningPlatform) -> None:
    assert stat.S_IMODE(platform.data.stat().st_mode) == 0o700
    for path in platform.data.rglob("*"):
        if path.is_file() and not path.is_relative_to(platform.data / "users"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert platform.password not in platform.log_text("hub")
    assert "token" not in (platform.data / "run" / "platform.json").read_text()


def test_second_start_is_refused_naming_the_first(platform: RunningPlatform) -> None:
    refused = platform.run("up", "--data", str(platform.data), check=False)
    assert refused.returncode == 2
    assert f"process {platform.pid} at {platform.url}" in refused.stderr
    assert "skerry down" in refused.stderr
    assert platform.status()["ready"]


def test_taken_port_says_who_holds_it(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        platform = RunningPlatform(tmp_path / "data", port=port)
        refused = platform.run("up", "--data", str(platform.data), "--port", str(port), check=False)
    assert refused.returncode == 2
    assert f"Port {port} is taken by process {os.getpid()}" in refused.stderr
    assert "--port" in refused.stderr


def test_only_loopback_is_bound(platform: RunningPlatform) -> None:
    addresses = {
        connection.laddr.ip
        for process in find_marked(platform)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::1"}
    refused = platform.run("up", "--host", "0.0.0.0", check=False)
    assert refused.returncode == 2
    assert "'0.0.0.0'" in refused.stderr


def test_an_older_data_folder_is_named_with_its_copy(older: RunningPlatform) -> None:
    (copy,) = (older.data / "state").glob("skerry.sqlite.0001.*.bak")
    assert f"the database as it was is {copy}." in older.output


def test_interrupt_ends_everything_within_ten_seconds(older: RunningPlatform) -> None:
    processes = find_marked(older)
    assert len(processes) >= 4  # gateway and its proxy, hub and its proxy
    assert older.stop() < 10
    assert not any(process.is_running() for process in processes)


def test_died_part_is_started_again(platform: RunningPlatform) -> None:
    left = platform.data / "clusters" / "of-an-earlier-gateway"
    left.mkdir()
    for part in PARTS:
        before = platform.part_pids()[part]
        os.kill(before, signal.SIGKILL)
        wait_until(
            lambda part=part, before=before: (
                platform.part_pids()[part] != before and platform.status()["ready"]
            ),
            60,
            f"{part} lives again",
            lambda: platform.output,
        )
    assert re.findall(rf"^{TIME} (\w+) +died", platform.output, re.MULTILINE) == PARTS
    assert re.findall(rf"^{TIME} (\w+) +restarted$", platform.output, re.MULTILINE) == PARTS
    assert not left.exists()


def test_down_ends_everything(platform: RunningPlatform) -> None:
    result = platform.run("down")
    assert result.stdout == f"Stopped the platform at {platform.url}.\n"
    assert platform.wait() == 0
    assert find_marked(platform) == []
    assert not (platform.data / "run" / "platform.json").exists()
    ended = platform.run("status", "--json", check=False)
    assert ended.returncode == 1
    actual = json.loads(ended.stdout)
    assert (actual["ready"], actual["parts"]) == (False, [])
    assert "No platform runs" in platform.run("down").stdout


def test_killed_supervisor_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    first = start_platform(tmp_path / "data", parts=PARTS)
    token, pids = first.token, first.part_pids()
    # A hub that is killed too cannot end its proxy: that one goes on holding the public port.
    os.kill(first.pid, signal.SIGSTOP)
    os.kill(pids["hub"], signal.SIGKILL)
    first.kill()
    first.stop()
    assert not first.status()["ready"]

    second = start_platform(tmp_path / "data", port=first.port, parts=PARTS)
    try:
        assert second.token != token
        assert second.http(token).get("/hub/api/user").json()["name"] == second.user
        assert "left behind" in second.output
        assert second.log_in(second.user, second.password).get("/hub/home").url.path == "/hub/home"
    finally:
        second.stop()


def test_part_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    broken = tmp_path / "proxy.js"
    broken.write_text("process.exit(3)")
    platform = RunningPlatform(
        tmp_path / "data", parts=PARTS, extra_environment={"SKERRY_PROXY_SCRIPT": str(broken)}
    )
    platform.launch()
    assert platform.wait(90) == 1
    assert "Error: The hub ended with exit code" in platform.output
    assert str(platform.data / "logs" / "hub.log") in platform.output
    assert "Traceback" not in platform.output.split("Error:")[0]
    assert find_marked(platform) == []
