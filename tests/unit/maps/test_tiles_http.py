"""The maps program over HTTP, on a real database and real products; only the hub is a book."""

import io
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import Engine
from tests.described_answers import DescribedAnswers
from tests.fresh_database import fill_database
from tests.stac_documents import insert_written

from skerry.catalog.collections import put_collection
from skerry.catalog.deletions import delete_item
from skerry.catalog.documents import draft_collection
from skerry.core.digests import digest_bytes
from skerry.core.scopes import Scope
from skerry.core.settings import ServiceSettings
from skerry.models.versions import VersionStatus
from skerry.services.hub_access import HubAccess
from skerry.services.identity import Audience, AudienceKind, Identity
from skerry.services.maps import create_maps
from skerry.services.routes import list_routes
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

READER = {"Authorization": "Bearer reader"}
TILE = "14/8829/5829.png"


class Book:
    """Tokens, as the hub would know them."""

    def __init__(self) -> None:
        self.tokens = {
            "reader": Identity("ada", frozenset({Scope.CATALOG_READ})),
            "stranger": Identity("bob", frozenset({Scope.PRODUCTION_READ})),
        }

    async def verify(self, token: str) -> Identity | None:
        return self.tokens.get(token)

    async def close(self) -> None:
        """Hold no connection."""


@dataclass
class Maps:
    """A maps application and what stands behind it."""

    app: FastAPI
    client: httpx.AsyncClient
    engine: Engine
    data: DataFolder
    book: Book

    async def get(self, path: str, **given: Any) -> httpx.Response:
        return await self.client.get(f"/services/maps/{path}", **given)


def make_item(identifier: str, prefix: str, seed: int) -> dict[str, Any]:
    ring = [[14.0, 45.9], [14.2, 45.9], [14.2, 46.1], [14.0, 46.1], [14.0, 45.9]]
    return {
        "type": "Feature",
        "id": identifier,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [14.0, 45.9, 14.2, 46.1],
        "properties": {
            "datetime": "2026-05-01T10:00:00Z",
            "skerry:digest": digest_bytes(bytes([seed])),
            "skerry:prefix": prefix,
            "skerry:simulated": True,
            "skerry:variables": {
                "turbidity": {
                    "path": "turbidity",
                    "long_name": "Turbidity",
                    "units": "FNU",
                    "display_min": 0,
                    "display_max": 50,
                    "colormap": "gray",
                }
            },
        },
        "assets": {"product": {"href": f"{prefix}product.zarr"}},
    }


@pytest.fixture
def add_item(write_pyramid, tmp_path: Path):
    """Return a function that writes a product and records it; `seed` decides its pixels."""

    def add(
        engine: Engine,
        *,
        collection: str,
        item: str = "lake",
        seed: int = 1,
        status=VersionStatus.PUBLISHED,
    ) -> None:
        prefix = f"runs/{collection}/{seed}/products/x/"
        values = np.full((400, 400), 10.0 * seed, np.float32)
        # 14 degrees east, 46 north
        write_pyramid(
            values,
            name="turbidity",
            folder=f"data/objects/{prefix}product.zarr",
            transform=(10.0, 0.0, 421_000.0, 0.0, -10.0, 5_096_000.0),
        )
        with engine.begin() as connection:
            insert_written(
                connection, make_item(item, prefix, seed), collection=collection, status=status,
                owner="ada",
            )  # fmt: skip

    return add


@pytest.fixture
def database(tmp_path: Path) -> Iterator[tuple[DataFolder, Engine]]:
    data = DataFolder(tmp_path / "data")
    data.create()
    fill_database(data)
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        for name, public in (("open", True), ("closed", False)):
            document = {**draft_collection(name, name), "skerry:public": public}
            put_collection(connection, document, name, owner="ada")
    yield data, engine
    engine.dispose()


