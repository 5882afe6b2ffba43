"""Withdrawals over HTTP: who still sees what, who is told why, and what no cache shows any more."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from tests.served_api import ServedApi, open_client
from tests.stac_documents import make_collection, make_item
from tests.unit.services.test_versions_http import (
    TILE,
    engine,
    insert_version,
    maps_url,
    read_tile,
)

from skerry.catalog.collections import put_collection
from skerry.cli.main import run
from skerry.client.references import ItemReference, fetch_item
from skerry.client.session import connect
from skerry.core.errors import WithdrawnError
from skerry.core.ownership import PLATFORM_OWNER
from skerry.core.scopes import OPERATOR, REVIEWER, RUN, SCIENTIST

__all__ = ["engine", "maps_url"]

PEOPLE = {
    "author": SCIENTIST, "reader": SCIENTIST, "stranger": SCIENTIST, "operator": OPERATOR,
    "reviewer": REVIEWER, "run": RUN,
}  # fmt: skip
ITEM = "stac/collections/lakes/items/scene"
WITHDRAW = f"{ITEM}/versions/1/withdraw"
REASON = {"reason": "The calibration is wrong."}
KEY = "runs/scene/1/products/t/product.zarr/zarr.json"
GONE = {"item": 410, "search": 0, "place": 0, "file": 410, "grant": 410, "layer": 410, "tile": 410}
SHOWN = {"item": 200, "search": 1, "place": 1, "file": 200, "grant": 201, "layer": 200, "tile": 200}
DELETED = SHOWN | {"file": 410, "grant": 410, "layer": 410, "tile": 410}


def hide(status: int) -> dict[str, int]:
    """Return what they see to whom an item is as if it never was."""
    return {name: status if seen == 410 else seen for name, seen in GONE.items()}


@dataclass
class Asker:
    """Somebody with a token, or nobody, before api and maps."""

    api: httpx.Client
    maps: httpx.Client
    etag: str = ""

    def look(self) -> dict[str, int]:
        """Return the status of each address, and how many items searches find."""
        grant = {"mode": "read", "collection": "lakes", "item": "scene"}
        tile = self.maps.get(f"tiles/lakes/scene/b04/{TILE}", headers={"If-None-Match": self.etag})
        self.etag = tile.headers.get("etag", self.etag)
        where = {"bbox": [13.2, 44.2, 13.4, 44.4]}
        return {
            "item": self.api.get(ITEM).status_code,
            "search": len(self.api.get("stac/search?ids=scene").json()["features"]),
            "place": len(self.api.post("stac/search", json=where).json()["features"]),
            "file": self.api.get(f"files/{KEY}").status_code,
            "grant": self.api.post("grants", json=grant).status_code,
            "layer": self.maps.get("tiles/lakes/scene/b04/tilejson.json").status_code,
            "tile": tile.status_code,
        }


@pytest.fixture
def askers(api: ServedApi, maps_url: str) -> Iterator[dict[str, Asker]]:
    for name, scopes in PEOPLE.items():
        api.book.tokens[f"{name}-token"] = (name, scopes)
    with ExitStack() as stack:
        people = {}
        for name in (*PEOPLE, "alice", "nobody"):
            token = None if name == "nobody" else f"{name}-token"
            maps = open_client(f"{maps_url}/", token)
            people[name] = Asker(stack.enter_context(api.client(token)), stack.enter_context(maps))
        yield people


@pytest.fixture
def add(api: ServedApi, engine: Engine) -> Callable[..., None]:
    def insert(status: str = "published", *, public: bool = True, **more: Any) -> None:
        owner = more.pop("owner", PLATFORM_OWNER)
        with engine.begin() as connection:
            put_collection(
                connection, make_collection(public=public), "lakes", owner="alice",
                belongs_to=owner,
            )  # fmt: skip
            insert_version(connection, api.data.objects, "scene", more.pop("number", 1), status)

    return insert


def look(askers: dict[str, Asker]) -> dict[str, dict[str, int]]:
    return {name: asker.look() for name, asker in askers.items()}


def test_a_withdrawn_product_is_gone_for_everyone_but_operators(
    askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    add()
    assert look(askers) == dict.fromkeys(askers, SHOWN)
    # the second look has the tile in every cache, the browser's too
    assert look(askers) == dict.fromkeys(askers, SHOWN | {"tile": 304})
    askers["reviewer"].api.post(WITHDRAW, json=REASON).raise_for_status()
    still = dict.fromkeys(("alice", "operator", "reviewer"), SHOWN | {"tile": 304})
    assert look(askers) == dict.fromkeys(askers, GONE) | still
    for name in ("nobody", "reader"):
        for answer in (
            askers[name].api.get(ITEM),
            askers[name].api.get(f"files/{KEY}"),
            askers[name].maps.get(f"tiles/lakes/scene/b04/{TILE}"),
        ):
            problem = answer.json()
            assert (problem["status"], problem["title"]) == (410, "Withdrawn")
            assert "withdrawn: The calibration is wrong." in problem["detail"]
            assert problem["remedy"]
            assert "no-store" in answer.headers["cache-control"]
    properties = askers["operator"].api.get(ITEM).json()["properties"]
    assert properties["skerry:reason"] == "The calibration is wrong."
    assert properties["deprecated"] is True


@pytest.mark.slow
def test_deleted_bytes_are_gone_for_operators_too(
    api: ServedApi, askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    add()
    look(askers)
    body = REASON | {"delete_bytes": True}
    askers["reviewer"].api.post(WITHDRAW, json=body).raise_for_status()
    assert not (api.data.objects / KEY).exists()
    still = dict.fromkeys(("alice", "operator", "reviewer"), DELETED)
    assert look(askers) == dict.fromkeys(askers, GONE) | still
    answer = askers["operator"].api.get(f"files/{KEY}").json()
    assert "Its bytes were deleted at 20" in answer["detail"]
    [version] = askers["operator"].api.get(f"{ITEM}/versions").json()["versions"]
    assert version["status"] == "withdrawn"
    assert version["bytes_deleted"] > version["created"]
    # the record goes like every other
    assert askers["alice"].api.delete(ITEM).status_code == 204
    assert {name: asker.look()["item"] for name, asker in askers.items()} == {
        name: 401 if name == "nobody" else 404 for name in askers
    }


@pytest.mark.slow
def test_who_could_not_see_it_is_told_what_is_told_of_a_missing_item(
    askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    """A preliminary version of a person's own collection, opened to everybody."""
    add("preliminary", owner="person:author")
    before = look(askers)
    askers["alice"].api.post(WITHDRAW, json=REASON).raise_for_status()
    expected = {name: hide(404) for name in askers} | {
        "author": GONE, "alice": SHOWN, "nobody": hide(401),
    }  # fmt: skip
    after = look(askers)
    after["alice"]["tile"] = 200
    assert after == expected
    unchanged = ("reader", "stranger", "operator", "reviewer", "run", "nobody")
    assert all(after[name] == before[name] for name in unchanged)
    missing = ITEM.replace("scene", "nothing")
    for name in unchanged:
        there, absent = askers[name].api.get(ITEM).json(), askers[name].api.get(missing).json()
        assert there["detail"].replace("scene", "nothing") == absent["detail"]
        assert there["remedy"] == absent["remedy"]


