"""What a newcomer finds on the real platform after the demo."""

import json
import subprocess
from collections.abc import Iterator

import pytest
from tests.platform_process import RunningPlatform, start_platform


@pytest.fixture(scope="session")
def running_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a platform that holds nothing but what the road brings."""
    platform = start_platform(tmp_path_factory.mktemp("acceptance") / "data")
    yield platform
    platform.stop()


@pytest.fixture(scope="session")
def platform(
    running_platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> RunningPlatform:
    """Return the platform with the demo's run behind it and a scene for notebooks by hand."""
    _run(running_platform, "demo")
    folder = tmp_path_factory.mktemp("scenes")
    _run(running_platform, "simulate", "s2-l2a", str(folder), "--size", "366", "--seed", "5")
    [scene] = folder.glob("*.SAFE")
    _run(running_platform, "import", str(scene))
    return running_platform


@pytest.fixture(scope="session")
def demo_item(platform: RunningPlatform) -> dict[str, object]:
    """Return the STAC item that the demo's run published."""
    with platform.http(platform.token) as client:
        answer = client.get(
            "/services/api/stac/search", params={"collections": "demo-water-quality"}
        )
    [item] = answer.raise_for_status().json()["features"]
    return dict(item)


def _run(platform: RunningPlatform, *arguments: str) -> None:
    try:
        platform.run(*arguments)
    except subprocess.CalledProcessError as error:
        logs = json.dumps(platform.status(), indent=1) + platform.log_text("worker")[-4000:]
        pytest.fail(f"skerry {' '.join(arguments)}\n{error.stdout}\n{error.stderr}\n{logs}")