@pytest_asyncio.fixture
async def maps(database: tuple[DataFolder, Engine]) -> AsyncIterator[Maps]:
    data, engine = database
    settings = ServiceSettings(data=data.root, public_url="http://127.0.0.1:8000", port=1)
    hub = HubAccess(
        service="maps", api_url="http://127.0.0.1:1", api_token="x" * 32, client_id="service-maps",
        callback="/services/maps/oauth_callback",
    )  # fmt: skip
    book = Book()
    app = create_maps(settings, hub=hub, verifier=book)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://127.0.0.1:8000",
            event_hooks={"response": [DescribedAnswers(app.openapi()).check_later]},
        ) as client,
    ):
        yield Maps(app, client, engine, data, book)


def value_at_centre(png: bytes) -> tuple[int, ...]:
    return Image.open(io.BytesIO(png)).convert("RGBA").getpixel((128, 128))


def tile_of(collection: str, item: str = "lake") -> str:
    return f"tiles/{collection}/{item}/turbidity/{TILE}"


@pytest.mark.asyncio
async def test_everyone_sees_public_tiles_and_may_keep_them(maps, add_item):
    add_item(maps.engine, collection="open")
    answer = await maps.get(tile_of("open"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, no-cache"
    assert value_at_centre(answer.content) == (51, 51, 51, 255)  # 10 of 50
    again = await maps.get(tile_of("open"), headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "rest", [TILE, "tilejson.json", "legend.png", "point.json?lat=46&lon=14.01"]
)
@pytest.mark.parametrize("item", ["lake", "absent"])
async def test_private_layers_are_for_readers_only(maps, add_item, rest, item):
    add_item(maps.engine, collection="closed")
    path = f"tiles/closed/{item}/turbidity/{rest}"
    anonymous = await maps.get(path)
    stranger = await maps.get(path, headers={"Authorization": "Bearer stranger"})
    unknown = await maps.get(path, headers={"Authorization": "Bearer nobody"})
    reader = await maps.get(path, headers=READER)
    assert [entry.status_code for entry in (anonymous, stranger, unknown)] == [401, 403, 401]
    assert anonymous.headers["content-type"] == "application/problem+json"
    assert anonymous.headers["cache-control"] == "no-store"
    assert reader.status_code == (200 if item == "lake" else 404)
    assert "no-store" in reader.headers["cache-control"]


@pytest.mark.asyncio
async def test_preliminary_items_of_public_collections_are_private(maps, add_item):
    add_item(maps.engine, collection="open", status=VersionStatus.PRELIMINARY)
    assert (await maps.get(tile_of("open"))).status_code == 401
    assert (await maps.get(tile_of("open"), headers=READER)).status_code == 200


@pytest.mark.asyncio
async def test_a_revoked_token_draws_nothing_not_even_what_is_cached(maps, add_item):
    add_item(maps.engine, collection="closed")
    first = await maps.get(tile_of("closed"), headers=READER)
    assert first.status_code == 200
    del maps.book.tokens["reader"]
    known = {**READER, "If-None-Match": first.headers["etag"]}
    assert (await maps.get(tile_of("closed"), headers=known)).status_code == 401


@pytest.mark.asyncio
async def test_new_content_is_drawn_at_once(maps, add_item):
    add_item(maps.engine, collection="open", seed=1)
    before = await maps.get(tile_of("open"))
    add_item(maps.engine, collection="open", seed=3)
    after = await maps.get(tile_of("open"), headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert value_at_centre(after.content)[0] == pytest.approx(153, abs=1)
    with maps.engine.begin() as connection:
        delete_item(connection, "open", "lake", owner="ada")
    assert (await maps.get(tile_of("open"), headers=READER)).status_code == 404


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ("min=5&max=5", 422, "min=5"),
        ("min=nan", 422, "nan"),
        ("min=low", 422, "low"),
        ("colormap=rainbowish", 422, "rainbowish"),
        ("format=webp", 422, "webp"),
        ("min=0&max=20&colormap=viridis&format=rgba", 200, ""),
    ],
)
async def test_looks_are_checked(maps, add_item, query, status, named):
    add_item(maps.engine, collection="open")
    answer = await maps.get(f"{tile_of('open')}?{query}")
    assert answer.status_code == status
    if status != 200:
        problem = answer.json()
        assert named in problem["detail"]
        assert problem["remedy"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("lake/turbidity/23/0/0.png", 422),
        ("lake/turbidity/-1/0/0.png", 422),
        ("lake/turbidity/3/8/0.png", 404),
        ("lake/turbidity/3/0/-1.png", 404),
        ("lake/turbidity/3/x/0.png", 422),
        ("lake/salinity/3/0/0.png", 404),
        ("pond/turbidity/3/0/0.png", 404),
    ],
)
async def test_tiles_that_do_not_exist(maps, add_item, rest, status):
    add_item(maps.engine, collection="open")
    answer = await maps.get(f"tiles/open/{rest}", headers=READER)
    assert answer.status_code == status
    assert answer.json()["remedy"]