@pytest.mark.slow
def test_a_closed_collection_tells_strangers_no_reason(
    askers: dict[str, Asker], add: Callable[..., None], engine: Engine
) -> None:
    add(owner="person:author")
    askers["alice"].api.post(WITHDRAW, json=REASON).raise_for_status()
    assert askers["stranger"].look() == GONE
    with engine.begin() as connection:
        put_collection(connection, make_collection(public=False), "lakes", owner="alice")
    assert askers["stranger"].look() == hide(404)
    assert askers["nobody"].look() == hide(401)
    assert askers["author"].look() == GONE
    assert askers["operator"].look() == hide(404)


def test_members_see_the_preliminary_version_and_visitors_the_reason(
    askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    add()
    askers["alice"].api.post(WITHDRAW, json=REASON).raise_for_status()
    add("preliminary", number=2)
    for name in ("reader", "operator"):
        assert read_tile(askers[name].maps.get(f"tiles/lakes/scene/b04/{TILE}")) == 2
    assert askers["nobody"].look() == GONE
    # its own bytes stay with the operators
    assert askers["reader"].api.get(f"files/{KEY}").status_code == 410
    assert askers["operator"].api.get(f"files/{KEY}").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        None, {}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 1001},
        {"reason": "two\nlines"}, {"reason": "\x1b[31mred"}, {"reason": 7},
        {"reason": "a", "delete": True}, {"reason": "a", "delete_bytes": "perhaps"},
    ],
)  # fmt: skip
def test_a_withdrawal_without_a_proper_reason_is_refused(
    askers: dict[str, Asker], add: Callable[..., None], body: Any
) -> None:
    add()
    answer = askers["reviewer"].api.post(WITHDRAW, json=body)
    assert answer.status_code == 422
    assert answer.json()["remedy"]
    assert askers["nobody"].look() == SHOWN


