"""Over HTTP, for anybody: the published version is shown until another version is published."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import zarr
from PIL import Image
from sqlalchemy import Connection, Engine
from tests.served_api import (
    ServedApi,
    bind_free_port,
    make_hub_access,
    open_client,
    serve_in_thread,
)
from tests.stac_documents import insert_written, make_collection, make_item

from skerry.catalog.collections import put_collection
from skerry.core.scopes import OPERATOR
from skerry.core.settings import MAPS_PREFIX, ServiceSettings
from skerry.services.maps import create_maps
from skerry.storage.database import database_url, open_database

STEPS = ("preliminary", "published", "publish", "withdraw")
TILE = "9/275/185.png?format=rgba&min=0&max=255&colormap=gray"
"""Within the pixels of `write_product`."""


def write_product(folder: Path, value: int) -> None:
    """Write a product of one value, 13 to 14 degrees east, 44 to 45 north."""
    root = zarr.open_group(folder, mode="w")
    level = root.require_group("0")
    array = level.create_array("b04", shape=(8, 8), dtype="uint8", chunks=(8, 8))
    array[...] = value
    transform = [0.125, 0.0, 13.0, 0.0, -0.125, 45.0]
    layout = [{"asset": "0", "spatial:transform": transform}]
    root.attrs.update({"multiscales": {"layout": layout}, "proj:code": "EPSG:4326"})


@pytest.fixture
def engine(api: ServedApi) -> Iterator[Engine]:
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        put_collection(connection, make_collection(public=True), "lakes", owner="alice")
    yield engine
    engine.dispose()


@pytest.fixture
def maps_url(api: ServedApi) -> Iterator[str]:
    with serve_maps(api) as url:
        yield url


@contextmanager
def serve_maps(api: ServedApi) -> Iterator[str]:
    listening, url = bind_free_port()
    settings = ServiceSettings(data=api.data.root, public_url=url, port=listening.getsockname()[1])
    app = create_maps(settings, hub=make_hub_access("maps"), verifier=api.book)
    with serve_in_thread(app, listening):
        yield f"{url}{MAPS_PREFIX}"


def insert_version(connection: Connection, data: Path, name: str, number: int, status: str) -> None:
    prefix = f"runs/{name}/{number}/products/t/"
    write_product(data / prefix / "product.zarr", 10 * number)
    item = make_item(name, bbox=(13, 44, 14, 45), prefix=prefix, content=f"{name}{number}")
    item["properties"]["skerry:variables"] = {"b04": {"path": "b04"}}
    insert_written(
        connection, item, collection="lakes", status=status, owner="p", run=f"{name}-{number}",
        output="t",
    )  # fmt: skip


def apply_step(
    api: ServedApi, engine: Engine, name: str, step: str, statuses: list[str]
) -> list[str] | None:
    """Change the catalogue; return the statuses that follow, None where there is no subject."""
    if step in ("preliminary", "published"):
        with engine.begin() as connection:
            insert_version(connection, api.data.objects, name, len(statuses) + 1, step)
        gone = {"preliminary", step}
        return [*("superseded" if item in gone else item for item in statuses), step]
    subject, changes = {
        "publish": ("preliminary", {"published": "superseded", "preliminary": "published"}),
        "withdraw": ("published", {"published": "withdrawn"}),
    }[step]
    if subject not in statuses:
        return None
    path = f"stac/collections/lakes/items/{name}/versions/{statuses.index(subject) + 1}/{step}"
    with api.client("alice-token") as client:
        body = {"reason": "wrong calibration"} if step == "withdraw" else None
        client.post(path, json=body).raise_for_status()
    return [changes.get(item, item) for item in statuses]


SEEN = {
    None: ("published",),
    "reader-token": ("published", "preliminary"),
    "operator-token": ("published", "preliminary", "withdrawn"),
    "alice-token": ("published", "preliminary", "withdrawn"),
}
"""The statuses that the holder of a token sees, best first."""


def expect(statuses: list[str], token: str | None) -> int | None:
    for status in SEEN[token]:
        if status in statuses:
            return len(statuses) - statuses[::-1].index(status)
    return None


def read_versions(answer: httpx.Response, name: str) -> list[int]:
    assert answer.status_code == 200
    features = answer.json()["features"]
    return [item["properties"]["skerry:version"] for item in features if item["id"] == name]


def read_tile(answer: httpx.Response) -> int | None:
    """Return the version that was drawn: its number is in the grey of the pixels."""
    if answer.status_code != 200:
        return None
    pixel = Image.open(io.BytesIO(answer.content)).convert("RGBA").getpixel((128, 128))
    assert isinstance(pixel, tuple)
    return round(pixel[0] / 10)


def look(client: httpx.Client, maps: httpx.Client, name: str) -> dict[str, Any]:
    """Return which version every address shows; an empty list or None for none."""
    item = client.get(f"stac/collections/lakes/items/{name}")
    answer = item.json()["properties"]["skerry:version"] if item.status_code == 200 else None
    layers = maps.get(f"tiles/lakes/{name}/b04/tilejson.json")
    page = client.get("stac/collections/lakes/items?limit=1000")
    links = [link["rel"] for link in item.json()["links"]] if answer else []
    return {
        "item": answer,
        "search": read_versions(client.get("stac/search", params={"ids": name}), name),
        "place": read_versions(
            client.post("stac/search", json={"bbox": [13.2, 44.2, 13.4, 44.4], "ids": [name]}),
            name,
        ),
        "items": read_versions(page, name),
        "layers": layers.status_code == 200 and {"xyz", "tilejson"} <= set(links),
        "tile": read_tile(maps.get(f"tiles/lakes/{name}/b04/{TILE}")),
    }


@pytest.mark.slow
@pytest.mark.parametrize("first", [STEPS[0], pytest.param(STEPS[1], marks=pytest.mark.long)])
def test_every_order_shows_the_published_version_until_another_is_published(
    api: ServedApi, engine: Engine, maps_url: str, first: str
) -> None:
    seen: set[tuple[str, ...]] = set()
    api.book.tokens["operator-token"] = ("olga", OPERATOR)
    for order in product(STEPS, repeat=2):
        statuses: list[str] = []
        done: tuple[str, ...] = ()
        name = "-".join((first, *order))
        for step in (first, *order):
            after = apply_step(api, engine, name, step, statuses)
            if after is None:
                break
            statuses, done = after, (*done, step)
            if done in seen:
                continue
            seen.add(done)
            for token in SEEN:
                with api.client(token) as client, open_client(f"{maps_url}/", token) as maps:
                    version = expect(statuses, token)
                    some = [] if version is None else [version]
                    assert look(client, maps, name) == {
                        "item": version, "search": some, "place": some, "items": some,
                        "layers": version is not None, "tile": version,
                    }, (done, token)  # fmt: skip
    assert len(seen) > 10
