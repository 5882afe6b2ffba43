import json
import os
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from skerry.pipelines.timeline import Timeline

EVENT = {
    "type": "object",
    "required": ["name", "ph", "ts", "pid", "tid"],
    "properties": {
        "ph": {"enum": ["X", "C", "M"]},
        "ts": {"type": "integer", "minimum": 0},
        "args": {"type": "object"},
    },
    "allOf": [
        {
            "if": {"properties": {"ph": {"const": "X"}}},
            "then": {
                "required": ["dur", "cat"],
                "properties": {"dur": {"type": "integer", "minimum": 0}},
            },
        },
        {
            "if": {"properties": {"ph": {"const": "C"}}},
            "then": {
                "required": ["args"],
                "properties": {"args": {"additionalProperties": {"type": "number"}}},
            },
        },
    ],
}
FORMAT = {
    "type": "object",
    "required": ["traceEvents"],
    "properties": {
        "traceEvents": {"type": "array", "items": EVENT, "minItems": 1},
        "displayTimeUnit": {"enum": ["ms", "ns"]},
        "otherData": {"type": "object"},
    },
}
"""JSON object form of the Trace Event Format: what a viewer needs of the events that we write."""


def test_the_file_is_what_trace_viewers_read(tmp_path: Path) -> None:
    begin = time.perf_counter()
    with Timeline("run-1", sample_s=0.01) as timeline, timeline.span("outer", inputs=["a"]):
        with timeline.span("compute"):
            burn = time.thread_time()
            while time.thread_time() - burn < 0.1:
                np.ones(1000).sum()
        with timeline.span("hold"):
            numbers = np.ones(8 * 2**20)  # 64 MiB
            assert numbers.sum() == numbers.size
    whole_us = (time.perf_counter() - begin) * 1e6
    timeline.write(tmp_path / "deep" / "trace.json")
    result = json.loads((tmp_path / "deep" / "trace.json").read_text())
    jsonschema.validate(result, FORMAT)
    assert result["otherData"] == {"run_id": "run-1"}
    assert {item["pid"] for item in result["traceEvents"]} == {os.getpid()}
    spans = {item["name"]: item for item in result["traceEvents"] if item["ph"] == "X"}
    outer, compute, hold = (spans[name] for name in ("outer", "compute", "hold"))
    for inner in (compute, hold):
        assert outer["ts"] <= inner["ts"]
        assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 1
    assert compute["dur"] + hold["dur"] <= outer["dur"] + 2 <= whole_us + 2
    assert compute["args"]["cpu_s"] >= 0.09
    assert compute["dur"] >= 90_000
    assert hold["args"]["peak_memory_mib"] >= 64
    assert outer["args"]["inputs"] == ["a"]
    counters = [item for item in result["traceEvents"] if item["ph"] == "C"]
    assert {counter["name"] for counter in counters} == {"memory", "CPU"}


def test_a_step_that_fails_is_there_too(tmp_path: Path) -> None:
    timeline = Timeline("run-2")
    with timeline, pytest.raises(ValueError, match="broken"), timeline.span("bad"):
        raise ValueError("broken")
    assert [item["name"] for item in timeline.to_dict()["traceEvents"] if item["ph"] == "X"] == [
        "bad"
    ]
