"""One real platform for the tests of a session that need one."""

from collections.abc import Iterator

import pytest
from tests.platform_process import RunningPlatform, start_platform


@pytest.fixture(scope="session")
def running_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a whole platform on a free port and an empty data folder."""
    platform = start_platform(tmp_path_factory.mktemp("platform") / "data")
    yield platform
    platform.stop()
