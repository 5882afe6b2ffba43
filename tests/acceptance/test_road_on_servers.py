"""The README's ten lines, unchanged, where the state is on servers."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.test_road import ROOT, read_road
from tests.fault_proxy import serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.platform_process import RunningPlatform, start_platform
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE, GRANTS_VARIABLE, OBJECTS_VARIABLE

# With the database alone on a server, tests/integration/platform/test_postgresql.py goes the road.
SERVERS = [
    pytest.param(("objects", "no tokens"), id="S3 without STS", marks=pytest.mark.s3),
    pytest.param(
        ("database", "objects"), id="PostgreSQL and S3",
        marks=[pytest.mark.postgresql, pytest.mark.s3],
    ),
]  # fmt: skip

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Give the variables that name the servers; the bucket's key is among them."""
    variables: dict[str, str] = {}
    with ExitStack() as servers:
        if "database" in request.param:
            postgresql: PostgresqlServer = request.getfixturevalue("postgresql")
            url = servers.enter_context(postgresql.database("template0"))
            variables[DATABASE_VARIABLE] = url
        if "objects" in request.param:
            s3: S3Server = request.getfixturevalue("s3")
            bucket = servers.enter_context(s3.bucket())
            endpoint = s3.endpoint
            if "no tokens" in request.param:
                proxy = servers.enter_context(serve_faults(s3.endpoint))
                proxy.plan = without_tokens()
                endpoint = proxy.endpoint
                variables[GRANTS_VARIABLE] = "addresses"
            variables |= {OBJECTS_VARIABLE: f"s3://{bucket}/skerry", **s3.variables(endpoint)}
        yield variables


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


@pytest.mark.parametrize("settings", SERVERS, indirect=True)
def test_the_road(settings: dict[str, str], tmp_path: Path) -> None:
    platform = start_platform(tmp_path / "data", extra_environment=settings)
    try:
        printed = walk(platform, tmp_path, settings)
        assert "/services/dashboards/map?item=lake/" in printed.strip().splitlines()[-1]
        assert (tmp_path / "build" / "turbidity.tif").stat().st_size > 1000
        [run] = json.loads(platform.run("run", "list", "--json").stdout)
        assert run["status"] == "succeeded"
        assert run["epoch"] == 1
        has_file = (platform.data / "state" / "skerry.sqlite").exists()
        assert has_file == (DATABASE_VARIABLE not in settings)
        has_objects = any((platform.data / "objects").iterdir())
        assert has_objects == (OBJECTS_VARIABLE not in settings)
    finally:
        platform.stop()