@pytest.mark.asyncio
async def test_an_unknown_variable_names_those_there_are(maps, add_item):
    add_item(maps.engine, collection="open")
    answer = await maps.get("tiles/open/lake/salinity/3/0/0.png")
    assert "turbidity" in answer.json()["remedy"]


@pytest.mark.asyncio
async def test_tilejson_tells_a_client_all_it_needs(maps, add_item):
    add_item(maps.engine, collection="open")
    document = (await maps.get("tiles/open/lake/turbidity/tilejson.json?max=20")).json()
    assert document["tilejson"] == "3.0.0"
    assert "SIMULATED" in document["name"]
    assert "SIMULATED" in document["attribution"]
    assert document["description"] == "Turbidity, FNU"
    assert document["bounds"] == pytest.approx([13.98, 45.98, 14.03, 46.02], abs=0.02)
    west, south, east, north = document["bounds"]
    longitude, latitude, zoom = document["center"]
    assert west < longitude < east
    assert south < latitude < north
    assert document["minzoom"] <= zoom <= document["maxzoom"]
    template = document["tiles"][0]
    address = template.format(z=14, x=8829, y=5829)
    answer = await maps.client.get(address)
    assert value_at_centre(answer.content)[0] == pytest.approx(127.5, abs=1)  # 10 of 20
    legend = await maps.client.get(document["legend"])
    assert legend.headers["content-type"] == "image/png"


@pytest.mark.asyncio
async def test_the_base_map_is_for_everyone(maps):
    answer = await maps.get("basemap/3/4/2.png")
    assert answer.status_code == 200
    assert answer.headers["cache-control"].startswith("public")
    assert (await maps.get("basemap/3/9/2.png")).status_code == 404


@pytest.mark.asyncio
async def test_damaged_bytes_are_said_to_be_damaged(maps, add_item):
    add_item(maps.engine, collection="open")
    for chunk in (maps.data.objects / "runs").rglob("c/*/*"):
        chunk.write_bytes(b"not a chunk")
    answer = await maps.get(tile_of("open"))
    assert answer.status_code == 503
    assert "damaged" in answer.json()["remedy"]


@pytest.mark.asyncio
async def test_the_value_at_a_place_comes_with_its_units(maps, add_item):
    add_item(maps.engine, collection="open", seed=2)
    path = "tiles/open/lake/turbidity/point.json"
    document = (await maps.get(f"{path}?lat=46.0&lon=14.0")).json()
    assert document["simulated"] is True
    assert document["values"] == [
        {"label": "Turbidity", "units": "FNU", "value": 20.0, "meaning": ""}
    ]
    outside = (await maps.get(f"{path}?lat=10&lon=10")).json()
    assert outside["values"][0]["value"] is None
    for query in ("", "?lat=46", "?lat=91&lon=0", "?lat=x&lon=0"):
        assert (await maps.get(path + query)).status_code == 422


