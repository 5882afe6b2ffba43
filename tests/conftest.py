"""What every test run obeys, and the one real platform that a run's tests share.

With `--complete`, nothing may be skipped, deselected or missing. Tests marked `real_data` are an
extra: where SKERRY_REAL_DATA (`make` sets it) names no folder, they are not run, and the summary
says how many; where it does, they are as all others.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.platform_process import RunningPlatform, start_platform

ACCEPTANCE_LIST = Path(__file__).parent / "acceptance" / "required.txt"
REAL_DATA = os.environ.get("SKERRY_REAL_DATA", "")
NOT_RUN = pytest.StashKey[list[str]]()
"""Names of the tests that would read real data."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--complete",
        action="store_true",
        default=os.environ.get("SKERRY_COMPLETE") == "1",
        help="fail when a test was skipped, deselected or xfailed, or a required one is missing",
    )


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, if there is one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Browser tests exist only where a browser does."""
    if collection_path.name.startswith("test_browser") and find_chromium() is None:
        return True
    return None


@pytest.fixture(scope="session")
def running_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a whole platform on a free port, its data folder empty at the session's start."""
    platform = start_platform(tmp_path_factory.mktemp("platform") / "data")
    yield platform
    platform.stop()


ORDER = ("unit", "integration", "notebooks", "acceptance", "peers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run fast tests first, and the whole road last; real-data tests only where the data are."""
    if not REAL_DATA:
        config.stash[NOT_RUN] = [
            entry.nodeid for entry in items if entry.get_closest_marker("real_data")
        ]
        items[:] = [entry for entry in items if not entry.get_closest_marker("real_data")]
    root = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(root).parts[0]))


class Completeness:
    """Counts what a run left out and turns a passing run with gaps into a failing one.

    Where several processes share the tests, the one that started them hears of all.
    """

    def __init__(self, required: list[str]) -> None:
        self.required = required
        self.known: set[str] = set()
        self.gaps: list[str] = []

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.gaps += [f"deselected: {item.nodeid}" for item in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.known |= {item.nodeid.split("[")[0] for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self.known |= {item.split("[")[0] for item in ids}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.gaps.append(f"skipped or xfailed: {report.nodeid}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        known = self.known | {item.split("[")[0] for item in session.config.stash.get(NOT_RUN, [])}
        self.gaps += [f"not collected: {name}" for name in self.required if name not in known]
        if self.gaps and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for gap in self.gaps:
            terminalreporter.write_line(f"INCOMPLETE {gap}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that shares out the tests which real-data tests were not run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash.get(NOT_RUN, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear it; every process has collected the same."""
    node.config.stash[NOT_RUN] = getattr(node, "workeroutput", {}).get("not_run", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if count := len(config.stash.get(NOT_RUN, [])):
        terminalreporter.write_line(
            f"{count} real-data tests were not run: SKERRY_REAL_DATA names no folder", yellow=True
        )


def pytest_configure(config: pytest.Config) -> None:
    if REAL_DATA and not Path(REAL_DATA, "safe").is_dir():
        raise pytest.UsageError(f"SKERRY_REAL_DATA: there is no folder {REAL_DATA}/safe.")
    if config.getoption("--complete") and not hasattr(config, "workerinput"):
        lines = ACCEPTANCE_LIST.read_text().split("\n") if ACCEPTANCE_LIST.exists() else []
        ignored = [str(item) for item in config.getoption("ignore") or []]
        wanted = [
            line
            for line in lines
            if line.startswith(tuple(config.args)) and not line.startswith(("#", *ignored))
        ]
        config.pluginmanager.register(Completeness(wanted), "completeness")
