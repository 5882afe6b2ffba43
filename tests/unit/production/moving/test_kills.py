"""A move that is killed at any moment goes on when the same command is given again."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.forked_programs import Forks, serve_forks
from tests.platform_process import SKERRY, clean_environment, wait_until
from tests.postgresql_server import take_password
from tests.unit.production.moving.conftest import (
    is_at_work,
    move,
    read_bytes,
    read_folder,
    read_records,
    register,
    settle,
    withdraw,
)

from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.production.moving.places import Place
from skerry.production.pausing import MOVE_POINTS
from skerry.storage.database import database_url
from skerry.storage.database_urls import parse_database_url
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import parse_place
from skerry.storage.platform_mark import read_mark

pytestmark = [pytest.mark.postgresql, pytest.mark.s3, pytest.mark.long]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with serve_forks(tmp_path_factory.mktemp("forks")) as program:
        yield program


@pytest.mark.parametrize("data", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", MOVE_POINTS)
def test_it_goes_on_after_a_kill(
    point: str, stopped: Place, server: Callable[[], str], bucket: str, tmp_path: Path,
    forks: Forks,
) -> None:  # fmt: skip
    folder = read_folder(stopped.data.root)
    database = server()
    address, password = take_password(database)
    places = ["--database", address, "--objects", bucket]
    result = kill_and_repeat(point, stopped, places, password, tmp_path, forks)
    assert result["again"] is (point == "after:release-store")
    check_moved(stopped, Place(stopped.data, parse_database_url(database), parse_place(bucket)))
    assert read_folder(stopped.data.root) == folder


@pytest.mark.parametrize("data", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", MOVE_POINTS)
def test_the_way_back_goes_on_after_a_kill(
    point: str,
    stopped: Place,
    server: Callable[[], str],
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    forks: Forks,
) -> None:
    """From a bucket with published bytes that were copied, some of them withdrawn again."""
    grown = settle(move(stopped, server(), bucket).target, monkeypatch)
    for name in ("third", "fourth", "fifth"):
        register(grown, name)
    withdraw(grown, "fourth")
    withdraw(grown, "fifth", delete_bytes=True)
    wait_until(lambda: not is_at_work(grown), 20, "the sessions have ended")
    records, content = read_records(grown), read_bytes(grown.objects)
    back = tmp_path / "back"
    settings = {DATABASE_VARIABLE: grown.database, OBJECTS_VARIABLE: bucket}
    places = ["--database", str(back), "--objects", str(back / "objects")]
    result = kill_and_repeat(point, grown, places, settings, tmp_path, forks)
    assert result["again"] is (point == "after:release-store")
    home = DataFolder(back)
    check_moved(grown, Place(home, database_url(home.database), parse_place(str(home.objects))))
    assert (read_records(grown), read_bytes(grown.objects)) == (records, content)


def kill_and_repeat(
    point: str, place: Place, places: list[str], settings: dict[str, str], tmp_path: Path,
    forks: Forks,
) -> dict[str, Any]:  # fmt: skip
    """Kill the command at a point, give it again, and return what it says then."""
    words = ["move", "--data", str(place.data.root), *places, "--json"]
    (tmp_path / "pause").write_text(point)
    environment = clean_environment() | settings
    with subprocess.Popen(
        [*SKERRY, *words], env=environment | {"SKERRY_PAUSE_POINTS": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        paused = tmp_path / "paused.json"
        wait_until(
            lambda: paused.exists() or process.poll() is not None, 120, f"it pauses at {point}"
        )
        assert paused.exists(), process.stderr and process.stderr.read()
        os.kill(process.pid, signal.SIGKILL)
    done = forks.run("skerry", environment, *words)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def check_moved(source: Place, target: Place) -> None:
    """Compare all records and bytes; nothing says any more that the store is being filled."""
    assert read_records(target) == read_records(source)
    assert read_bytes(target.objects) == read_bytes(source.objects)
    mark = read_mark(target.objects)
    assert mark is not None
    assert mark.filling is None
