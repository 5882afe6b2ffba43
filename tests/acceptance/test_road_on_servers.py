"""The README's ten lines, unchanged, where the state is in PostgreSQL."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.acceptance.test_road import ROOT, read_road
from tests.platform_process import start_platform
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE


@pytest.mark.postgresql
@pytest.mark.timeout(900)
def test_the_road_on_postgresql(postgresql: PostgresqlServer, tmp_path: Path) -> None:
    for name in (".venv", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    with postgresql.database("template0") as url:
        platform = start_platform(tmp_path / "data", extra_environment={DATABASE_VARIABLE: url})
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", read_road()],
                cwd=tmp_path, env=platform.env | {"HOME": str(tmp_path), DATABASE_VARIABLE: url},
                capture_output=True, text=True, timeout=400, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            assert "/services/dashboards/map?item=lake/" in done.stdout.strip().splitlines()[-1]
            [run] = json.loads(platform.run("run", "list", "--json").stdout)
            assert run["status"] == "succeeded"
            assert not (platform.data / "state" / "skerry.sqlite").exists()
        finally:
            platform.stop()