@pytest.mark.slow
@pytest.mark.asyncio
async def test_true_colour_is_offered_by_items_with_the_bands_alone(maps, add_item):
    add_item(maps.engine, collection="open")
    missing = await maps.get("tiles/open/lake/true_colour/legend.png")
    assert missing.status_code == 404
    assert missing.json()["remedy"] == "It has: turbidity."
    shutil.copytree(maps.data.objects / "runs/open/1", maps.data.objects / "runs/open/7")
    item = make_item("scene", "runs/open/7/products/x/", 7)
    variable = item["properties"]["skerry:variables"].pop("turbidity") | {"units": "1"}
    item["properties"]["skerry:variables"] = {
        name: variable | {"display_max": limit}
        for name, limit in (("b02", 40), ("b03", 50), ("b04", 20))
    }
    with maps.engine.begin() as connection:
        insert_written(
            connection, item, collection="open", status=VersionStatus.PUBLISHED, owner="ada"
        )
    answer = await maps.get(f"tiles/open/scene/true_colour/{TILE}")
    assert value_at_centre(answer.content) == (51, 51, 51, 255)  # 10 of 50 in each band
    changed = await maps.get(f"tiles/open/scene/true_colour/{TILE}?min=0&max=20")
    assert value_at_centre(changed.content)[0] == pytest.approx(127.5, abs=1)
    assert changed.headers["etag"] != answer.headers["etag"]
    document = (await maps.get("tiles/open/scene/true_colour/tilejson.json")).json()
    assert "True colour (b04, b03, b02)" in document["name"]
    assert "SIMULATED" in document["name"]
    assert (await maps.get("tiles/open/scene/true_colour/legend.png")).status_code == 200
    values = (await maps.get("tiles/open/scene/true_colour/point.json?lat=46&lon=14")).json()
    assert [entry["value"] for entry in values["values"]] == [10.0, 10.0, 10.0]


@pytest.mark.asyncio
@pytest.mark.parametrize("depth", range(1, 8))
async def test_a_link_in_or_above_a_product_draws_nothing(maps, add_item, depth):
    add_item(maps.engine, collection="open")
    parts = ("runs", "open", "1", "products", "x", "product.zarr", "0")
    link = maps.data.objects.joinpath(*parts[:depth])
    aside = maps.data.root / "aside"
    link.rename(aside)
    link.symlink_to(aside)
    answer = await maps.get(tile_of("open"))
    assert answer.status_code == 403
    assert "symbolic link" in answer.json()["detail"]
    assert "lake" in answer.json()["detail"], "the item is named"


@pytest.mark.asyncio
async def test_a_bomb_is_refused_and_the_next_item_still_drawn(maps, add_item):
    add_item(maps.engine, collection="open", item="bomb", seed=1)
    add_item(maps.engine, collection="open", item="lake", seed=2)
    frame = bytes.fromhex("28b52ffde0") + (2**36).to_bytes(8, "little") + bytes(40)
    for chunk in (maps.data.objects / "runs/open/1").rglob("c/*/*"):
        chunk.write_bytes(frame)
    answer = await maps.get(tile_of("open", "bomb"))
    assert answer.status_code == 422
    assert "bomb" in answer.json()["detail"]
    assert "68,719,476,736 bytes" in answer.json()["detail"]
    assert (await maps.get(tile_of("open"))).status_code == 200


@pytest.mark.asyncio
async def test_a_path_cannot_climb_out_of_the_product(maps, add_item):
    add_item(maps.engine, collection="open", seed=1)
    item = make_item("thief", "runs/open/9/products/x/", 9)
    item["properties"]["skerry:variables"]["turbidity"]["path"] = "../../../1/products/x/v"
    with maps.engine.begin() as connection:
        insert_written(
            connection, item, collection="open", status=VersionStatus.PUBLISHED, owner="ada"
        )
    answer = await maps.get(tile_of("open", "thief"))
    assert answer.status_code == 422
    assert ".." in answer.json()["detail"]


def test_every_route_has_decided_for_whom_it_is(database):
    data, _ = database
    settings = ServiceSettings(data=data.root, public_url="http://127.0.0.1:8000", port=1)
    hub = HubAccess(
        service="maps", api_url="http://127.0.0.1:1", api_token="x" * 32, client_id="service-maps",
        callback="/services/maps/oauth_callback",
    )  # fmt: skip
    audiences = {
        route.path.removeprefix("/services/maps"): route.audience
        for route in list_routes(create_maps(settings, hub=hub, verifier=Book()))
    }
    layer = "/tiles/{collection}/{item}/{variable}"
    for rest in ("/{z}/{x}/{y}.png", "/tilejson.json", "/legend.png", "/point.json"):
        assert audiences[layer + rest] == Audience(AudienceKind.VISIBLE)
    assert audiences["/basemap/{z}/{x}/{y}.png"] == Audience(AudienceKind.ANYONE)
    assert None not in audiences.values()