def test_only_who_may_change_the_collection_withdraws(
    askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    add(owner="person:author")
    statuses = {
        name: asker.api.post(WITHDRAW, json=REASON).status_code for name, asker in askers.items()
    }
    assert statuses == {
        "author": 403, "reader": 403, "stranger": 403, "operator": 403, "run": 403,
        "reviewer": 403, "nobody": 401, "alice": 200,
    }  # fmt: skip


@pytest.mark.slow
def test_registering_the_withdrawn_content_again_needs_the_word(
    api: ServedApi, askers: dict[str, Asker], add: Callable[..., None]
) -> None:
    add()
    alice = askers["alice"].api
    alice.post(WITHDRAW, json=REASON).raise_for_status()

    def register(**query: str) -> httpx.Response:
        grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
        item = make_item(prefix=grant["prefix"], content="scene1")
        for asset in item["assets"].values():
            path = api.data.objects / asset["href"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"bytes")
        return alice.post("stac/collections/lakes/items", json=item, params=query)

    refused = register()
    assert refused.status_code == 409
    assert "The calibration is wrong." in refused.json()["detail"]
    assert "--again" in refused.json()["remedy"]
    assert register(replace="true").status_code == 409
    answer = register(again="true")
    assert answer.status_code == 201
    assert answer.json()["properties"]["skerry:version"] == 2
    assert askers["nobody"].api.get(ITEM).status_code == 200


@pytest.mark.slow
def test_the_client_says_that_it_was_withdrawn_and_why(
    api: ServedApi,
    askers: dict[str, Asker],
    add: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add()
    monkeypatch.setenv("SKERRY_URL", api.url)
    monkeypatch.setenv("SKERRY_TOKEN", "reader-token")
    askers["reviewer"].api.post(WITHDRAW, json=REASON).raise_for_status()
    with (
        connect() as session,
        pytest.raises(WithdrawnError, match="The calibration is wrong") as caught,
    ):
        fetch_item(session, ItemReference("lakes", "scene"))
    assert caught.value.exit_code == 2
    assert "another product" in caught.value.remedy


@pytest.mark.slow
def test_the_command_asks_for_leave_before_bytes_go(
    api: ServedApi,
    askers: dict[str, Asker],
    add: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SKERRY_URL", api.url)
    monkeypatch.setenv("SKERRY_TOKEN", "alice-token")
    add()
    command = ["item", "withdraw", "lakes/scene"]
    assert run(command) == 2
    assert "--reason" in capsys.readouterr().err
    assert run([*command, "--reason", " "]) == 2
    assert "' ' is not a reason.\nWrite a line" in capsys.readouterr().err
    command += ["--reason", "The calibration is wrong.", "--delete-bytes"]
    assert run(command) == 2
    said = capsys.readouterr().err
    assert "delete the files of version 1 of lakes/scene, which is published" in said
    assert "--yes" in said
    assert askers["nobody"].look() == SHOWN
    assert run([*command, "--yes", "--json"]) == 0
    [version] = json.loads(capsys.readouterr().out)
    assert (version["status"], version["reason"]) == ("withdrawn", "The calibration is wrong.")
    assert version["bytes_deleted"]
    assert run(["item", "show", "lakes/scene"]) == 0
    said = capsys.readouterr().out
    assert "reason        The calibration is wrong." in said
    assert "bytes deleted 20" in said
    assert run(["item", "versions", "lakes/scene"]) == 0
    assert "withdrawn" in capsys.readouterr().out
