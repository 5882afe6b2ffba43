"""A move that is killed at any moment goes on when the same command is given again."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.platform_process import SKERRY, clean_environment, wait_until
from tests.unit.production.moving.conftest import read_bytes, read_folder, read_records

from skerry.production.moving.places import Place
from skerry.production.pausing import MOVE_POINTS
from skerry.storage.database_urls import parse_database_url
from skerry.storage.object_places import parse_place
from skerry.storage.platform_mark import read_mark

pytestmark = [pytest.mark.postgresql, pytest.mark.s3]
POINTS = [
    MOVE_POINTS[0],
    *(pytest.param(point, marks=pytest.mark.long) for point in MOVE_POINTS[1:-1]),
    MOVE_POINTS[-1],
]


@pytest.mark.parametrize("data", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_it_goes_on_after_a_kill(
    point: str, stopped: Place, server: Callable[[], str], bucket: str, tmp_path: Path
) -> None:
    folder = read_folder(stopped.data.root)
    database = server()
    command = [
        *SKERRY, "move", "--data", str(stopped.data.root), "--database", database, "--objects",
        bucket, "--json",
    ]  # fmt: skip
    (tmp_path / "pause").write_text(point)
    environment = clean_environment()
    with subprocess.Popen(
        command, env=environment | {"SKERRY_PAUSE_POINTS": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        paused = tmp_path / "paused.json"
        wait_until(
            lambda: paused.exists() or process.poll() is not None, 120, f"it pauses at {point}"
        )
        assert paused.exists(), process.stderr and process.stderr.read()
        os.kill(process.pid, signal.SIGKILL)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["again"] is (point == "after:release-store")
    place = Place(stopped.data, parse_database_url(database), parse_place(bucket))
    assert read_records(place) == read_records(stopped)
    assert read_bytes(place.objects) == read_bytes(stopped.objects)
    mark = read_mark(place.objects)
    assert mark is not None
    assert mark.filling is None
    assert read_folder(stopped.data.root) == folder
