"""The STAC API over HTTP: valid, navigable by pystac-client, private unless made public."""

import json
from pathlib import Path
from typing import Any

import httpx
import pystac_client
import pytest
import stac_pydantic.api
from tests.served_api import ServedApi, serve_api
from tests.stac_documents import make_collection, make_item, write_bytes

from skerry.catalog.deletions import delete_item
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.settings import API_PREFIX
from skerry.dashboards.catalogue import read_latest
from skerry.storage.database import database_url, open_database

PUBLIC_PATHS = (
    "openapi.json",
    "stac/",
    "stac/collections",
    "stac/collections/lakes/items",
    "stac/collections/lakes/items/open",
    "stac/conformance",
    "stac/search",
)


def register(
    client: httpx.Client, api: ServedApi, item: dict[str, Any], collection: str = "lakes"
) -> httpx.Response:
    """Ask for a grant, write the bytes under it, register the item."""
    grant = client.post("grants", json={"mode": "write", "purpose": "import"}).json()
    old = item["properties"]["skerry:prefix"]
    item["properties"]["skerry:prefix"] = grant["prefix"]
    for asset in item["assets"].values():
        asset["href"] = asset["href"].replace(old, grant["prefix"])
    write_bytes(api.data.objects, item)
    return client.post(f"stac/collections/{collection}/items", json=item)


@pytest.fixture
def lakes(alice: httpx.Client) -> str:
    answer = alice.put("stac/collections/lakes", json=make_collection(public=True))
    assert answer.status_code == 200
    return "lakes"


@pytest.fixture
def secret(alice: httpx.Client) -> str:
    assert (
        alice.put("stac/collections/undisclosed", json=make_collection("undisclosed")).status_code
        == 200
    )
    return "undisclosed"


def test_a_registered_item_comes_back_valid_with_addresses(
    api: ServedApi, alice: httpx.Client, lakes: str
) -> None:
    answer = register(alice, api, make_item())
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/geo+json"
    response = alice.get(f"stac/collections/{lakes}/items/scene").json()
    stac_pydantic.api.Item.model_validate(response)
    assert response["properties"]["skerry:status"] == "published"
    href = response["assets"]["thumbnail"]["href"]
    assert href.startswith(f"{api.prefix}/files/imports/")
    assert alice.get(href).status_code == 200
    links = {link["rel"]: link["href"] for link in response["links"]}
    tiles = f"{api.url}/services/maps/tiles/lakes/scene/b04"
    assert links["xyz"] == f"{tiles}/{{z}}/{{x}}/{{y}}.png"
    assert links["tilejson"] == f"{tiles}/tilejson.json"
    assert links["self"] == f"{api.prefix}/stac/collections/lakes/items/scene"


def test_registering_is_idempotent_and_conditional(
    api: ServedApi, alice: httpx.Client, lakes: str
) -> None:
    assert register(alice, api, make_item()).status_code == 201
    again = register(alice, api, make_item())
    assert again.status_code == 200
    other = register(alice, api, make_item(content="other"), lakes)
    assert other.status_code == 409
    problem = other.json()
    assert other.headers["content-type"] == "application/problem+json"
    assert "'scene'" in problem["detail"]
    assert problem["remedy"]


def test_nothing_is_half_registered(api: ServedApi, alice: httpx.Client, lakes: str) -> None:
    bad = make_item()
    bad["geometry"]["coordinates"][0][2] = [14.0, 99.0]
    answer = register(alice, api, bad)
    assert answer.status_code == 422
    assert "99" in answer.json()["detail"]
    assert alice.get(f"stac/collections/{lakes}/items").json()["features"] == []


