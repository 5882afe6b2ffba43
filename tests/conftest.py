"""What every test run obeys, and the one real platform that a run's tests share.

Tests marked `long` run with `--long` and `--complete`, those marked `slow` without `--quick`. With
`--complete`, nothing may be skipped, deselected or missing: every test that the files define is
collected, and a run that leaves one out fails at once. Tests marked `real_data` are an extra: where
SKERRY_REAL_DATA (`make` sets it) names no folder, they are not run; where it does, they are as all
others. The same holds for `postgresql` where no PostgreSQL with PostGIS is installed, for `s3`
where MinIO was not built, for `keycloak` where Keycloak was not fetched, and for `kubernetes` where
its API server was not built; `--complete` demands them. With `--quick` none of these is run, and a
test with many sets of parameters is run with three of them; in a daily run, without any of these
options, a slow test is run with two of its sets. The summary says how many were left out.
"""

import ast
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests import minio_server
from tests.examples import DAILY, QUICK
from tests.kubernetes.tools import programs as kubernetes_programs
from tests.minio_server import S3Server, serve_s3
from tests.platform_process import RunningPlatform, start_platform
from tests.postgresql_server import PostgresqlServer, find_programs, serve_postgresql
from tests.sharing import ByPlatform, sort_shared
from tests.tools import keycloak

ROOT = Path(__file__).parents[1]
BY_HAND = ROOT / "tests" / "cluster"
"""Tests that run only when their folder is named: they need root, and change the machine."""
REAL_DATA = os.environ.get("SKERRY_REAL_DATA", "")
NOT_RUN = pytest.StashKey[dict[str, list[str]]]()
"""Marker to the names of the tests that were left out for it."""
WHOLE_FILE = re.compile(r"^pytestmark = .*\bmark\.(long|slow)\b", re.MULTILINE)
"""What marks all tests of a file as long or slow ones."""
WHY = {
    "keycloak": "sign-on tests with Keycloak were not run: quick run, or not fetched "
    "('make keycloak', with Maven and Java)",
    "kubernetes": "tests on Kubernetes were not run: quick run, or not built "
    "('make kubernetes-tools', with Go)",
    "long": "long proofs were left out: 'make test-all' runs them too",
    "postgresql": "tests on PostgreSQL were not run: quick run, or no PostgreSQL with PostGIS here",
    "s3": "tests on an object store were not run: quick run, or no MinIO ('make minio', with Go)",
    "real_data": "real-data tests were not run: quick run, or SKERRY_REAL_DATA names no folder",
    "slow": "slow tests were left out: 'make test' runs them",
    "parameters": "more sets of parameters were left out: 'make test-all' tries all",
}

PRESENT = {
    "keycloak": keycloak.is_there,
    "kubernetes": kubernetes_programs.are_there,
    "postgresql": lambda: find_programs() is not None,
    "s3": minio_server.is_there,
}
"""Markers of tests that need a program, and whether it is there."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--complete",
        action="store_true",
        default=os.environ.get("SKERRY_COMPLETE") == "1",
        help="run all, and fail when a test was skipped, deselected, xfailed or not collected",
    )
    parser.addoption("--long", action="store_true", help="run the long proofs too")
    parser.addoption("--quick", action="store_true", help="leave out the slow tests as well")


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, if there is one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if result := shutil.which(name):
            return result
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Browser tests exist only where a browser does; what is not run is not even imported."""
    if collection_path == BY_HAND and not _names_by_hand(config):
        return True
    if collection_path.name.startswith("test_browser") and find_chromium() is None:
        return True
    left_out = _name_left_out(config)
    if left_out and collection_path.match("test_*.py"):
        text = collection_path.read_text("utf-8")
        if (found := WHOLE_FILE.search(text)) and found[1] in left_out:
            names = config.stash.setdefault(NOT_RUN, {}).setdefault(found[1], [])
            names += [f"{collection_path}::{name}" for name in _name_tests(ast.parse(text).body)]
            return True
    return None


@pytest.fixture(scope="session")
def running_platform() -> Iterator[RunningPlatform]:
    """Return a whole platform on a free port, its data folder empty at the session's start.

    The folder's path is short, also where several processes share the tests: in a long path the
    temporary files of clusters would not stand in the data folder (`skerry.core.temporary`).
    """
    with tempfile.TemporaryDirectory(prefix="skerry-", ignore_cleanup_errors=True) as folder:
        platform = start_platform(Path(folder) / "data")
        yield platform
        platform.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Return a database server of this session's own; each test makes its databases there."""
    with serve_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Return an object store of this session's own; each test makes its buckets there."""
    with serve_s3() as server:
        yield server


