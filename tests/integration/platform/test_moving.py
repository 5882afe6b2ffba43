"""A platform grows up: moved to PostgreSQL and a bucket, and back, it answers the same."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.integration.platform.test_backup import ask
from tests.integration.platform.test_postgresql import tile_of
from tests.integration.production.stage import Stage
from tests.minio_server import S3Server
from tests.platform_process import (
    SKERRY,
    RunningPlatform,
    clean_environment,
    start_platform,
    wait_until,
)
from tests.postgresql_server import PostgresqlServer, take_password
from tests.unit.production.moving.conftest import read_folder

from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.simulate import simulate_s2_l2a

pytestmark = [
    pytest.mark.postgresql, pytest.mark.s3, pytest.mark.long, pytest.mark.timeout(1800),
]  # fmt: skip

ANSWERING = ["api", "maps", "hub"]
WORKING = ["api", "worker", "hub"]


def ask_all(platform: RunningPlatform, layers: tuple[str, ...], run: str) -> dict[str, Any]:
    """Return what the platform answers about its items, a run, and the bytes of layers' tiles."""
    answers = ask(platform)
    tiles = []
    for layer in layers:
        collection, name, _ = layer.split("/")
        shown = platform.run("items", "show", f"{collection}/{name}", "--json")
        west, south, east, north = json.loads(shown.stdout)["bbox"]
        x, y = tile_of((west + east) / 2, (south + north) / 2, 11)
        tiles.append(f"maps/tiles/{layer}/11/{x}/{y}.png?min=0&max=2")
        answers[layer] = platform.run("items", "versions", f"{collection}/{name}").stdout
    with platform.http(platform.token) as client:
        for path in (
            *tiles,
            f"api/production/runs/{run}",
            f"api/production/runs/{run}/log",
            f"api/production/runs/{run}/files/executed.html",
            "api/production/runs",
            "api/production/jobs",
        ):
            answer = client.get(f"/services/{path}").raise_for_status()
            answers[path] = answer.content.replace(platform.url.encode(), b"")
    return answers


def start_and_ask(
    data: Path,
    layers: tuple[str, ...],
    run: str,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Start a platform that carries out nothing, and return what it answers."""
    platform = start_platform(data, parts=ANSWERING, extra_environment=dict(settings))
    try:
        return ask_all(platform, layers, run)
    finally:
        platform.stop()


def move(data: Path, settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SKERRY, "move", "--data", str(data), *arguments],
        env=clean_environment() | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip


def start_runs(stage: Stage, gate: Path) -> tuple[str, list[str]]:
    """Carry out a run; start two like it, of which one waits at a gate and the other for a worker.

    Return the id of the first, and those of the others.
    """
    first = stage.start(minute=5)
    stage.wait_for(first, "succeeded")
    others = [stage.start(minute=5, gate=str(gate)) for _ in range(2)]
    stage.wait_for_epoch(others[0], 1)
    assert stage.show(others[1])["status"] == "queued"
    return first, others


def import_and_withdraw(platform: RunningPlatform, output: str, scenes: Path) -> tuple[str, ...]:
    """Import two scenes, withdraw one of them and a version of a run; return layers to look at."""
    layers = []
    for seed in (3, 4):
        scene = simulate_s2_l2a(scenes / str(seed), size=120, seed=seed)
        platform.run("import", str(scene), "--collection", f"scenes-{seed}")
        layers.append(f"scenes-{seed}/{scene.stem}/b04")
    withdraw = ("item", "withdraw", "--reason", "wrong calibration")
    platform.run(*withdraw, layers[1].removesuffix("/b04"))
    platform.run(*withdraw, output, "--version", "1", "--delete-bytes", "--yes")
    return tuple(layers)


def list_runs(platform: RunningPlatform) -> dict[str, str]:
    runs = json.loads(platform.run("run", "list", "--json").stdout)
    return {run["id"]: run["status"] for run in runs}


def test_it_grows_up_with_its_runs_and_comes_back(
    postgresql: PostgresqlServer, s3: S3Server, tmp_path: Path
) -> None:
    data, home, gate = tmp_path / "data", tmp_path / "home", tmp_path / "gate"
    with postgresql.database("template0") as database, s3.bucket() as bucket:
        place = f"s3://{bucket}/skerry"
        address, password = take_password(database)
        targets = ("--database", address, "--objects", place)
        platform = start_platform(
            data, parts=WORKING, extra_environment={"SKERRY_WORKER_RUNS": "1"}
        )
        try:
            with closing(Stage(platform)) as stage:
                run, waiting = start_runs(stage, gate)
                published = stage.show(run)
            output = f"{published['collection']}/{published['outputs'][0]['item']}"
            refused = move(data, s3.variables() | password, *targets)
            assert refused.returncode == 2
            assert "already runs" in refused.stderr
        finally:
            platform.stop()
        folder = read_folder(data)
        moved = move(data, s3.variables() | password, *targets)
        assert moved.returncode == 0, moved.stderr
        assert f"export {OBJECTS_VARIABLE}={place}" in moved.stdout
        assert f"export {DATABASE_VARIABLE}=postgresql://" in moved.stdout
        assert postgresql.password not in moved.stdout + moved.stderr
        assert read_folder(data) == folder

        grown = {DATABASE_VARIABLE: database, OBJECTS_VARIABLE: place, **s3.variables()}
        field = (f"{output}/field",)
        before = start_and_ask(data, field, run)
        assert start_and_ask(data, field, run, grown) == before

        gate.touch()
        platform = start_platform(data, parts=[*WORKING, "maps"], extra_environment=grown)
        try:
            wait_until(
                lambda: not {"queued", "running"} & set(list_runs(platform).values()),
                600, "the runs that were at work and that waited have ended", every_s=1,
            )  # fmt: skip
            assert {list_runs(platform)[run] for run in waiting} == {"succeeded"}
            layers = field + import_and_withdraw(platform, output, tmp_path / "scenes")
            after = ask_all(platform, layers, run)
        finally:
            platform.stop()
        back = move(data, grown, "--database", str(home), "--objects", str(home / "objects"))
        assert back.returncode == 0, back.stderr
        assert f"unset {DATABASE_VARIABLE}\n" in back.stdout
        assert f"skerry up --data {home}" in back.stdout
    assert start_and_ask(home, layers, run) == after
    assert (home / "state/skerry.sqlite").is_file()
