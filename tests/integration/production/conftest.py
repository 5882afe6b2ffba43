"""A real platform whose worker and run processes can be stopped at named points."""

from collections.abc import Iterator

import pytest
from tests.integration.production.stage import Stage
from tests.platform_process import start_platform


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return hub, gateway, api and worker of a platform, with an approved release and its job."""
    data = tmp_path_factory.mktemp("runs") / "data"
    platform = start_platform(
        data,
        parts=["gateway", "api", "worker", "hub"],
        extra_environment={"SKERRY_PAUSE_POINTS": str(data / "run")},
    )
    stage = None
    try:
        stage = Stage(platform)
        yield stage
    finally:
        if stage is not None:
            stage.close()
        platform.stop()
