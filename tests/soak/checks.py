"""What must hold after a soak."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tests.platform_process import wait_until
from tests.soak.platforms import SoakedPlatform
from tests.soak.soak import Soak
from tests.soak.work import describe_failures, list_items, list_runs

from skerry.core.digests import digest_bytes
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.production.executors.places import list_places
from skerry.production.tables import attempts, workers
from skerry.storage.database import database_url, open_database, reading
from skerry.storage.database_urls import parse_database_url
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.tables import grants

SETTLE_S = 60.0
FIRST_MOMENT = datetime(2026, 5, 1, 10, tzinfo=UTC)


def check_soak(soak: Soak) -> None:
    """Assert that every run succeeded once, with one whole product, and that nothing is left."""
    assert not soak.client.wrong, soak.client.wrong
    runs = list_runs(soak.client)
    assert {run["status"] for run in runs} == {"succeeded"}, describe_failures(runs)
    assert sorted(run["parameters"]["number"] for run in runs) == list(range(soak.runs))
    items = list_items(soak.client)
    by_run = {item["properties"]["skerry:run"]: item for item in items}
    assert len(items) == len(by_run) == len({item["id"] for item in items}) == soak.runs
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(OBJECTS_VARIABLE, raising=False)
        for name, value in soak.soaked.variables.items():
            patch.setenv(name, value)
        objects = open_objects(soak.soaked.folders[0])
        for run in runs:
            check_attempts(run)
            check_product(run, by_run[run["id"]], objects)
        left = [file.key for file in objects.list_files("runs/") if ".partial/" in file.key]
    assert not left, f"left half-written: {left}"
    settle(soak.soaked)


def check_attempts(run: dict[str, Any]) -> None:
    """Assert that the attempts tell the whole story of a run."""
    history = run["attempts"]
    assert [item["epoch"] for item in history] == list(range(1, run["epoch"] + 1)), history
    assert all(item["ended"] is not None for item in history), history
    assert [item["status"] for item in history].count("published") == 1, history
    others = {item["status"] for item in history} - {"published"}
    assert others <= {"crashed", "superseded", "adopted"}, history


def check_product(run: dict[str, Any], item: dict[str, Any], objects: Objects) -> None:
    """Assert that a run has one product, whose bytes are those that its attempt wrote."""
    [output] = run["outputs"]
    assert item["id"] == output["item"]
    prefix = item["properties"]["skerry:prefix"]
    assert prefix == f"runs/{run['id']}/{output['epoch']}/products/field/"
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
    assert others, "no product"
    assert all(key.startswith(prefix) for key in others), "products that no item names"


def settle(soaked: SoakedPlatform) -> None:
    """Wait until no attempt has a process, a folder, a token or a grant any more."""
    url = soaked.database
    engine = open_database(
        parse_database_url(url) if url else database_url(soaked.folders[0].database)
    )

    def find_leftovers() -> list[object]:
        soaked.tend()
        with reading(engine) as connection:
            tokens = connection.scalars(
                select(attempts.c.run_id).where(attempts.c.token_id.is_not(None))
            )
            granted = connection.scalars(select(grants.c.prefix).where(grants.c.run.is_not(None)))
            left: list[object] = [*tokens, *granted]
            if url:
                names = list(connection.scalars(select(workers.c.name)))
                left += [] if len(names) == len(soaked.folders) else [names]
        places = [places for folder in soaked.folders for places in list_places(folder.run)]
        return [*left, *(item.work for item in places if item.work.exists() or item.is_alive())]

    wait_until(
        lambda: not find_leftovers(), SETTLE_S, "nothing is left", lambda: f"{find_leftovers()}"
    )
    engine.dispose()
