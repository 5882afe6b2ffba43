"""Person against person: what one owns, another neither sees nor changes, and cannot tell."""

import re
from collections.abc import Iterator

import httpx
import pytest
from tests.served_api import People, ServedApi, serve_people
from tests.stac_documents import make_collection, make_item, write_bytes

from skerry.core.scopes import OPERATOR, REVIEWER, SCIENTIST, Scope

PEOPLE = {
    "ann": SCIENTIST,
    "bob": SCIENTIST | REVIEWER,
    "eve": SCIENTIST | REVIEWER | OPERATOR,
    "zoe": SCIENTIST | {Scope.CATALOG_PUBLICISE},
}
GROUPS = {"ann": frozenset({"lakes"}), "zoe": frozenset({"lakes"})}


@pytest.fixture
def people(api: ServedApi) -> Iterator[People]:
    with serve_people(api, PEOPLE, GROUPS) as people:
        yield people


def put(client: httpx.Client, name: str, **facts: object) -> httpx.Response:
    document = {**make_collection(name), "skerry:public": False, **facts}
    return client.put(f"stac/collections/{name}", json=document)


def forget_names(answer: httpx.Response, name: str) -> tuple[int, str]:
    text = re.sub(r'"(instance|request_id)":\s*"[^"]*"', "", answer.text)
    return answer.status_code, text.replace(name, "NAME")


READING = (
    "stac/collections/{}",
    "stac/collections/{}/items",
    "stac/collections/{}/items/a",
    "stac/collections/{}/items/a/versions",
    "shares/{}",
)


def test_what_is_hidden_answers_as_what_does_not_exist(people: People) -> None:
    assert put(people["ann"], "secret-bay", **{"skerry:owner": "person:ann"}).status_code == 200
    for name in ("bob", "eve", "nobody"):
        client = people[name]
        for path in READING:
            hidden, missing = client.get(path.format("secret-bay")), client.get(path.format("gone"))
            assert forget_names(hidden, "secret-bay") == forget_names(missing, "gone"), (name, path)
        for method, path, body in (
            ("DELETE", "stac/collections/{}", None),
            ("DELETE", "stac/collections/{}/items/a", None),
            ("POST", "stac/collections/{}/items", {"id": "a"}),
            ("POST", "stac/collections/{}/items/a/versions/1/publish", None),
            ("POST", "stac/collections/{}/items/a/versions/1/withdraw", {"reason": "no"}),
            ("PUT", "shares/{}/person:eve", {"verb": "change"}),
            ("DELETE", "shares/{}/person:eve", None),
            ("POST", "grants", {"mode": "read", "collection": "{}", "item": "a"}),
        ):
            answers = [
                forget_names(
                    client.request(
                        method,
                        path.format(collection),
                        json=None
                        if body is None
                        else {key: value.format(collection) for key, value in body.items()},
                    ),
                    collection,
                )
                for collection in ("secret-bay", "gone")
            ]
            assert answers[0] == answers[1], (name, method, path)
            assert answers[0][0] in (401, 403, 404)
        for path in ("stac/collections", "stac/", "stac/search?sortby=-created"):
            assert "secret-bay" not in client.get(path).text
    assert people["ann"].get("stac/collections/secret-bay").json()["skerry:owner"] == "person:ann"


def test_nobody_takes_over_a_name_that_is_taken(people: People) -> None:
    put(people["ann"], "secret-bay", **{"skerry:owner": "person:ann"})
    answer = put(people["bob"], "secret-bay", **{"skerry:owner": "person:bob"})
    assert answer.status_code == 403
    assert "ann" not in answer.text
    own = {"skerry:owner": "person:ann"}
    assert put(people["bob"], "bay-of-bob", **own).status_code == 403
    assert put(people["bob"], "bay-of-bob", **{"skerry:owner": "bob"}).status_code == 422


def test_a_project_shares_what_it_owns(people: People) -> None:
    assert put(people["ann"], "lakes-2026", **{"skerry:owner": "project:lakes"}).status_code == 200
    assert people["zoe"].get("stac/collections/lakes-2026").status_code == 200
    assert put(people["zoe"], "lakes-2026", title="Lakes").status_code == 200
    assert people["bob"].get("stac/collections/lakes-2026").status_code == 404
    assert put(people["bob"], "others", **{"skerry:owner": "project:lakes"}).status_code == 403


