"""A whole platform on a real small disk: nearly full, full, and well again by its own command."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.platform_process import SKERRY, RunningPlatform, clean_environment, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

MB = 10**6
SIZE_MB = 200
FLOOR_MB = 60
QUICK = ("", "minute: int = 0\n", "print('done')\n")
OWN_NAMES = ["unshare", "--user", "--map-root-user", "--mount"]


def can_mount() -> bool:
    """Return whether this user may mount a file system that nobody else sees."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    probe = [*OWN_NAMES, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


class SmallDisk(RunningPlatform):
    """A platform whose data folder is a small file system in a mount name space of its own.

    This process looks into it through ``/proc/<holder>/root``.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        mount = f"mount -t tmpfs -o size={SIZE_MB}m none {place} && echo there && exec sleep 3600"
        self.holder = subprocess.Popen([*OWN_NAMES, "sh", "-c", mount], stdout=subprocess.PIPE)
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"there\n"
        self.place = place
        self.prefix = ["nsenter", "--preserve-credentials", "--user", "--mount",
                       "--target", str(self.holder.pid)]  # fmt: skip
        inside = Path(f"/proc/{self.holder.pid}/root") / place.relative_to("/")
        super().__init__(inside, extra_environment={"SKERRY_DISK_FLOOR_MB": str(FLOOR_MB)})

    def leave(self) -> None:
        """Give the small file system up."""
        self.holder.kill()
        self.holder.communicate()

    def launch(self, *arguments: str) -> None:
        command = ["up", "--data", str(self.place), "--port", str(self.port), *arguments]
        with (self.place.parent / f"{self.place.name}-up.log").open("wb") as output:
            self._process = subprocess.Popen(
                [*self.prefix, *SKERRY, *command], env=clean_environment() | self._extra,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = clean_environment() | self._extra | {"SKERRY_DATA": str(self.place)}
        return subprocess.run(
            [*self.prefix, *SKERRY, *arguments], env=environment, capture_output=True, text=True,
            check=check,
        )  # fmt: skip

    def _answers(self) -> bool:
        # in the name space: the record names folders as they are called there
        return bool(self.status().get("ready"))

    def fill(self, left: int) -> None:
        """Fill the disk until `left` bytes are free."""
        disk = os.statvfs(self.data)
        with (self.data / "filling").open("ab") as stream:
            try:
                for _ in range((disk.f_bavail * disk.f_frsize - left) // 4096):
                    stream.write(b"x" * 4096)
                stream.flush()
            except OSError:
                assert left == 0

    def make_room(self) -> None:
        """Take the filling away."""
        (self.data / "filling").unlink()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    if not can_mount():
        pytest.skip("this user may not mount a small file system")
    platform = SmallDisk(tmp_path_factory.mktemp("small") / "data")
    try:
        platform.start()
        yield platform
    finally:
        platform.stop()
        platform.leave()


def ask(platform: RunningPlatform, method: str, path: str, **content: Any) -> httpx.Response:
    """Send a request to production as the owner."""
    with platform.http(platform.token) as client:
        return client.request(method, f"/services/api/production/{path}", **content)


def test_a_full_disk_is_named_everywhere_waited_for_and_cleaned(platform: SmallDisk) -> None:
    body = {"name": "quick", "notebook": make_notebook(QUICK)}
    proposed = ask(platform, "POST", "releases", json=body).raise_for_status().json()
    release, approval = proposed["id"], approve_as_seen(proposed)
    ask(platform, "POST", f"releases/{release}/approve", json=approval).raise_for_status()
    clock = {"kind": "clock", "cron": "* * * * *"}
    by_hand = {"name": "by-hand", "release": release}
    ask(platform, "POST", "jobs", json=by_hand).raise_for_status()

    platform.fill(left=(FLOOR_MB - 20) * MB)
    refused = ask(platform, "POST", "jobs/by-hand/runs", json={})
    assert refused.status_code == 507
    assert refused.json()["title"] == "Disk full"
    assert str(platform.place) in refused.json()["detail"]
    assert "skerry prune" in refused.json()["remedy"]
    output = platform.run("run", "start", "by-hand", check=False)
    assert output.returncode == 1
    assert "60 MB of free disk" in output.stderr
    status = platform.status()
    assert status["ready"]
    assert status["disk"]["low"]

    ask(platform, "POST", "jobs", json={"name": "tick", "release": release, "trigger": clock})
    wait_until(
        lambda: "A run needs 60 MB of free disk" in platform.log_text("worker"), 90,
        "the clock's run waits", lambda: platform.log_text("worker"),
    )  # fmt: skip
    (run, *_) = ask(platform, "GET", "runs?job=tick").json()["runs"]
    assert run["status"] in {"queued", "running"}

    platform.fill(left=0)
    assert_named_everywhere(platform)
    platform.make_room()
    (platform.data / "logs" / "api.log.1").write_bytes(b"x" * 40 * MB)
    platform.fill(left=0)
    found = platform.run("doctor", check=False)
    assert found.returncode == 2
    assert "'skerry prune --yes' would free 4" in found.stdout
    pruned = json.loads(platform.run("prune", "--yes", "--json").stdout)
    assert sum(entry["size"] for entry in pruned["entries"]) >= 40 * MB
    wait_until(lambda: platform.status()["ready"], 60, "the platform is well again")
    assert ask(platform, "GET", "runs").status_code == 200

    platform.make_room()
    wait_until(
        lambda: ask(platform, "GET", f"runs/{run['id']}").json().get("status") == "succeeded", 120,
        "the tick's run, which waited, has succeeded",
        lambda: ask(platform, "GET", f"runs/{run['id']}").text + platform.log_text("worker"),
    )  # fmt: skip


def assert_named_everywhere(platform: SmallDisk) -> None:
    """The api, the pages, the command line and the hub all say that the disk is full."""
    with platform.http(platform.token) as client:
        seen = [200]

        def hub_has_tried_to_write() -> bool:
            """The hub notes who was active every 30 s; until then it can still read."""
            seen.append(ask(platform, "GET", "runs").status_code)
            return seen[-1] == 507

        wait_until(hub_has_tried_to_write, 90, "the api says so", lambda: str(seen), every_s=1)
        assert set(seen) == {200, 507}, "nobody is told that the token is bad"
        answer = ask(platform, "GET", "runs").json()
        assert answer["title"] == "Disk full"
        assert f"The disk of {platform.place} is full" in answer["detail"]
        page = client.get("/services/dashboards/", headers={"Accept": "text/html"})
        assert page.status_code == 507
        assert f"The disk of {platform.place} is full" in page.text
        assert "is full" in client.get("/hub/login").text
    status = platform.status()
    assert not status["ready"]
    assert status["disk"]["full"]
    for words in (["run", "start", "by-hand"], ["runs"]):
        output = platform.run(*words, check=False)
        assert output.returncode == 1
        assert f"The disk of {platform.place} is full" in output.stderr
        assert "skerry prune" in output.stderr
