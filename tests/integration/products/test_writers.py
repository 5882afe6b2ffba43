"""Several processes write one product; one of them is killed or interrupted in the middle."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import xarray as xr
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.cli.main import run
from skerry.products import open_product
from skerry.products.writing import FORMATS, write_product

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
SAFE = "s2-l2a"
"""The simulation that stands for SAFE among the formats."""
GATED = """
import os, sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from skerry.cli.main import main

command, folder, suffix = sys.argv[1:4]
mine = f".*{suffix}.{os.getpid()}.*.partial/*{suffix}"
passed = []

def report(*_, **__):
    if not passed and list(Path(folder).glob(mine)):
        passed.append(True)
        print("here", flush=True)
        sys.stdin.readline()

@contextmanager
def stop_in_the_middle(*_, **__):
    yield report

import_module(f"skerry.cli.{command}").show_progress = stop_in_the_middle
main([command, *sys.argv[4:]])
"""


@dataclass(frozen=True)
class Case:
    """A command that writes one product into a folder."""

    words: tuple[str, ...]
    suffix: str
    folder: Path
    started: list[subprocess.Popen[str]]

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Start a writer; it stops in the middle of its work."""
        arguments = [self.words[0], self.folder, self.suffix, *self.words[1:], *more]
        process = subprocess.Popen(
            [sys.executable, "-c", GATED, *arguments], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def list_names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def list_left(self, process: subprocess.Popen[str]) -> list[str]:
        return [name for name in self.list_names() if f".{process.pid}." in name]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "small.zarr"
    write_product(assemble(3, 40, 40, EVERYTHING), path, form="eopf-zarr")
    return path


@pytest.fixture(scope="module")
def make_words(source: Path) -> Callable[[str, Path], tuple[tuple[str, ...], str]]:
    """Return a command that writes a format into a folder, and how the product's name ends."""

    def make(form: str, folder: Path) -> tuple[tuple[str, ...], str]:
        if form == SAFE:
            return ("simulate", SAFE, str(folder), "--size", "60"), ".SAFE"
        suffix = ".nc" if form == "netcdf" else ".product"
        out = str(folder / f"small{suffix}")
        return ("convert", str(source), out, "--format", form), suffix

    return make


@pytest.fixture(scope="module", params=[*FORMATS, SAFE])
def form(request: pytest.FixtureRequest) -> str:
    result: str = request.param
    return result


@pytest.fixture(scope="module")
def whole(
    form: str,
    make_words: Callable[[str, Path], tuple[tuple[str, ...], str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the folder in which one writer alone did its work."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(list(make_words(form, folder)[0])) == 0
    return folder


@pytest.fixture
def case(
    form: str, make_words: Callable[[str, Path], tuple[tuple[str, ...], str]], tmp_path: Path
) -> Iterator[Case]:
    result = Case(*make_words(form, tmp_path), tmp_path, [])
    yield result
    for process in result.started:
        process.kill()
        process.communicate()


def wait_at_gate(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if process.stdout.readline() != "here\n":
        raise AssertionError(process.communicate()[1])


def check_same(case: Case, whole: Path) -> None:
    """Check that a folder holds what one writer alone makes, and opens to the same values."""
    assert case.list_names() == sorted(path.name for path in whole.iterdir())
    for name in case.list_names():
        if name.endswith(".truth.nc"):
            assert open_product(case.folder / name).equals(open_product(whole / name))
        else:
            actual, expected = open_product(case.folder / name), open_product(whole / name)
            xr.testing.assert_identical(actual.compute(), expected.compute())


def test_of_two_writers_one_succeeds_and_its_product_is_whole(case: Case, whole: Path) -> None:
    # Simulated from another scene: neither its product nor its truth may be what stays.
    other = ("--seed", "2") if case.suffix == ".SAFE" else ()
    first, second = case.start(*other), case.start()
    for item in (first, second):
        wait_at_gate(item)
    assert not [name for name in case.list_names() if not name.startswith(".")]
    # The one goes on when the other has finished.
    _, output = second.communicate("on\n", timeout=120)
    assert second.returncode == 0, output
    _, output = first.communicate("on\n", timeout=120)
    assert first.returncode == 2
    assert output.splitlines()[0].startswith("Error: ")
    assert (
        f"{case.suffix} was written by another program in the meantime." in output.splitlines()[0]
    )
    assert len(output.splitlines()) == 2
    check_same(case, whole)


def test_killed_and_interrupted_writers_leave_no_product_and_the_next_one_tidies(
    case: Case, whole: Path
) -> None:
    killed, interrupted = case.start(), case.start()
    for item in (killed, interrupted):
        wait_at_gate(item)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=120)
    assert case.list_left(killed)
    assert case.list_left(interrupted)
    interrupted.send_signal(signal.SIGINT)
    _, output = interrupted.communicate(timeout=120)
    assert (interrupted.returncode, output.strip()) == (130, "Interrupted.")
    assert case.list_names() == case.list_left(killed)
    assert all(name.startswith(".") for name in case.list_names())
    assert run(list(case.words)) == 0
    check_same(case, whole)


FULL = """
import os, resource, sys
from skerry.cli.main import run

# No file may be larger than this: the system refuses as it does when a disk is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (200, -1))
code = run(sys.argv[1:])
sys.stderr.flush()
os._exit(code)  # at its own end HDF5 tries to write once more what it could not, and crashes
"""


@pytest.mark.parametrize("form", ["eopf-zarr", "geozarr", "netcdf", "cog", SAFE])
def test_without_room_there_is_one_error_and_nothing_else(case: Case) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, *case.words],
        cwd=ROOT, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert re.search(r"cannot be written: (File too large|Input/output error)\.", done.stderr)
    assert case.list_names() == []