def test_a_number_that_json_lacks_does_not_break_what_others_read(
    api: ServedApi, alice: httpx.Client, anonymous: httpx.Client, lakes: str
) -> None:
    grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
    item = make_item(prefix=grant["prefix"], cloud=float("nan"))
    write_bytes(api.data.objects, item)
    answer = alice.post(
        "stac/collections/lakes/items",
        content=json.dumps(item),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert "nan" in answer.json()["detail"]
    assert anonymous.get("stac/search").json()["features"] == []


def test_pystac_client_finds_its_way(api: ServedApi, alice: httpx.Client, lakes: str) -> None:
    for day in range(1, 8):
        item = make_item(f"day{day}", datetime=f"2026-05-0{day}T10:00:00Z")
        assert register(alice, api, item, lakes).status_code == 201
    catalogue = pystac_client.Client.open(
        f"{api.prefix}/stac", headers={"Authorization": "Bearer alice-token"}
    )
    assert [collection.id for collection in catalogue.get_collections()] == ["lakes"]
    assert catalogue.conforms_to("ITEM_SEARCH")
    for method in ("GET", "POST"):
        search = catalogue.search(
            collections=["lakes"], bbox=[13.2, 54.2, 13.4, 54.4], method=method, limit=2,
            datetime="2026-05-02T00:00:00Z/..",
        )  # fmt: skip
        assert [item.id for item in search.items()] == [f"day{n}" for n in (7, 6, 5, 4, 3, 2)]
    point = {"type": "Point", "coordinates": [13.5, 54.5]}
    for method in ("GET", "POST"):
        search = catalogue.search(intersects=point, ids=["day3"], method=method)
        (item,) = search.items()
        assert item.get_collection().id == "lakes"
    assert len(list(catalogue.get_collection("lakes").get_items())) == 7


def test_every_document_is_valid_stac(api: ServedApi, alice: httpx.Client, lakes: str) -> None:
    register(alice, api, make_item(), lakes)
    landing = alice.get("stac/").json()
    stac_pydantic.api.LandingPage.model_validate(landing)
    stac_pydantic.api.Conformance.model_validate(alice.get("stac/conformance").json())
    stac_pydantic.api.Collections.model_validate(alice.get("stac/collections").json())
    stac_pydantic.api.Collection.model_validate(alice.get("stac/collections/lakes").json())
    page = alice.get("stac/search").json()
    stac_pydantic.api.ItemCollection.model_validate(page)
    for link in landing["links"]:
        if link.get("method", "GET") == "GET":
            assert alice.get(link["href"]).status_code == 200, link


def test_pages_of_a_sorted_search_follow_each_other(
    api: ServedApi, alice: httpx.Client, lakes: str
) -> None:
    for number, day in enumerate((5, 2, 8, 1, 9)):
        when = f"2026-05-{day:02}T00:00:00Z"
        register(alice, api, make_item(f"n{number}", datetime=when), lakes)
    catalogue = pystac_client.Client.open(
        f"{api.prefix}/stac", headers={"Authorization": "Bearer alice-token"}
    )
    assert catalogue.conforms_to("SORT")
    newest = ["n4", "n3", "n2", "n1", "n0"]
    for method in ("GET", "POST"):
        for sortby, expected in (
            ("-created", newest),
            (["+properties.created"], newest[::-1]),
            ([{"field": "datetime", "direction": "asc"}], ["n3", "n1", "n0", "n2", "n4"]),
        ):
            search = catalogue.search(sortby=sortby, method=method, limit=2)  # type: ignore[arg-type]
            assert [item.id for item in search.items()] == expected
    listed = alice.get("stac/collections/lakes/items", params={"sortby": "-created", "limit": 1})
    assert [item["id"] for item in listed.json()["features"]] == ["n4"]
    login = Login(url=api.prefix.removesuffix(API_PREFIX), token="alice-token")
    with Session(login) as session:
        assert [product.item for product in read_latest(session, 3)] == newest[:3]


def test_anonymous_sees_public_things_and_no_private_name(
    api: ServedApi, alice: httpx.Client, anonymous: httpx.Client, lakes: str, secret: str
) -> None:
    register(alice, api, make_item("hidden"), secret)
    open_item = make_item("open")
    open_item["links"] = [
        {"rel": "derived_from", "href": f"../../{secret}/items/hidden"},
        {
            "rel": "derived_from",
            "href": f"http://10.0.0.1:1/services/api/stac/collections/{lakes}/items/open",
        },
    ]
    open_item["properties"]["skerry:derived_from"] = [f"{secret}/hidden", f"{lakes}/open"]
    register(alice, api, open_item, lakes)
    everything = ""
    for path in PUBLIC_PATHS:
        answer = anonymous.get(path)
        assert answer.status_code == 200, path
        everything += answer.text
    everything += anonymous.post("stac/search", json={"collections": [secret]}).text
    assert "hidden" not in everything
    assert secret not in everything
    assert f"{api.prefix}/stac/collections/{lakes}/items/open" in everything
    assert "10.0.0.1" not in everything
    response = alice.get("stac/collections/lakes/items/open").json()["links"]
    derived = [link["href"] for link in response if link["rel"] == "derived_from"]
    assert f"{api.prefix}/stac/collections/{secret}/items/hidden" in derived


@pytest.mark.parametrize("path", ["undisclosed", "undisclosed/items", "undisclosed/items/hidden"])
def test_private_and_missing_look_the_same(
    api: ServedApi, alice: httpx.Client, anonymous: httpx.Client, secret: str, path: str
) -> None:
    register(alice, api, make_item("hidden"), secret)
    missing = path.replace("undisclosed", "missing")
    with api.client("nothing-token") as nothing:
        for client, status in ((anonymous, 401), (nothing, 403)):
            answers = [client.get(f"stac/collections/{item}") for item in (path, missing)]
            assert [answer.status_code for answer in answers] == [status, status]
            first, second = (answer.json()["detail"] for answer in answers)
            assert first.replace("undisclosed", "missing") == second
    assert alice.get(f"stac/collections/{missing}").status_code == 404
    assert alice.get(f"stac/collections/{path}").status_code == 200


def test_responses_are_not_stored(alice: httpx.Client, lakes: str) -> None:
    assert alice.get(f"stac/collections/{lakes}").headers["cache-control"] == "no-store"


def test_writing_needs_the_scope(
    api: ServedApi, anonymous: httpx.Client, reader: httpx.Client, lakes: str
) -> None:
    for client, status in ((anonymous, 401), (reader, 403)):
        path = f"stac/collections/{lakes}"
        assert client.put(path, json=make_collection()).status_code == status
        assert client.delete(path).status_code == status
        assert client.post(f"{path}/items", json=make_item()).status_code == status
        assert client.delete(f"{path}/items/scene").status_code == status
    assert api.book.tokens


def test_deleting_frees_the_bytes(api: ServedApi, alice: httpx.Client, lakes: str) -> None:
    answer = register(alice, api, make_item()).json()
    prefix = api.data.objects / answer["properties"]["skerry:prefix"]
    assert prefix.exists()
    assert alice.delete(f"stac/collections/{lakes}").status_code == 409
    assert alice.delete(f"stac/collections/{lakes}/items/scene").status_code == 204
    assert not prefix.exists()
    assert alice.get(answer["assets"]["thumbnail"]["href"]).status_code == 404
    assert alice.delete(f"stac/collections/{lakes}/items/scene").status_code == 404
    assert alice.delete(f"stac/collections/{lakes}").status_code == 204


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("bbox=1,2,3", "[1.0, 2.0, 3.0]"),
        ("bbox=0,0,1,100", "100"),
        ("bbox=a,b,c,d", "a,b,c,d"),
        ("datetime=never", "never"),
        ("limit=0", "limit"),
        ("limit=many", "many"),
        ("intersects=here", "here"),
        (
            'intersects={"type":"Polygon","coordinates":[[[170,0],[190,0],[190,5],[170,0]]]}',
            "intersects geometry reaches from 170, 0 to 190",
        ),
        ("datetime=2026-05-01T10:30:50.Z", "50.Z"),
        ("token=%21", "!"),
        ("sortby=-cloud", "'cloud'"),
        ("collections=a%00", "U+0000"),
    ],
)
def test_a_bad_search_names_the_value(anonymous: httpx.Client, query: str, named: str) -> None:
    answer = anonymous.get(f"stac/search?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert named in answer.json()["detail"]
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"bbox": [0, 0, 1, 100]}, "100"),
        ({"bbox": [0, 0, 1, 1], "intersects": {"type": "Point", "coordinates": [0, 0]}}, "bbox"),
        ({"datetime": "never"}, "never"),
        ({"datetime": "0001-01-01T00:00:00+14:00"}, "0001-01-01"),
        ([1], "[1]"),
        ({"limit": -1}, "-1"),
        ({"bbox": "here"}, "here"),
        ({"intersects": "here"}, "here"),
        ({"intersects": {"type": "Point", "coordinates": [190, 0]}}, "intersects geometry"),
        ({"intersects": {"type": "Circle"}}, "Circle"),
    ],
)
def test_a_bad_posted_search_names_the_value(
    anonymous: httpx.Client, body: Any, named: str
) -> None:
    answer = anonymous.post("stac/search", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


READS = ("", "conformance", "collections", "collections/lakes", "collections/lakes/items",
         "collections/lakes/items/scene", "search")  # fmt: skip


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("name", ["filter", "query", "fields", "colections"])
def test_unknown_parameters_are_refused_by_name(
    alice: httpx.Client, lakes: str, path: str, name: str
) -> None:
    answer = alice.get(f"stac/{path}", params={name: "x"})
    assert answer.status_code == 400
    assert repr(name) in answer.json()["detail"]


@pytest.mark.parametrize("name", ["filter", "query", "fields", "colections"])
def test_unknown_members_of_a_posted_search_are_refused_by_name(
    anonymous: httpx.Client, name: str
) -> None:
    answer = anonymous.post("stac/search", json={name: {}, "limit": 1})
    assert answer.status_code == 400
    assert repr(name) in answer.json()["detail"]
    assert "collections" in answer.json()["remedy"]


def test_the_items_of_a_collection_can_be_asked_for_by_their_ids(
    api: ServedApi, alice: httpx.Client, lakes: str
) -> None:
    for name in ("a", "b"):
        register(alice, api, make_item(name))
    path = "stac/collections/lakes/items"
    some = alice.get(path, params={"ids": "b", "collections": "lakes"}).json()["features"]
    assert [item["id"] for item in some] == ["b"]
    assert alice.get(path, params={"collections": "rivers"}).status_code == 422


def test_addresses_come_from_the_settings_not_from_the_request(
    api: ServedApi, anonymous: httpx.Client
) -> None:
    headers = {"Host": "localhost:1", "X-Forwarded-Host": "evil.example"}
    text = anonymous.get("stac/", headers=headers).text
    assert "localhost" not in text
    assert "evil.example" not in text
    assert api.prefix in text


@pytest.mark.slow
def test_a_crash_between_record_and_bytes_is_made_good_at_the_next_start(tmp_path: Path) -> None:
    with serve_api(tmp_path / "data") as api, api.client("alice-token") as alice:
        alice.put("stac/collections/lakes", json=make_collection())
        prefix = register(alice, api, make_item()).json()["properties"]["skerry:prefix"]
        engine = open_database(database_url(api.data.database))
        with engine.begin() as connection:
            delete_item(connection, "lakes", "scene", owner="alice")
        engine.dispose()
        assert (api.data.objects / prefix).exists()
    with serve_api(tmp_path / "data") as api:
        assert not (api.data.objects / prefix).exists()
