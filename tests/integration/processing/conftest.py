"""Real `skerry process` in processes of its own, with a package of processors made for the test."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.validation.healthy import describe_eopf

from skerry.cli.main import run

PACKAGE = '''
"""Processors that count how often they compute, and can be held at a gate."""

import os
import threading
from pathlib import Path

import numpy as np

from skerry.core.errors import InvalidInputError
from skerry.processors.declarations import AuxiliaryInput, Output, ProductInput
from skerry.processors.registry import processor

PLACES = ("measurements/reflectance/r10m", "measurements")


def find(product):
    place = next(one for one in PLACES if one in product.groups or f"/{one}" in product.groups)
    return product[place].to_dataset()["b02"]


def hold(gate):
    """Where the gate is there, tell who opens it that we have come, and wait to be killed."""
    if gate and Path(gate).exists():
        with open(gate, "w") as stream:
            stream.write("here")
        threading.Event().wait()


def compute(block, log, gate, factor):
    if block.size:
        with open(log, "a") as stream:
            stream.write("computed\\n")
        hold(gate)
    return (block * factor).astype(np.float32)


def scale(values, log, gate, factor):
    lazy = values.chunk().data.map_blocks(
        compute, log, gate, factor, dtype=np.float32, meta=np.empty((0, 0), np.float32)
    )
    return values.copy(data=lazy).rename("b02").drop_attrs(deep=False).drop_encoding()


@processor(
    name="test-scale", version="1.0.0", inputs=[ProductInput("product", "Anything with b02")],
    outputs=[Output("b02", "1", "Scaled")], citation="Made for a test",
)
def test_scale(product, *, log: str, factor: float = 2.0, gate: str = "", before: str = ""):
    """Multiply b02."""
    hold(before)
    return scale(find(product), log, gate, factor)


@processor(
    name="test-table", version="1.0.0",
    inputs=[ProductInput("product", "Anything with b02"), AuxiliaryInput("table", "One factor")],
    outputs=[Output("b02", "1", "Scaled")], citation="Made for a test",
)
def test_table(product, table, *, log: str):
    """Multiply b02 by the number in a file."""
    return scale(find(product), log, "", float(table["factor.txt"]))


def spoil(block, how):
    if block.size and how == "memory":
        kept = np.ones(2**27)  # 1 GiB
        threading.Event().wait()  # to be ended for it
    if block.size and how == "end":
        os.kill(os.getpid(), 9)  # as the kernel does where memory runs out
    if block.size:
        raise ZeroDivisionError("there is no such number")
    return block.astype(np.float32)


@processor(
    name="test-spoil", version="1.0.0", inputs=[ProductInput("product", "Anything with b02")],
    outputs=[Output("b02", "1", "Nothing")], citation="Made for a test",
)
def test_spoil(product, *, how: str = "fault"):
    """Fail, or take more memory than there is."""
    values = find(product)
    if how == "refusal":
        raise InvalidInputError("The scene is spoilt.", remedy="Take another.")
    lazy = values.chunk().data.map_blocks(
        spoil, how, dtype=np.float32, meta=np.empty((0, 0), np.float32)
    )
    return values.copy(data=lazy).rename("b02").drop_attrs(deep=False).drop_encoding()
'''


@dataclass
class Bench:
    """A folder with a product and a payload, and the command line on them."""

    root: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.root / "computed.log"

    def count(self) -> int:
        """Blocks computed so far."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def make_gate(self, name: str) -> str:
        os.mkfifo(self.root / name)
        return str(self.root / name)

    def write(self, payload: dict[str, Any]) -> Path:
        path = self.root / "payload.yaml"
        path.write_text(yaml.safe_dump(payload))
        return path

    def start(self, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "skerry.cli", "process", *words],
            env=self.env, cwd=self.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run the command in this process, which has its imports behind it."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(["process", *words])
        return code, out.getvalue(), err.getvalue()

    def run_apart(self, *words: str) -> tuple[int, str, str]:
        """Run the command in a process of its own."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def kill_at(self, gate: str, *words: str) -> None:
        """Start, wait until the process has come to the gate, and kill it there."""
        process = self.start(*words)
        with Path(gate).open() as stream:  # opens when the process opens its end
            assert stream.read(4) == "here"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        Path(gate).unlink()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    plugin = tmp_path / "plugin"
    information = plugin / "skerry_test_processors-1.0.dist-info"
    information.mkdir(parents=True)
    (plugin / "skerry_test_processors.py").write_text(PACKAGE)
    (information / "METADATA").write_text("Name: skerry-test-processors\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[skerry.processors]\n"
        "test-scale = skerry_test_processors:test_scale\n"
        "test-table = skerry_test_processors:test_table\n"
        "test-spoil = skerry_test_processors:test_spoil\n"
    )
    monkeypatch.syspath_prepend(plugin)
    describe_eopf().write(tmp_path / "scene.zarr")
    result = Bench(tmp_path, os.environ | {"PYTHONPATH": str(plugin), "HOME": str(tmp_path)})
    yield result
    for process in result.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
