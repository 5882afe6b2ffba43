"""A kernel that was started before its attempt is the attempt's like any other, and clean."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tests.integration.production.stage import make_notebook

_PROGRAM = """
import json, os, sys
from pathlib import Path

from skerry.core.errors import SkerryError
from skerry.core.worker_settings import RunLimits
from skerry.production.capped_outputs import CellOutputs
from skerry.production.cells import Cells
from skerry.production.heartbeat import Progress
from skerry.production.kernel import Kernel
from skerry.production.run_log import RunLog

told = {}
os.chdir("before")
kernel = Kernel()
kernel.wait_until_ready()
told["started with"] = Path(f"/proc/{kernel.process.pid}/environ").read_bytes().decode()
exec(os.environ["MEANWHILE"])
os.environ["SECRET"] = "of the attempt"
os.environ["TMPDIR"] = os.environ["WORK"]
os.chdir(os.environ["WORK"])
log = RunLog.take_over(1_000_000)
log.follow(kernel.output)
cells = Cells(json.load(sys.stdin), 9, Progress(), CellOutputs(log, RunLimits()), lambda: None)
try:
    told["remark"] = cells.execute(kernel)
except SkerryError as error:
    told["error"] = str(error)
kernel.wait_for_end()
log.close()
told["exit code"] = kernel.find_exit_code()
told["outputs"] = [cell.get("outputs", []) for cell in cells.notebook["cells"]]
Path("told.json").write_text(json.dumps(told))
os._exit(0)
"""


@pytest.fixture
def work() -> Iterator[Path]:
    with TemporaryDirectory() as short:
        for name in ("before", "work"):
            Path(short, name).mkdir()
        yield Path(short) / "work"


def carry_out(work: Path, *cells: str, meanwhile: str = "") -> tuple[dict[str, Any], str]:
    """Execute cells in a kernel that waited; return what is told, and the log."""
    variables = {
        "WORK": str(work), "MEANWHILE": meanwhile, "IPYTHONDIR": str(work / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(work / "runtime"), "JUPYTER_PLATFORM_DIRS": "1",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=work.parent,
        env=os.environ | variables,
        input=json.dumps(make_notebook(cells, parameters=None)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads((work / "told.json").read_text()), ended.stdout


def read_texts(told: dict[str, Any]) -> list[str]:
    return ["".join(part.get("text", "") for part in outputs) for outputs in told["outputs"]]


@pytest.mark.long
def test_it_has_the_attempts_environment_and_folder_and_nothing_before(work: Path) -> None:
    told, log = carry_out(
        work,
        "import os, tempfile\nprint(os.getcwd(), os.environ['SECRET'], tempfile.gettempdir())",
        "print(sorted(name for name in globals() if not name.startswith('_')))",
        "import subprocess\nprint(subprocess.check_output(['printenv', 'SECRET'], text=True))",
        "print(len(In))",
        "print(open('/proc/self/environ').read())",
    )
    first, names, child, count, shown = read_texts(told)
    assert first.split() == [str(work), "of", "the", "attempt", str(work)]
    own = {"In", "Out", "exit", "get_ipython", "open", "os", "quit", "tempfile"}
    assert set(ast.literal_eval(names)) == own
    assert child.strip() == "of the attempt"
    assert int(count) == 5  # with the empty one before the first
    assert "SECRET" not in told["started with"] + shown
    assert (work.parent / "before" / "kernel.json").stat().st_mode & 0o777 == 0o600
    assert "of the attempt" in log
    assert told["exit code"] == 0


@pytest.mark.long
def test_what_it_prints_past_the_notebook_stands_in_the_log(work: Path) -> None:
    _, log = carry_out(
        work,
        "import os, sys\nprint('in the notebook')",
        "import faulthandler\nfaulthandler.enable(2)\nos.write(2, b'past it')\nos.abort()",
    )
    assert "in the notebook" in log
    assert "past it" in log


@pytest.mark.long
def test_its_own_work_at_the_end_of_python_is_done(work: Path) -> None:
    cell = "import atexit, pathlib\natexit.register(lambda: pathlib.Path('end').touch())"
    told, _ = carry_out(work, cell, "!pip install nothing")
    assert "Packages cannot be installed inside of a run" in told["error"]
    assert (work / "end").exists(), "however it ended"
    assert told["exit code"] == 0


@pytest.mark.long
def test_one_that_died_while_it_waited_is_noticed(work: Path) -> None:
    told, _ = carry_out(work, "print(1)", meanwhile="kernel.process.kill(); kernel.process.wait()")
    assert "exit code -9 before the first cell" in told["error"]
