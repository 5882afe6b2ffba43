"""The whole road on PostgreSQL: the demo's product, kills, another platform on the same state."""

import io
import json
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from PIL import Image
from tests.platform_process import RunningPlatform, start_platform, wait_until
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE

pytestmark = [pytest.mark.postgresql, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def database(postgresql: PostgresqlServer) -> Iterator[str]:
    """Return the address of an empty database: `skerry up` makes the tables itself."""
    with postgresql.database("template0") as url:
        yield url


@pytest.fixture(scope="module")
def platform(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a platform whose state is on the server."""
    platform = start_platform(
        tmp_path_factory.mktemp("postgresql") / "data",
        extra_environment={DATABASE_VARIABLE: database},
    )
    yield platform
    platform.stop()


def tile_of(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    """Return the XYZ tile of a place (slippy map tile names)."""
    count = 2**zoom
    y = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * count
    return int((longitude + 180) / 360 * count), int(y)


def test_the_road_of_the_demo(
    platform: RunningPlatform, database: str, postgresql: PostgresqlServer
) -> None:
    output = platform.run("demo").stdout.splitlines()[-1].partition("item=")[2].partition("&")[0]
    item = json.loads(platform.run("items", "show", output, "--json").stdout)
    assert item["properties"]["skerry:status"] == "published"
    (run,) = json.loads(platform.run("run", "list", "--json").stdout)
    assert run["status"] == "succeeded"
    west, south, east, north = item["bbox"]
    client = platform.http(platform.token)
    result = client.get(
        "/services/api/stac/search", params={"bbox": f"{west},{south},{east},{north}"}
    )
    assert item["id"] in [feature["id"] for feature in result.json()["features"]]
    x, y = tile_of((west + east) / 2, (south + north) / 2, 11)
    tile = client.get(f"/services/maps/tiles/{output}/turbidity/11/{x}/{y}.png")
    assert tile.status_code == 200, tile.text
    assert Image.open(io.BytesIO(tile.content)).convert("RGBA").getextrema()[3] == (0, 255)
    assert postgresql.password not in platform.output
    for part in platform.status()["parts"]:
        assert postgresql.password not in platform.log_text(part["name"])
    for pid in (platform.pid, *platform.part_pids().values()):
        assert postgresql.password.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert not (platform.data / "state" / "skerry.sqlite").exists()
    assert not (platform.data / "state" / "workflows.sqlite").exists()
    with psycopg.connect(database) as connection:
        for query in ("SELECT count(*) FROM items", "SELECT count(*) FROM dbos.workflow_status"):
            assert connection.execute(query).fetchone() != (0,)


def test_only_the_parts_that_open_the_database_know_its_address(
    platform: RunningPlatform,
) -> None:
    pids = platform.part_pids()
    informed = {
        name
        for name, pid in pids.items()
        if f"{DATABASE_VARIABLE}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    }
    assert informed & set(pids) == {"api", "maps", "worker"}


def test_a_restarted_server_is_found_again(
    platform: RunningPlatform, postgresql: PostgresqlServer
) -> None:
    client = platform.http(platform.token)
    before = client.get("/services/api/production/runs").json()
    run = before["runs"][0]
    postgresql.stop()
    for method, path in (
        ("GET", "runs"), ("POST", f"jobs/{run['job']}/runs"), ("POST", f"runs/{run['id']}/cancel"),
    ):  # fmt: skip
        json_body = {} if method == "POST" else None
        answer = client.request(method, f"/services/api/production/{path}", json=json_body)
        assert answer.status_code == 503, answer.text
        assert answer.json()["title"] == "Unavailable"
        assert answer.json()["detail"] == "The database does not answer."
        assert answer.headers["retry-after"] == "5"
    for part in ("api", "maps"):
        ready = client.get(f"/services/{part}/ready")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        assert ready.json()["missing"]["database"] == "The database does not answer."
    informed = ("api", "maps", "worker")
    wait_until(
        lambda: all("The database is away" in platform.log_text(part) for part in informed), 60,
        "each says it", lambda: platform.log_text("worker"),
    )  # fmt: skip
    postgresql.start()
    assert client.get("/services/api/production/runs").json() == before
    values = [
        word for name in run["parameters"] for word in ("-p", f"{name}={run['parameters'][name]}")
    ]
    started = platform.run("run", "start", run["job"], *values, "--wait", check=False)
    assert started.returncode == 0, started.stderr
    assert client.get("/services/maps/ready").is_success
    for part in informed:
        log = platform.log_text(part)
        assert log.count("The database is away") == log.count("The database is back") == 1, log
        assert "Traceback" not in log


def test_parts_that_die_come_back_to_the_same_state(platform: RunningPlatform) -> None:
    before = json.loads(platform.run("run", "list", "--json").stdout)
    old = platform.part_pids()
    for name in ("api", "worker"):
        os.kill(old[name], signal.SIGKILL)
    wait_until(
        lambda: all(platform.part_pids().get(name, 0) not in (0, old[name]) for name in old
                    if name in ("api", "worker"))
        and all(part["ready"] for part in platform.status()["parts"]),
        120, "the platform is ready again",
    )  # fmt: skip
    assert json.loads(platform.run("run", "list", "--json").stdout) == before
