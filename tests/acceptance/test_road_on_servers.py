"""The README's ten lines, unchanged, where the bucket's store has no token service.

With the database on a server, tests/integration/platform/test_postgresql.py goes the demo's road;
with both on servers, and a bad way to the bucket, test_road_through_faults.py goes this road.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.test_road import ROOT, read_road
from tests.fault_proxy import serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.platform_process import RunningPlatform, start_platform

from skerry.core.settings import GRANTS_VARIABLE, OBJECTS_VARIABLE

pytestmark = [pytest.mark.s3, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def settings(s3: S3Server) -> Iterator[dict[str, str]]:
    """Give the variables that name a store without a token service; its key is among them."""
    with s3.bucket() as bucket, serve_faults(s3.endpoint) as proxy:
        proxy.plan = without_tokens()
        yield {
            OBJECTS_VARIABLE: f"s3://{bucket}/skerry",
            GRANTS_VARIABLE: "addresses",
            **s3.variables(proxy.endpoint),
        }


def walk(
    platform: RunningPlatform, folder: Path, settings: dict[str, str], *, within_s: float = 600
) -> str:
    """Paste the ten lines into a shell that has the settings, without the bucket's key."""
    for name in (".venv", "notebooks"):
        (folder / name).symlink_to(ROOT / name)
    shell = {name: value for name, value in settings.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", read_road()],
        cwd=folder, env=platform.env | {"HOME": str(folder)} | shell,
        capture_output=True, text=True, timeout=within_s, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def check_printed(printed: str, folder: Path) -> None:
    """Assert that the road ended with a map, and left the picture that it makes on the way."""
    assert "/services/dashboards/map?item=lake/" in printed.strip().splitlines()[-1]
    assert (folder / "build" / "turbidity.tif").stat().st_size > 1000


def test_the_road_where_the_store_gives_no_tokens(settings: dict[str, str], tmp_path: Path) -> None:
    platform = start_platform(tmp_path / "data", extra_environment=settings)
    try:
        check_printed(walk(platform, tmp_path, settings), tmp_path)
        [run] = json.loads(platform.run("run", "list", "--json").stdout)
        assert run["status"] == "succeeded"
        assert run["epoch"] == 1
        assert not any((platform.data / "objects").iterdir())
    finally:
        platform.stop()
