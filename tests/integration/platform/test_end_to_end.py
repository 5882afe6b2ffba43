"""`skerry doctor --run` on a real platform: every step, faults in words, and nothing left."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from tests.platform_process import RunningPlatform

from skerry.cli.doctor import end_to_end
from skerry.cli.doctor.end_to_end import EndToEndRun
from skerry.cli.doctor.findings import Finding
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import UnavailableError

STEPS = ["start", "run", "search", "tile", "cluster", "clean-up"]


@pytest.fixture
def session(running_platform: RunningPlatform) -> Iterator[Session]:
    platform = running_platform
    login = Login(url=platform.url, token=platform.token, user=platform.user)
    with closing(Session(login)) as session:
        yield session


def list_traces(session: Session) -> list[str]:
    """Return what is left of end-to-end runs."""
    found = [job["name"] for job in session.request("GET", "production/jobs")["jobs"]]
    found += [entry["id"] for entry in session.request("GET", "stac/collections")["collections"]]
    found += [entry["name"] for entry in session.request("GET", "production/releases")["releases"]]
    return [name for name in found if name.startswith("end-to-end")]


def test_the_whole_way_is_gone_and_nothing_is_left(
    running_platform: RunningPlatform, session: Session
) -> None:
    done = running_platform.run("doctor", "--run", "--json", check=False)
    findings = [Finding.model_validate(entry) for entry in json.loads(done.stdout)]
    steps = [finding for finding in findings if finding.seconds is not None]
    assert [(step.check, step.state) for step in steps] == [(name, "well") for name in STEPS], steps
    assert done.returncode == (2 if any(f.state == "broken" for f in findings) else 0)
    assert sum(step.seconds or 0 for step in steps) < 120, "it is a run of two minutes"
    assert list_traces(session) == []
    assert session.request("GET", "clusters")["clusters"] == []
    with running_platform.http() as anybody:
        told = anybody.get("/services/api/platform/notices").json()
    assert told["end_to_end"]["seconds"] > 0
    trail = json.loads(
        running_platform.run("audit", "--what", "upkeep/end-to-end", "--json").stdout
    )
    assert trail[0]["who"] == running_platform.user


def test_a_worker_that_stands_still_is_named_and_the_run_is_removed(
    running_platform: RunningPlatform, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_to_end, "_RUN_WITHIN_S", 2.0)
    worker = running_platform.part_pids()["worker"]
    os.kill(worker, signal.SIGSTOP)
    try:
        steps = list(EndToEndRun(session).go())
    finally:
        os.kill(worker, signal.SIGCONT)
    assert [step.check for step in steps] == ["start", "run", "clean-up"]
    assert steps[1].state == "broken"
    assert "is still queued: no worker has taken it" in steps[1].detail
    assert steps[2].state == "well"
    assert list_traces(session) == []


@pytest.mark.parametrize(
    ("path", "step"), [("stac/search", "search"), ("/services/maps/tiles/", "tile")]
)
def test_a_step_that_fails_ends_the_way_and_is_cleaned_up(
    session: Session, monkeypatch: pytest.MonkeyPatch, path: str, step: str
) -> None:
    send = session.send

    def fail(method: str, where: str, **options: object) -> httpx.Response:
        if where.startswith(path):
            raise UnavailableError("It is away.", remedy="Start it.")
        return send(method, where, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "send", fail)
    steps = list(EndToEndRun(session).go())
    assert [entry.check for entry in steps] == [*STEPS[: STEPS.index(step) + 1], "clean-up"]
    assert (steps[-2].state, steps[-2].detail) == ("broken", "It is away.")
    assert steps[-1].state == "well"
    monkeypatch.undo()
    assert list_traces(session) == []


def test_ctrl_c_cleans_up_too(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    run = EndToEndRun(session)

    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_search", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(run.go())
    assert list_traces(session) == []


def test_maintenance_is_announced_from_the_command_line(running_platform: RunningPlatform) -> None:
    times = ("--from", "2099-12-01T20:00:00Z", "--until", "2099-12-01T21:00:00Z")
    announced = running_platform.run("maintenance", "announce", "New version", *times)
    line = "2099-12-01T20:00:00Z to 2099-12-01T21:00:00Z: New version"
    assert announced.stdout.strip() == line
    assert running_platform.run("maintenance", "show").stdout.strip() == line
    running_platform.run("maintenance", "withdraw")
    assert "No maintenance" in running_platform.run("maintenance", "show").stdout
    again = running_platform.run("maintenance", "withdraw", check=False)
    assert again.returncode == 2
    wrong = running_platform.run(
        "maintenance", "announce", "x", *times[:3], "tomorrow", check=False
    )
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
