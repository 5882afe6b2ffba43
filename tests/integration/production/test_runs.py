"""Runs on a real platform: cancelled, timed out, retried, orphaned, interrupted, by the clock."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from tests.integration.production.stage import (
    LIMIT_S,
    Stage,
    history,
    is_gone,
    kill,
    make_notebook,
)
from tests.platform_process import wait_until

from skerry.core.digests import digest_file
from skerry.core.time import parse_time, utc_now
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.long


def list_family(pid: int) -> list[psutil.Process]:
    """Return a process with its kernel and whatever else it started."""
    process = psutil.Process(pid)
    wait_until(lambda: bool(process.children(recursive=True)), LIMIT_S, "the kernel is there")
    return [process, *process.children(recursive=True)]


def start_waiting(stage: Stage, gate: Path, job: str = "field") -> tuple[str, list[psutil.Process]]:
    """Start a run that waits at a gate; return it with its processes."""
    run = stage.start(job, gate=str(gate))
    stage.wait_for_epoch(run, 1)
    return run, list_family(stage.attempt_pid(run, 1))


def wait_until_gone(family: list[psutil.Process]) -> None:
    wait_until(lambda: all(is_gone(item.pid) for item in family), LIMIT_S, "the processes are gone")


def test_a_run_leaves_notebook_page_log_and_manifest(stage: Stage) -> None:
    run = stage.start(value=2.5)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert ended["status"] == "succeeded", stage.explain(run)
    assert ended["progress"]["done"] == ended["progress"]["total"] == 5
    manifest = json.loads(stage.fetch(f"/production/runs/{run}/files/manifest.json").content)
    release = stage.ask("GET", f"/production/releases/{stage.release}")
    for name in ("notebook_digest", "environment_digest", "self_approved"):
        assert manifest[name] == release[name]
    assert manifest["approved_by"] == release["decided_by"]
    assert (manifest["epoch"], manifest["isolation"], manifest["self_approved"]) == (
        1,
        "none",
        True,
    )
    assert manifest["parameters"]["value"] == 2.5
    product = ended["outputs"][0]
    assert manifest["outputs"] == [{"output": "field", "digest": product["digest"]}]
    executed = stage.platform.data / "objects" / "runs" / run / "1" / "executed.ipynb"
    assert manifest["executed_notebook_digest"] == digest_file(executed)
    page = stage.fetch(f"/production/runs/{run}/files/executed.html")
    assert "the gate is" in page.text
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=.https?:", page.text)
    assert page.headers["content-security-policy"] == "sandbox"
    assert "the gate is" in stage.log(run, 1)


def test_the_run_token_stands_nowhere_and_is_revoked(stage: Stage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = stage.start(gate=str(gate))
    stage.wait_for_epoch(run, 1, executing=False)
    process = psutil.Process(stage.attempt_pid(run, 1))
    environment = stage.run_environment(run)
    token = environment["SKERRY_TOKEN"]
    assert token not in " ".join(process.cmdline())
    assert "JUPYTERHUB_API_URL" not in process.environ() | environment
    gate.touch()
    stage.wait_for(run, "succeeded", "failed")
    assert token not in stage.log(run, 1)
    assert token not in stage.platform.log_text("worker")

    def refused() -> bool:
        answer = stage.ask_with(token, "GET", "/stac/search")
        return answer.status_code == 401

    wait_until(refused, LIMIT_S, "the run's token is revoked")


def test_a_run_of_which_the_worker_hears_nothing_is_found_in_its_round(stage: Stage) -> None:
    bell = DataFolder(stage.platform.data).worker_bell
    away = bell.rename(bell.with_name("away"))
    try:
        stage.wait_for(stage.start(), "succeeded")
    finally:
        away.rename(bell)


def test_cancel_ends_the_whole_tree_and_retry_makes_a_new_epoch(
    stage: Stage, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run, family = start_waiting(stage, gate)
    stage.ask("POST", f"/production/runs/{run}/cancel")
    assert stage.wait_for(run, "cancelled", "succeeded", "failed")["status"] == "cancelled"
    wait_until_gone(family)
    assert stage.show(run)["outputs"] == []
    gate.touch()
    stage.ask("POST", f"/production/runs/{run}/retry")
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [(1, "cancelled", None), (2, "published", None)]
    stage.check_published_once(run)


def test_timeout_ends_the_whole_tree(stage: Stage, tmp_path: Path) -> None:
    stage.create_job("impatient", policy={"timeout_s": 20})
    run, family = start_waiting(stage, tmp_path / "never", job="impatient")
    ended = stage.wait_for(run, "failed", "succeeded")
    assert ended["status"] == "failed"
    assert "timeout of 20 s" in ended["detail"]
    wait_until_gone(family)


def test_a_cell_that_raises_fails_the_run_and_names_the_cell(stage: Stage) -> None:
    notebook = make_notebook(("x: int = 1", "raise ValueError('no water here')"), parameters=0)
    stage.create_job("failing", stage.release_notebook("failing", notebook), policy={"retries": 1})
    run = stage.start("failing")
    ended = stage.wait_for(run, "failed", "succeeded")
    assert "Cell 2 raised ValueError: no water here" in ended["detail"]
    assert history(ended) == [(1, "failed", None), (2, "failed", None)]
    assert "no water here" in stage.fetch(f"/production/runs/{run}/files/executed.html").text


def test_an_orphan_ends_itself(stage: Stage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run, orphan = start_waiting(stage, gate)
    worker = stage.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    stage.claim(run)  # as a worker does that cannot see the attempt
    wait_until_gone(orphan)
    assert "This attempt is over" in stage.log(run, 1)
    gate.touch()
    os.kill(worker, signal.SIGCONT)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [
        (1, "superseded", None), (2, "superseded", None), (3, "published", None),
    ]  # fmt: skip
    stage.check_published_once(run)


def test_a_worker_told_to_end_takes_its_run_up_again(stage: Stage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run, family = start_waiting(stage, gate)
    worker = stage.worker_pid()
    os.kill(worker, signal.SIGTERM)
    wait_until(lambda: is_gone(worker), LIMIT_S, "the worker ends")
    assert all(is_gone(item.pid) for item in family)
    gate.touch()
    stage.wait_for_new_worker(worker)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [(1, "superseded", None), (2, "published", None)]
    stage.check_published_once(run)


def test_a_run_in_flight_survives_a_new_sequence_of_steps(stage: Stage) -> None:
    stage.arm("before:execute")
    run = stage.start()
    stage.wait_until_stopped("before:execute", run)
    worker = stage.worker_pid()
    kill(worker)
    wait_until(lambda: is_gone(worker), LIMIT_S, "the worker is gone")
    workflows = sqlite3.connect(stage.platform.data / "state" / "workflows.sqlite", timeout=30)
    with workflows:  # as a Skerry with another sequence of steps would have left it
        changed = workflows.execute(
            "UPDATE workflow_status SET application_version = '0' WHERE workflow_uuid = ?", (run,)
        )
        assert changed.rowcount == 1
    workflows.close()
    stage.wait_for_new_worker(worker)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [(1, "superseded", None), (2, "published", None)]
    stage.check_published_once(run)


def test_what_the_workflow_engine_keeps_is_plain_json(stage: Stage) -> None:
    run = stage.start()
    stage.wait_for(run, "succeeded", "failed")
    workflows = sqlite3.connect(stage.platform.data / "state" / "workflows.sqlite", timeout=30)
    inputs, serialization, created = workflows.execute(
        "SELECT workflow_input.inputs, serialization, created_at FROM workflow_status"
        " JOIN workflow_input USING (workflow_uuid) WHERE workflow_uuid = ?",
        (run,),
    ).fetchone()
    outputs = workflows.execute(
        "SELECT output FROM operation_outputs WHERE workflow_uuid = ? ORDER BY function_id", (run,)
    ).fetchall()
    workflows.close()
    assert json.loads(inputs) == {"positionalArgs": [run, 0], "namedArgs": {}}
    assert serialization == "portable_json"
    assert created is not None
    assert json.loads(outputs[0][0])["status"] == "published"


def test_a_clock_starts_runs_by_itself(stage: Stage) -> None:
    clock = {"kind": "clock", "cron": "* * * * *", "timezone": "Europe/Helsinki"}
    stage.create_job("minutely", trigger=clock)
    answer = stage.ask("GET", "/production/jobs/minutely")
    assert timedelta() <= parse_time(answer["next_tick"]) - utc_now() <= timedelta(minutes=1)
    wait_until(
        lambda: bool(stage.ask("GET", "/production/runs?job=minutely")["runs"]),
        LIMIT_S,
        "a tick makes a run",
    )
    run = stage.ask("GET", "/production/runs?job=minutely")["runs"][-1]
    assert run["occurrence"] == f"clock/{answer['next_tick']}"
    assert run["created_by"] == "clock"
    assert stage.wait_for(run["id"], "succeeded", "failed")["status"] == "succeeded"
    for left in stage.ask("GET", "/production/runs?job=minutely")["runs"]:
        stage.wait_for(left["id"], "succeeded", "failed")
    stage.ask("DELETE", "/production/jobs/minutely?history=true")


def test_a_changed_notebook_is_not_run(stage: Stage) -> None:
    release = stage.release_notebook("changed", make_notebook(("x: int = 1", "print(x)"), 0))
    stage.create_job("changed", release)
    stored = stage.platform.data / "objects" / "releases" / release / "notebook.ipynb"
    stored.write_text(stored.read_text().replace("print(x)", "print(2)"))
    ended = stage.wait_for(stage.start("changed"), "failed", "succeeded")
    assert ended["status"] == "failed"
    assert "was changed" in ended["detail"]


def test_a_second_worker_is_refused(stage: Stage) -> None:
    environment = {
        **stage.platform.env,
        "SKERRY_PUBLIC_URL": stage.platform.url,
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9",
    }
    second = subprocess.run(
        [sys.executable, "-m", "skerry.services.worker"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode == 2
    assert f"pid {stage.worker_pid()}" in second.stderr


@pytest.mark.parametrize("wait", [True, False])
def test_the_road_by_command_line(stage: Stage, tmp_path: Path, *, wait: bool) -> None:
    name = f"cli-{wait}"
    notebook = tmp_path / "field.ipynb"
    notebook.write_text(json.dumps(make_notebook()))
    skerry = stage.platform.run
    skerry("release", "propose", str(notebook), "--name", name)
    assert "by its own proposer" in skerry("release", "approve", name, "--self").stdout
    skerry("job", "create", name, "--release", name, "--review", "none", "-p", "minute=1")
    words = ["--wait"] if wait else []
    started = json.loads(skerry("run", "start", name, "-p", "value=3.5", "--json", *words).stdout)
    run = started["id"]
    stage.wait_for(run, "succeeded", "failed")
    assert started["status"] == ("succeeded" if wait else "queued")
    assert started["parameters"] == {"minute": 1, "value": 3.5, "gate": ""}
    output = skerry("run", "show", run[:20]).stdout
    assert "attempt 1   published" in output
    assert f"{name}/field-20260501T100100Z" in output
    assert run in skerry("run", "list", "--job", name).stdout
    assert "Published 1 output." in skerry("logs", run, "-f").stdout
    assert skerry("logs", "worker").returncode == 0
    for words in (["-p", "minute=99"], ["-p", "hour=1"], ["-p", "minute=x"], ["-p", "minute"]):
        refused = skerry("run", "start", name, *words, check=False)
        assert refused.returncode == 2, refused.stderr
        assert words[1].split("=")[0] in refused.stderr
    refused = skerry("run", "show", "nothing", check=False)
    assert (refused.returncode, "'nothing'" in refused.stderr) == (2, True)