def test_what_is_given_is_seen_and_changed_as_far_as_it_is_given(people: People) -> None:
    put(people["ann"], "secret-bay", **{"skerry:owner": "person:ann"})
    answer = people["ann"].put("shares/secret-bay/person:bob", json={"verb": "see"})
    assert answer.json()["shares"] == [{"holder": "person:bob", "verb": "see"}]
    assert people["bob"].get("stac/collections/secret-bay").status_code == 200
    assert people["eve"].get("stac/collections/secret-bay").status_code == 404
    assert put(people["bob"], "secret-bay", title="Mine").status_code == 403
    people["ann"].put("shares/secret-bay/person:bob", json={"verb": "change"})
    assert put(people["bob"], "secret-bay", title="Ours").status_code == 200
    assert people["bob"].get("shares/secret-bay").status_code == 403
    mine = {"skerry:owner": "person:bob"}
    assert put(people["bob"], "secret-bay", **mine).status_code == 403
    assert people["ann"].delete("shares/secret-bay/person:bob").status_code == 204
    assert people["bob"].get("stac/collections/secret-bay").status_code == 404
    assert people["ann"].put("shares/secret-bay/bob", json={}).status_code == 422


def test_whoever_registers_an_item_again_is_not_told_its_hidden_sources(
    api: ServedApi, people: People
) -> None:
    put(people["ann"], "secret-bay", **{"skerry:owner": "person:ann"})
    put(people["ann"], "bay")
    for name, sources in (("ann", ["secret-bay/source"]), ("bob", [])):
        client = people[name]
        grant = client.post("grants", json={"mode": "write", "purpose": "import"}).json()
        item = make_item(prefix=grant["prefix"], **{"skerry:derived_from": sources})
        item["links"] = [
            {"rel": "derived_from", "href": f"../../{source.replace('/', '/items/')}"}
            for source in sources
        ]
        write_bytes(api.data.objects, item)
        answer = client.post("stac/collections/bay/items", json=item)
        assert (answer.status_code, name) in {(201, "ann"), (200, "bob")}
        assert "secret-bay" not in answer.text or name == "ann"


def test_who_may_only_change_it_does_not_remove_a_collection_to_take_its_name(
    people: People,
) -> None:
    put(people["ann"], "secret-bay", **{"skerry:owner": "person:ann"})
    people["ann"].put("shares/secret-bay/person:bob", json={"verb": "change"})
    assert people["bob"].delete("stac/collections/secret-bay").status_code == 403
    assert people["bob"].delete("stac/collections/sandbox-ann").status_code == 404
    assert people["ann"].get("stac/collections/secret-bay").json()["skerry:owner"] == "person:ann"
    assert people["ann"].delete("stac/collections/secret-bay").status_code == 204


def test_opening_to_everybody_needs_its_scope(people: People) -> None:
    put(people["ann"], "bay")
    opened = put(people["ann"], "bay", **{"skerry:public": True})
    assert opened.status_code == 403
    assert Scope.CATALOG_PUBLICISE in opened.text
    assert put(people["ann"], "new-bay", **{"skerry:public": True}).status_code == 403
    assert people["nobody"].get("stac/collections/bay").status_code == 401
    assert put(people["zoe"], "bay", **{"skerry:public": True}).status_code == 200
    shown = people["nobody"].get("stac/collections/bay")
    assert shown.status_code == 200
    assert "skerry:owner" not in shown.json()
    assert put(people["ann"], "bay", **{"skerry:public": False}).status_code == 403
    assert put(people["ann"], "bay", **{"skerry:public": True, "title": "Bay"}).status_code == 200


def test_a_sandbox_is_its_persons_alone(people: People) -> None:
    assert put(people["ann"], "sandbox-ann").json()["skerry:owner"] == "person:ann"
    assert people["bob"].get("stac/collections/sandbox-ann").status_code == 404
    assert people["ann"].get("stac/collections/sandbox-ann").status_code == 200
