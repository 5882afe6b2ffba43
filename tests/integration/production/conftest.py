"""A real platform whose worker and run processes can be stopped at named points."""

from collections.abc import Iterator

import pytest
from tests.integration.production.stage import Stage, serve_stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return hub, gateway, api and worker of a platform, with an approved release and its job."""
    data = tmp_path_factory.mktemp("runs") / "data"
    with serve_stage(data, settings={"SKERRY_PAUSE_POINTS": str(data / "run")}) as stage:
        yield stage
