"""A payload goes on at its first unfinished step, whatever ended the run before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.processing.conftest import Bench

from skerry.products import open_product

pytestmark = pytest.mark.long


def make_payload(bench: Bench, **second: Any) -> dict[str, Any]:
    """Two steps, the first kept: b02 times 2, times 3."""
    common = {"log": str(bench.log)}
    return {
        "inputs": {"scene": "scene.zarr"},
        "steps": [
            {
                "name": "first", "processor": "test-scale", "inputs": ["scene"],
                "parameters": common, "breakpoint": True,
            },
            {
                "name": "second", "processor": "test-scale", "inputs": ["first"],
                "parameters": {**common, "factor": 3.0, **second},
            },
        ],
        "outputs": {"product": {"step": "second", "path": "out.zarr"}},
    }  # fmt: skip


def check_product(bench: Bench, factor: float = 6.0, name: str = "out.zarr") -> None:
    source = open_product(bench.root / "scene.zarr")["measurements/reflectance/r10m"]["b02"]
    product = open_product(bench.root / name)
    np.testing.assert_allclose(product["measurements"]["b02"], source * factor, rtol=1e-5)
    assert not [path for path in bench.root.iterdir() if path.name.startswith((".aside", ".old"))]


def markers(bench: Bench) -> dict[str, str]:
    folder = bench.root / "payload.work" / "markers"
    return {path.stem: json.loads(path.read_text())["state"] for path in folder.glob("*.json")}


@pytest.mark.parametrize("where", ["gate", "before"])
def test_a_killed_run_goes_on_where_it_was(bench: Bench, where: str) -> None:
    """Killed in the middle of computing the second step (gate), or between the two (before)."""
    gate = bench.make_gate("gate")
    payload = bench.write(make_payload(bench, **{where: gate}))
    bench.kill_at(gate, "--payload", str(payload))
    assert markers(bench)["step-first"] == "done"
    assert markers(bench).get("output-product") != "done"
    assert not (bench.root / "out.zarr").exists()
    computed = bench.count()

    code, out, err = bench.run("--payload", str(payload))
    assert code == 0, err
    assert "Kept step-first" in out
    assert "Wrote output-product" in out
    assert bench.count() == computed + 1, "only the second step was computed"
    check_product(bench)


def test_a_run_killed_in_its_first_step_leaves_nothing_half_written(bench: Bench) -> None:
    gate = bench.make_gate("gate")
    payload = make_payload(bench)
    payload["steps"][0]["parameters"] |= {"gate": gate}
    path = bench.write(payload)
    bench.kill_at(gate, "--payload", str(path))
    assert not (bench.root / "payload.work/products/first.zarr").exists()
    code, out, err = bench.run("--payload", str(path))
    assert code == 0, err
    assert "Wrote step-first" in out
    check_product(bench)


def test_a_second_run_does_nothing_and_says_so(bench: Bench) -> None:
    payload = bench.write(make_payload(bench))
    assert bench.run("--payload", str(payload))[0] == 0
    computed = bench.count()
    before = {path: path.stat().st_mtime_ns for path in (bench.root / "out.zarr").rglob("*")}
    code, out, _ = bench.run("--payload", str(payload))
    assert code == 0
    assert "nothing was written" in out
    assert bench.count() == computed
    assert before == {
        path: path.stat().st_mtime_ns for path in (bench.root / "out.zarr").rglob("*")
    }


def test_a_changed_parameter_does_only_what_follows_again(bench: Bench) -> None:
    payload = bench.write(make_payload(bench))
    assert bench.run("--payload", str(payload))[0] == 0
    payload = bench.write(make_payload(bench, factor=5.0))
    code, out, err = bench.run("--payload", str(payload))
    assert code == 0, err
    assert "Kept step-first" in out
    assert "Wrote output-product" in out
    check_product(bench, 10.0)


def test_a_changed_input_does_everything_again(bench: Bench) -> None:
    import zarr

    payload = bench.write(make_payload(bench))
    assert bench.run("--payload", str(payload))[0] == 0
    array: Any = zarr.open_array(bench.root / "scene.zarr/measurements/reflectance/r10m/b02")
    array[0, 0] = 4321
    code, out, _ = bench.run("--payload", str(payload))
    assert code == 0
    assert "Wrote step-first" in out
    check_product(bench)


def test_two_runs_at_once_are_refused(bench: Bench) -> None:
    gate = bench.make_gate("gate")
    payload = bench.write(make_payload(bench, gate=gate))
    first = bench.start("--payload", str(payload))
    with Path(gate).open() as stream:
        assert stream.read(4) == "here"
        code, out, err = bench.run_apart("--payload", str(payload))
    assert (code, out) == (2, "")
    assert f"process {first.pid}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["out.zarr", "payload.work/products/first.zarr"])
def test_what_was_changed_is_noticed(bench: Bench, name: str) -> None:
    payload = bench.write(make_payload(bench))
    assert bench.run("--payload", str(payload))[0] == 0
    next((bench.root / name).rglob("c/0/0")).write_bytes(b"somebody was here")
    code, out, err = bench.run("--payload", str(payload))
    if name == "out.zarr":  # it is the user's: nothing is overwritten
        assert code == 2
        assert "was changed since" in err
    else:
        assert code == 0, err
        assert "Wrote step-first" in out
        check_product(bench)


def test_what_others_wrote_is_not_overwritten(bench: Bench) -> None:
    (bench.root / "out.zarr").mkdir()
    (bench.root / "out.zarr" / "mine.txt").write_text("mine")
    code, _, err = bench.run("--payload", str(bench.write(make_payload(bench))))
    assert code == 2
    assert "was not written by this payload" in err
    assert (bench.root / "out.zarr" / "mine.txt").read_text() == "mine"


def test_a_changed_auxiliary_file_is_noticed(bench: Bench) -> None:
    folder = bench.root / "aux" / "v1"
    folder.mkdir(parents=True)
    (folder / "factor.txt").write_text("3")
    (folder / "unused.txt").write_text("0")
    payload = make_payload(bench)
    payload["auxiliary"] = {"table": {"folder": "aux", "version": "v1"}}
    payload["steps"][0] |= {"processor": "test-table"}
    path = bench.write(payload)
    assert bench.run("--payload", str(path))[0] == 0
    check_product(bench, 9.0)
    manifest = json.loads((bench.root / "out.zarr.manifest.json").read_text())
    assert list(manifest["auxiliary"]["table"]["files"]) == ["factor.txt"]

    (folder / "unused.txt").write_text("1")
    assert "nothing was written" in bench.run("--payload", str(path))[1]
    (folder / "factor.txt").write_text("4")
    code, _, err = bench.run("--payload", str(path))
    assert code == 0
    assert "factor.txt is not as it was" in err
    check_product(bench, 12.0)

    payload["auxiliary"] = {"table": {"folder": "aux", "version": "v2"}}
    code, _, err = bench.run("--payload", str(bench.write(payload)))
    assert code == 2
    assert "no version 'v2'" in err
    assert "There are: v1" in err


@pytest.mark.parametrize("scheduler", ["processes", "distributed"])
def test_other_schedulers_give_the_same(bench: Bench, scheduler: str) -> None:
    payload = make_payload(bench)
    payload["dask"] = {"scheduler": scheduler, "workers": 1}
    if scheduler == "distributed":
        payload["dask"]["memory_limit"] = "1GiB"
    code, _, err = bench.run_apart("--payload", str(bench.write(payload)), "--trace", "trace.json")
    assert code == 0, err
    check_product(bench)
    trace = json.loads((bench.root / "trace.json").read_text())
    names = [item["name"] for item in trace["traceEvents"] if item["ph"] == "X"]
    assert names == ["digest inputs", "step-first", "output-product"]
