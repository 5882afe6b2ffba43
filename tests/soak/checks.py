"""What must hold after a soak."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from tests.audit_replay import check_audit
from tests.platform_process import wait_until
from tests.soak.audit_story import check_story
from tests.soak.platforms import SoakedPlatform
from tests.soak.soak import OUTAGES, Soak
from tests.soak.work import describe_failures, list_items, list_runs

from skerry.catalog.tables import items
from skerry.core.digests import digest_bytes
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.production.executors.places import list_places
from skerry.production.tables import attempts, workers
from skerry.storage.database import database_url, open_database, reading
from skerry.storage.database_urls import parse_database_url
from skerry.storage.homes import find_written
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.tables import grants

SETTLE_S = 60.0
FIRST_MOMENT = datetime(2026, 5, 1, 10, tzinfo=UTC)


def check_soak(soak: Soak) -> None:
    """Assert that every run succeeded once, with one whole product, and that nothing is left."""
    assert not soak.client.wrong, soak.client.wrong
    assert soak.outages == (OUTAGES if soak.soaked.server else 0)
    assert soak.absences == (OUTAGES if soak.soaked.store else 0)
    runs = list_runs(soak.client)
    assert {run["status"] for run in runs} == {"succeeded"}, describe_failures(runs)
    assert sorted(run["parameters"]["number"] for run in runs) == list(range(soak.runs))
    check_story(soak, runs)
    check_items(soak, runs)
    url = soak.soaked.database
    engine = open_database(
        parse_database_url(url) if url else database_url(soak.soaked.folders[0].database)
    )
    with reading(engine) as connection:
        versions = connection.scalar(select(func.count()).select_from(items))
    assert versions == soak.runs, "versions of items that were doubled"
    settle(soak.soaked, engine)
    check_audit(engine)
    engine.dispose()


def check_items(soak: Soak, runs: list[dict[str, Any]]) -> None:
    """Assert that each run has one item, and the store no other bytes of products."""
    found = list_items(soak.client)
    by_run = {item["properties"]["skerry:run"]: item for item in found}
    assert len(found) == len(by_run) == len({item["id"] for item in found}) == soak.runs
    soaked = soak.soaked
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(OBJECTS_VARIABLE, raising=False)
        for name, value in soaked.variables.items():
            patch.setenv(name, value)
        objects = open_objects(soaked.folders[0])
        for run in runs:
            check_product(run, by_run[run["id"]], objects)
        keys = [file.key for file in objects.list_files("runs/")]
    half = [key for key in keys if ".partial/" in key]
    assert not half, f"left half-written: {half}"
    assert {key.split("/")[1] for key in keys} == set(by_run), "files of unknown runs"
    if soaked.variables:
        beside = [path for data in soaked.folders for path in data.objects.rglob("*")]
        assert not beside, f"not in the bucket: {beside}"


def check_product(run: dict[str, Any], item: dict[str, Any], objects: Objects) -> None:
    """Assert that a run has one product, whose bytes are those that its attempt wrote."""
    [output] = run["outputs"]
    assert item["id"] == output["item"]
    prefix = item["properties"]["skerry:prefix"]
    written = find_written(prefix)
    assert written == f"runs/{run['id']}/{output['epoch']}/products/field/"
    assert item["properties"]["skerry:digest"] == output["digest"] == objects.digest(prefix)
    for asset in item["assets"].values():
        key = asset["href"].split("/files/", 1)[1].rstrip("/")
        content = objects.read(key)
        digest = objects.digest(f"{key}/") if content is None else digest_bytes(content)
        assert asset["file:checksum"] == digest, key
    minutes = timedelta(minutes=run["parameters"]["number"])
    moment = datetime.fromisoformat(item["properties"]["datetime"])
    assert moment == FIRST_MOMENT + minutes, "the product of another run"
    files = objects.list_files(f"runs/{run['id']}/")
    others = [file.key for file in files if "/products/" in file.key]
    assert others or prefix != written, "no product"
    assert all(key.startswith(prefix) for key in others), "products that no item names"


def settle(soaked: SoakedPlatform, engine: Engine) -> None:
    """Wait until no attempt has a process, a folder, a token or a grant any more."""

    def find_leftovers() -> list[object]:
        soaked.tend()
        with reading(engine) as connection:
            tokens = connection.scalars(
                select(attempts.c.run_id).where(attempts.c.token_id.is_not(None))
            )
            granted = connection.scalars(select(grants.c.prefix).where(grants.c.run.is_not(None)))
            left: list[object] = [*tokens, *granted]
            if soaked.server is not None:
                names = list(connection.scalars(select(workers.c.name)))
                left += [] if len(names) == len(soaked.folders) else [names]
        places = [places for folder in soaked.folders for places in list_places(folder.run)]
        return [*left, *(item.work for item in places if item.work.exists() or item.is_alive())]

    wait_until(
        lambda: not find_leftovers(), SETTLE_S, "nothing is left", lambda: f"{find_leftovers()}"
    )
