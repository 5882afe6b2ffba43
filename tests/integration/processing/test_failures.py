"""What a failed or ended run says, where, and what it leaves."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from tests.integration.processing.conftest import Bench
from tests.integration.processing.test_resume import make_payload

pytestmark = pytest.mark.long

GATED = """
import os, sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from skerry.cli.main import main

def report(*_):
    if list(Path().glob(f".*.{os.getpid()}.*.partial")):
        print("here", flush=True)
        sys.stdin.readline()

@contextmanager
def stop_in_the_middle(_):
    yield report

import_module(f"skerry.cli.{sys.argv[1]}").show_progress = stop_in_the_middle
main(sys.argv[1:])
"""


def make_spoilt(how: str) -> dict[str, Any]:
    step = {"name": "water", "processor": "test-spoil", "inputs": ["scene"]}
    return {
        "inputs": {"scene": "scene.zarr"},
        "steps": [{**step, "parameters": {"how": how}}],
        "outputs": {"product": {"step": "water", "path": "out.zarr"}},
    }


def read_log(bench: Bench) -> str:
    (log,) = (bench.root / "payload.work" / "logs").iterdir()
    return log.read_text()


def list_names(bench: Bench) -> set[str]:
    return {path.name for path in bench.root.iterdir()}


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("refusal", 2, "ERROR steps.water: The scene is spoilt. Take another."),
        ("fault", 1, "ZeroDivisionError: there is no such number"),
    ],
)
def test_the_log_holds_why_a_run_failed(bench: Bench, how: str, code: int, said: str) -> None:
    ended, _, err = bench.run("--payload", str(bench.write(make_spoilt(how))))
    assert ended == code
    log = read_log(bench)
    assert said in log
    assert "steps.water" in log
    assert [line[:6] for line in err.splitlines()].count("Error:") == 1, "a person is told once"
    assert "Traceback" not in err


def test_workers_without_memory_are_named(bench: Bench) -> None:
    payload = make_spoilt("memory")
    payload["dask"] = {"scheduler": "distributed", "workers": 1, "memory_limit": "512MiB"}
    path = bench.write(payload)
    code, _, err = bench.run_apart("--payload", str(path))
    assert code == 2, err
    assert err.splitlines()[-2:] == [
        f"Error: {path}: steps.water: Workers of 512MiB ran out of memory.",
        "Raise dask.memory_limit or use fewer workers.",
    ]
    assert "distributed" not in err, "its logger is quiet"
    assert "KilledWorker" in read_log(bench)
    assert "out.zarr" not in list_names(bench)


def test_a_pool_that_lost_a_process_is_named(bench: Bench) -> None:
    payload = make_spoilt("end") | {"dask": {"scheduler": "processes", "workers": 1}}
    code, _, err = bench.run_apart("--payload", str(bench.write(payload)))
    assert code == 2, err
    assert "steps.water: Workers of this machine ran out of memory." in err
    assert "Use fewer workers." in err


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("processor", "test-scal", "steps.first.processor: There is no processor 'test-scal'"),
        ("parameters", {"log": 3}, "steps.first.parameters.log: The parameter 'log' of test-scale"),
        ("parameters", {}, "steps.first.parameters.log: "),
        ("parameters", {"log": "", "no": 1}, "steps.first.parameters.no: test-scale has no"),
    ],
)
def test_errors_name_file_and_key(bench: Bench, place: str, value: Any, named: str) -> None:
    payload = make_payload(bench)
    payload["steps"][0][place] = value
    path = bench.write(payload)
    code, _, err = bench.run("--payload", str(path))
    assert code == 2
    assert f"Error: {path}: {named}" in err
    assert bench.count() == 0


def test_what_is_not_there_is_refused_before_anything_runs(bench: Bench) -> None:
    payload = make_payload(bench)
    payload["auxiliary"] = {"unused": "nowhere"}
    code, _, err = bench.run("--payload", str(bench.write(payload)))
    assert code == 2
    assert "payload.yaml: auxiliary.unused: The folder" in err
    payload = make_payload(bench) | {"inputs": {"scene": "nowhere.zarr"}}
    code, _, err = bench.run("--payload", str(bench.write(payload)))
    assert code == 2
    assert "payload.yaml: inputs.scene.path: There is no" in err
    assert bench.count() == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outputs": {"product": {"step": "second", "path": "scene.zarr/out.zarr"}}}, "outputs"),
        ({"work": "scene.zarr/work"}, "work"),
        ({"outputs": {"product": {"step": "second", "path": "payload.work/o.zarr"}}}, "outputs"),
    ],
)
def test_nothing_is_written_into_what_is_read(
    bench: Bench, change: dict[str, Any], named: str
) -> None:
    before = sorted((bench.root / "scene.zarr").rglob("*"))
    code, _, err = bench.run("--payload", str(bench.write(make_payload(bench) | change)))
    assert code == 2
    assert f"payload.yaml: {named}" in err
    assert "is inside of" in err
    assert sorted((bench.root / "scene.zarr").rglob("*")) == before


@pytest.mark.parametrize("command", ["process", "payload", "convert", "simulate"])
def test_told_to_end_it_leaves_nothing_half_written(bench: Bench, command: str) -> None:
    payload = make_payload(bench)
    del payload["steps"][0]["breakpoint"]  # it is in the work folder, and stays
    words = {
        "process": ["process", "test-scale", "scene.zarr", "-p", "log=log", "-o", "out.zarr"],
        "payload": ["process", "--payload", str(bench.write(payload))],
        "convert": ["convert", "scene.zarr", "out.zarr"],
        "simulate": ["simulate", "s2-l2a", ".", "--size", "60"],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-c", GATED, *words], env=bench.env, cwd=bench.root, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    bench.started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    assert [name for name in list_names(bench) if name.endswith(".partial")]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert not [name for name in list_names(bench) if name.startswith((".", "out")) or "S2" in name]


def test_a_trace_that_cannot_be_written_is_refused_first(bench: Bench) -> None:
    (bench.root / "file").write_text("")
    path = str(bench.write(make_payload(bench)))
    for trace in (bench.root / "file" / "trace.json", bench.root / "scene.zarr"):
        code, _, err = bench.run("--payload", path, "--trace", str(trace))
        assert code == 2
        assert f"The trace {trace} cannot be written" in err
    assert bench.count() == 0


def test_a_trace_is_not_part_of_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk that filled up meanwhile costs the trace, not the run."""
    from skerry.pipelines.timeline import Timeline

    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Timeline, "write", fail)
    words = ["--payload", str(bench.write(make_payload(bench))), "--trace", "trace.json"]
    monkeypatch.chdir(bench.root)
    code, _, err = bench.run(*words)
    assert code == 0
    assert "The trace is not written" in err


def test_a_line_a_stage_where_there_is_no_terminal(bench: Bench) -> None:
    code, _, err = bench.run("--payload", str(bench.write(make_payload(bench))))
    assert code == 0
    assert err.splitlines() == [
        "payload.yaml: Reading inputs",
        "payload.yaml: Writing first.zarr",
        "payload.yaml: Writing out.zarr",
        "payload.yaml: Done",
    ]