ORDER = (
    "unit", "integration", "notebooks", "acceptance", "kubernetes", "helm", "peers", "cluster"
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run fast tests first, and the whole road last; leave out what this run is not for.

    Where processes share the tests, `sort_shared` has another order.
    """
    left_out = _name_left_out(config)
    if not REAL_DATA:
        left_out.add("real_data")
    if not config.getoption("--complete"):
        left_out |= {mark for mark, is_there in PRESENT.items() if not is_there()}
    not_run = config.stash.setdefault(NOT_RUN, {})
    for item in list(items):
        mark = next((name for name in sorted(left_out) if item.get_closest_marker(name)), None)
        if mark is not None:
            items.remove(item)
            not_run.setdefault(mark, []).append(item.nodeid)
    if left_out & {"slow", "long"}:
        not_run["parameters"] = _leave_out_parameters(items, is_quick="slow" in left_out)
    order = {
        item.path: ORDER.index(item.path.relative_to(ROOT / "tests").parts[0]) for item in items
    }
    items.sort(key=lambda item: order[item.path])
    if hasattr(config, "workerinput"):
        sort_shared(items, order)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform | None:
    """Give the modules on one platform to one process."""
    return ByPlatform(config, log) if config.getoption("dist") == "loadscope" else None


def _names_by_hand(config: pytest.Config) -> bool:
    """Return whether this run was told to run them."""
    named = [Path(item.partition("::")[0]).absolute() for item in config.args]
    return any(path.is_relative_to(BY_HAND) for path in named)


def _name_left_out(config: pytest.Config) -> set[str]:
    """Return the markers of tests that this run is not for."""
    named = any("::" in argument for argument in config.args)
    if named or config.getoption("--long") or config.getoption("--complete"):
        return set()
    if config.getoption("--quick"):
        return {"keycloak", "kubernetes", "long", "slow", "postgresql", "s3", "real_data"}
    return {"long"}


def _leave_out_parameters(items: list[pytest.Item], *, is_quick: bool) -> list[str]:
    """Keep first and last parameters of each slow test; return the names of the others.

    These are often the smallest state (a file, a folder) and the largest (a database server, a
    bucket). A quick run keeps first, middle and last of every test.
    """
    sets: dict[str, list[pytest.Item]] = {}
    for item in items:
        if is_quick or item.get_closest_marker("slow"):
            sets.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = set()
    for same in sets.values():
        kept = (0, len(same) // 2, len(same) - 1) if is_quick else (0, len(same) - 1)
        left_out |= {item.nodeid for index, item in enumerate(same) if index not in kept}
    items[:] = [item for item in items if item.nodeid not in left_out]
    return sorted(left_out)


class Completeness:
    """Ends a run with a failure as soon as it is known that the run leaves out a test.

    Where several processes share the tests, the one that started them hears of all.
    """

    def __init__(self, defined: set[str]) -> None:
        self.defined = defined

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        _refuse([f"deselected: {item.nodeid}" for item in items])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not session.config.getoption("numprocesses", None):
            self.check([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.check(ids)

    def check(self, collected: list[str]) -> None:
        """Refuse a run that misses tests which the files define."""
        missing = self.defined - {name.split("[")[0] for name in collected}
        _refuse([f"not collected: {name}" for name in sorted(missing)])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            _refuse([f"skipped or xfailed: {report.nodeid}"])


def _refuse(gaps: list[str]) -> None:
    if gaps:
        pytest.exit("\n".join(["this run is incomplete", *gaps]), pytest.ExitCode.TESTS_FAILED)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that shares out the tests which were left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash.get(NOT_RUN, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it; every process has collected the same."""
    node.config.stash[NOT_RUN] = getattr(node, "workeroutput", {}).get("not_run", {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for mark, names in config.stash.get(NOT_RUN, {}).items():
        if names:
            terminalreporter.write_line(f"{len(names)} {WHY[mark]}", yellow=True)


def find_tests(folders: list[Path], ignored: list[Path]) -> set[str]:
    """Return the node ids, without parameters, of the tests below that this machine must run."""
    return {
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for folder in folders
        for path in ([folder] if folder.is_file() else folder.rglob("test_*.py"))
        if not any(path.is_relative_to(item) for item in ignored)
        for name in _name_tests(ast.parse(path.read_text("utf-8")).body)
    }


def _name_tests(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")]) if _is_left_out([node.value]):
                return
            case ast.ClassDef() if node.name.startswith("Test"):
                yield from (f"{node.name}::{name}" for name in _name_tests(node.body))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test"):
                if not _is_left_out(node.decorator_list):
                    yield node.name


def _is_left_out(marks: list[ast.expr]) -> bool:
    return not REAL_DATA and any("real_data" in ast.unparse(mark) for mark in marks)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile(QUICK)
    elif not (config.getoption("--long") or config.getoption("--complete")):
        settings.load_profile(DAILY)
    if REAL_DATA and not Path(REAL_DATA, "safe").is_dir():
        raise pytest.UsageError(f"SKERRY_REAL_DATA: there is no folder {REAL_DATA}/safe.")
    if config.getoption("--complete") and not hasattr(config, "workerinput"):
        ignored = [Path(item).absolute() for item in config.getoption("ignore") or []]
        ignored += [] if _names_by_hand(config) else [BY_HAND]
        folders = [Path(item).absolute() for item in config.args if "::" not in item]
        defined = find_tests(folders, ignored)
        config.pluginmanager.register(Completeness(defined), "completeness")
