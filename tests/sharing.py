"""How processes share the tests: by modules, and all modules on one platform to one process.

A platform takes 15 s of processor time to start and some all the time, and each process that needs
it starts its own.
"""

from pathlib import Path

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

PLATFORMS = {
    "tests/integration/production": (
        "integration/production/test_clusters.py",
        "integration/production/test_crash.py",
        "integration/production/test_leftovers.py",
        "integration/production/test_outcomes.py",
        "integration/production/test_runs.py",
    ),
    "tests": (
        "integration/client/test_catalogue.py",
        "integration/client/test_clusters.py",
        "integration/client/test_demo.py",
        "integration/client/test_sensors.py",
        "integration/platform/test_access.py",
        "integration/platform/test_end_to_end.py",
        "integration/platform/test_listeners.py",
        "integration/platform/test_logs.py",
        "integration/platform/test_notebooks_and_clusters.py",
        "integration/platform/test_tokens.py",
        "integration/services/test_hub_identity.py",
        "integration/test_access.py",
        "notebooks/test_execution.py",
    ),
    "tests/acceptance": (
        "acceptance/test_bad_input.py",
        "acceptance/test_browser.py",
        "acceptance/test_real_data_road.py",
        "acceptance/test_road.py",
    ),
}
"""Folder whose `conftest.py` starts a platform for a session, to the modules on that platform."""
PLATFORM_OF = {f"tests/{name}": folder for folder, names in PLATFORMS.items() for name in names}


class ByPlatform(LoadScopeScheduling):
    """Gives a process a module, or all modules on a platform."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return PLATFORM_OF.get(module) or super()._split_scope(nodeid)


def sort_shared(items: list[pytest.Item], order: dict[Path, int]) -> None:
    """Sort tests for several processes: first the modules on platforms, then the slowest ones.

    So no process is left with much to do when the others have ended.

    Raises
    ------
    pytest.UsageError
        If a module on a shared platform is not among `PLATFORMS`.
    """
    limits: dict[Path, float] = {}
    for item in items:
        _check_known(item)
        limits[item.path] = max(limits.get(item.path, 0), _read_limit(item))
    items.sort(
        key=lambda item: (_module(item) not in PLATFORM_OF, -limits[item.path], -order[item.path])
    )


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _check_known(item: pytest.Item) -> None:
    assert isinstance(item, pytest.Function)
    for name in ("running_platform", "stage"):
        found = item._fixtureinfo.name2fixturedefs.get(name, ())[-1:]
        for folder in (fixture.baseid for fixture in found if fixture.scope == "session"):
            if PLATFORM_OF.get(_module(item)) != folder:
                raise pytest.UsageError(
                    f"{_module(item)} is on the platform of {folder}/conftest.py: "
                    "add it to PLATFORMS in tests/sharing.py."
                )


def _read_limit(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0
