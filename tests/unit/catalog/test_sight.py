"""Searches follow the table of rules: each kind of owner against each kind of viewer."""

import itertools

import pytest
from sqlalchemy import Connection, event
from tests.stac_documents import insert_written, make_collection, make_item

from skerry.catalog.collections import find_collection, list_collections, put_collection
from skerry.catalog.items import find_item, find_owner_of_key, find_shown, item_version
from skerry.catalog.search import parse_query, search_items
from skerry.catalog.sharing import relate_collection
from skerry.catalog.tables import SHARES
from skerry.core.ownership import ANONYMOUS, KEEPER, PLATFORM_OWNER, Verb, Viewer, decide

OWNERS = ("person:ann", "person:bob", "project:lakes", PLATFORM_OWNER)
GIVEN: tuple[dict[str, Verb], ...] = (
    {}, {"person:bob": Verb.SEE}, {"project:lakes": Verb.CHANGE},
)  # fmt: skip
VIEWERS = {
    "ann": Viewer(frozenset({"person:ann", PLATFORM_OWNER})),
    "bob": Viewer(frozenset({"person:bob", "project:lakes", PLATFORM_OWNER})),
    "eve": Viewer(frozenset({"person:eve"})),
    "anonymous": ANONYMOUS,
    "keeper": KEEPER,
}


@pytest.mark.parametrize("name", VIEWERS)
@pytest.mark.parametrize("status", ["published", "preliminary"])
def test_searches_show_what_the_rules_allow(connection: Connection, name: str, status: str) -> None:
    viewer = VIEWERS[name]
    expected: set[str] = set()
    seen: set[str] = set()
    for n, (owner, shares, public) in enumerate(itertools.product(OWNERS, GIVEN, (True, False))):
        collection = f"c{n}"
        document = make_collection(public=public) | {"id": collection}
        stored = put_collection(connection, document, collection, owner="x", belongs_to=owner)
        for holder, verb in shares.items():
            SHARES.give(connection, collection, holder, verb)
        item = insert_written(
            connection, make_item(prefix=f"imports/{n}/"), collection=collection, status=status,
            owner="x",
        )  # fmt: skip
        relation = relate_collection(connection, stored, viewer)
        if decide(relation, Verb.SEE_PUBLISHED):
            seen.add(collection)
        if decide(relation, Verb.SEE if status == "preliminary" else Verb.SEE_PUBLISHED):
            expected.add(collection)
        is_expected = collection in expected
        found = find_item(connection, collection, item.id, viewer=viewer)
        assert (found is not None) == is_expected
        version = item_version(connection, collection, item.id, viewer=viewer)
        assert (version is not None) == is_expected
        owner_of_key = find_owner_of_key(connection, f"{item.prefix}a", viewer=viewer)
        assert (owner_of_key is not None) == is_expected
        shown = find_collection(connection, collection, viewer=viewer)
        assert (shown is not None) == (collection in seen)
    page = search_items(connection, parse_query(limit=1000), viewer=viewer)
    assert sorted(item.collection for item in page.items) == sorted(expected)
    names = {(f"c{number}", name) for number in range(n + 2) for name in ("scene", "missing")}
    shown_items = find_shown(connection, names, viewer=viewer)
    assert shown_items == {(collection, "scene") for collection in expected}
    listed = {entry.id for entry in list_collections(connection, viewer=viewer)}
    assert listed == seen


def test_pages_pass_over_what_is_hidden(connection: Connection) -> None:
    for n in range(12):
        owner = "person:ann" if n % 3 else "person:bob"
        document = make_collection() | {"id": f"c{n}"}
        put_collection(connection, document, f"c{n}", owner="x", belongs_to=owner)
        insert_written(
            connection, make_item(prefix=f"imports/{n}/"), collection=f"c{n}", status="published",
            owner="x",
        )  # fmt: skip
    names, token = [], None
    while True:
        query = parse_query(limit=3, token=token)
        page = search_items(connection, query, viewer=VIEWERS["ann"])
        names += [item.collection for item in page.items]
        token = page.next_token
        if token is None:
            break
        assert len(page.items) == 3
    assert sorted(names) == sorted(f"c{n}" for n in range(12) if n % 3)


def test_who_sees_nothing_is_answered_without_a_look_at_items(connection: Connection) -> None:
    document = make_collection(public=False)
    put_collection(connection, document, "lakes", owner="x", belongs_to="person:ann")
    insert_written(connection, make_item(), collection="lakes", status="published", owner="x")
    asked: list[str] = []
    listener = connection.engine, "before_cursor_execute", lambda *event: asked.append(event[2])
    event.listen(*listener)
    for query in ({}, {"bbox": [-180, -90, 180, 90]}, {"collections": ["lakes", "missing"]}):
        for viewer in (VIEWERS["eve"], ANONYMOUS):
            assert search_items(connection, parse_query(**query), viewer=viewer).items == []
    event.remove(*listener)
    assert len(asked) == 6
    assert not any("FROM items" in statement for statement in asked)


def test_what_is_given_can_be_taken_back(connection: Connection) -> None:
    put_collection(connection, make_collection(), "lakes", owner="x", belongs_to="person:ann")
    bob = VIEWERS["bob"]
    SHARES.give(connection, "lakes", "person:bob", Verb.SEE)
    SHARES.give(connection, "lakes", "person:bob", Verb.CHANGE)
    assert [(share.holder, share.verb) for share in SHARES.list_shares(connection, "lakes")] == [
        ("person:bob", "change")
    ]
    assert find_collection(connection, "lakes", viewer=bob) is not None
    SHARES.take_back(connection, "lakes", "person:bob")
    SHARES.take_back(connection, "lakes", "person:bob")
    assert find_collection(connection, "lakes", viewer=bob) is None
