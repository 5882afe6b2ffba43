"""Versions: whatever the order, what is published stays until another version is published."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.stac_documents import insert_written, make_collection, make_item
from tests.viewers import MEMBER, OPERATOR

from skerry.catalog.collections import put_collection
from skerry.catalog.decisions import list_versions, publish_version, withdraw_version
from skerry.catalog.items import StoredItem, find_item, find_withdrawn, item_version
from skerry.catalog.search import parse_query, search_items
from skerry.catalog.tables import items, items_index
from skerry.core.errors import ConflictError, NotFoundError
from skerry.core.ownership import ANONYMOUS, KEEPER, Viewer
from skerry.models.versions import VersionStatus

PRELIMINARY, PUBLISHED = VersionStatus.PRELIMINARY, VersionStatus.PUBLISHED
SUPERSEDED, WITHDRAWN = VersionStatus.SUPERSEDED, VersionStatus.WITHDRAWN


SEEN = {
    ANONYMOUS: (PUBLISHED,),
    MEMBER: (PUBLISHED, PRELIMINARY),
    OPERATOR: (PUBLISHED, PRELIMINARY, WITHDRAWN),
    KEEPER: (PUBLISHED, PRELIMINARY, WITHDRAWN),
}
"""The statuses that a viewer sees, best first."""


@dataclass(frozen=True)
class Oracle:
    """What the catalogue should hold of one item: the status of each version, in order."""

    statuses: tuple[VersionStatus, ...] = ()

    def insert(self, status: VersionStatus) -> "Oracle":
        """Add a version."""
        gone = {PRELIMINARY} if status is PRELIMINARY else {PRELIMINARY, PUBLISHED}
        before = tuple(SUPERSEDED if item in gone else item for item in self.statuses)
        return Oracle((*before, status))

    def publish(self) -> "Oracle":
        """Publish the preliminary version."""
        changes = {PUBLISHED: SUPERSEDED, PRELIMINARY: PUBLISHED}
        return Oracle(tuple(changes.get(item, item) for item in self.statuses))

    def withdraw(self, status: VersionStatus) -> "Oracle":
        """Withdraw the version that has a status."""
        return Oracle(tuple(WITHDRAWN if item is status else item for item in self.statuses))

    def shown(self, viewer: Viewer) -> int | None:
        """Return the version that an asker sees."""
        for status in SEEN[viewer]:
            if status in self.statuses:
                return len(self.statuses) - self.statuses[::-1].index(status)
        return None


def insert_version(connection: Connection, number: int, status: VersionStatus) -> None:
    item = make_item("scene", prefix=f"runs/r{number}/1/products/t/", content=str(number))
    insert_written(
        connection, item, collection="lakes", status=status, owner="p", run=f"r{number}",
        output="t",
    )  # fmt: skip


def withdraw(connection: Connection, version: int, **more: Any) -> None:
    facts = {"by": "p", "reason": "wrong calibration"} | more
    withdraw_version(connection, "lakes", "scene", version, **facts)


def find_version(oracle: Oracle, status: VersionStatus) -> int:
    return oracle.statuses.index(status) + 1


Step = Callable[[Connection, Oracle], Oracle | None]
"""Changes the catalogue and tells what it should hold now; None where the step has no subject."""


def rerun_preliminary(connection: Connection, oracle: Oracle) -> Oracle:
    insert_version(connection, len(oracle.statuses) + 1, PRELIMINARY)
    return oracle.insert(PRELIMINARY)


def rerun_published(connection: Connection, oracle: Oracle) -> Oracle:
    insert_version(connection, len(oracle.statuses) + 1, PUBLISHED)
    return oracle.insert(PUBLISHED)


def publish(connection: Connection, oracle: Oracle) -> Oracle | None:
    if PRELIMINARY not in oracle.statuses:
        return None
    publish_version(connection, "lakes", "scene", find_version(oracle, PRELIMINARY), by="p")
    return oracle.publish()


def withdraw_preliminary(connection: Connection, oracle: Oracle) -> Oracle | None:
    if PRELIMINARY not in oracle.statuses:
        return None
    withdraw(connection, find_version(oracle, PRELIMINARY))
    return oracle.withdraw(PRELIMINARY)


def withdraw_published(connection: Connection, oracle: Oracle) -> Oracle | None:
    if PUBLISHED not in oracle.statuses:
        return None
    withdraw(connection, find_version(oracle, PUBLISHED))
    return oracle.withdraw(PUBLISHED)


STEPS: tuple[Step, ...] = (
    rerun_preliminary, rerun_published, publish, withdraw_preliminary, withdraw_published,
)  # fmt: skip


@dataclass
class Seen:
    """The versions that the catalogue's questions answer with, for one kind of asker."""

    by_name: int | None
    by_search: list[int] = field(default_factory=list)
    by_place: list[int] = field(default_factory=list)
    by_id: list[int] = field(default_factory=list)


def look(connection: Connection, viewer: Viewer) -> Seen:
    def search(**query: object) -> list[int]:
        parsed_query = parse_query(**query)  # type: ignore[arg-type]
        return [
            item.version for item in search_items(connection, parsed_query, viewer=viewer).items
        ]

    item = find_item(connection, "lakes", "scene", viewer=viewer)
    content = item_version(connection, "lakes", "scene", viewer=viewer)
    assert content == (item.content_version if item else None)
    return Seen(
        by_name=item.version if item else None,
        by_search=search(collections=["lakes"]),
        by_place=search(bbox=[13.4, 54.4, 13.6, 54.6], datetime="2026-05-01T00:00:00Z/.."),
        by_id=search(ids=["scene"]),
    )


def check_agreement(connection: Connection, oracle: Oracle) -> None:
    rows = connection.execute(select(items.c.key, items.c.status).order_by(items.c.version)).all()
    assert tuple(row.status for row in rows) == oracle.statuses
    indexed = sorted(connection.execute(select(items_index.c.item)).scalars())
    assert indexed == [row.key for row in rows if row.status != SUPERSEDED]
    for viewer in SEEN:
        version = oracle.shown(viewer)
        some = [] if version is None else [version]
        assert look(connection, viewer) == Seen(version, some, some, some), viewer


@pytest.fixture
def lakes(connection: Connection) -> Connection:
    put_collection(connection, make_collection(public=True), "lakes", owner="alice")
    return connection


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "orders"), [(4, 106), pytest.param(5, 354, marks=pytest.mark.long)]
)
def test_every_order_of_steps_agrees_with_the_oracle(
    lakes: Connection, steps: int, orders: int
) -> None:
    visited = 0

    def walk(oracle: Oracle, depth: int) -> None:
        nonlocal visited
        check_agreement(lakes, oracle)
        visited += 1
        for step in STEPS if depth else ():
            savepoint = lakes.begin_nested()
            after = step(lakes, oracle)
            if after is not None:
                walk(after, depth - 1)
            savepoint.rollback()

    walk(Oracle(), steps)
    assert visited == orders


def test_what_is_published_stays_until_another_version_is_published(lakes: Connection) -> None:
    oracle = rerun_published(lakes, Oracle())
    for _ in range(3):
        oracle = rerun_preliminary(lakes, oracle)
        for viewer in SEEN:
            assert look(lakes, viewer).by_name == 1
    publish_version(lakes, "lakes", "scene", 4, by="p")
    for viewer in SEEN:
        assert look(lakes, viewer).by_name == 4


@pytest.mark.parametrize("status", [SUPERSEDED, WITHDRAWN])
def test_only_a_preliminary_version_is_published(lakes: Connection, status: VersionStatus) -> None:
    rerun_preliminary(lakes, Oracle())
    if status is SUPERSEDED:
        insert_version(lakes, 2, PRELIMINARY)
    else:
        withdraw(lakes, 1)
    with pytest.raises(ConflictError, match=f"Version 1 of 'scene' in 'lakes' is {status}"):
        publish_version(lakes, "lakes", "scene", 1, by="p")


def test_changing_a_status_twice_is_like_once_and_what_is_missing_is_named(
    lakes: Connection,
) -> None:
    rerun_preliminary(lakes, Oracle())
    for _ in range(2):
        publish_version(lakes, "lakes", "scene", 1, by="p")
    for _ in range(2):
        withdraw(lakes, 1)
    item = find_item(lakes, "lakes", "scene", viewer=OPERATOR)
    assert isinstance(item, StoredItem)
    assert item.status == WITHDRAWN
    with pytest.raises(NotFoundError, match="version 7 of 'scene'"):
        publish_version(lakes, "lakes", "scene", 7, by="p")
    with pytest.raises(NotFoundError, match="version 7 of 'scene'"):
        withdraw(lakes, 7)


def test_a_withdrawn_item_carries_its_reason_and_stac_says_deprecated(lakes: Connection) -> None:
    rerun_published(lakes, Oracle())
    before = find_item(lakes, "lakes", "scene", viewer=OPERATOR)
    assert before is not None
    assert "deprecated" not in before.to_stac()["properties"]
    for reason in ("wrong calibration", "wrong offset"):  # a later reason corrects an earlier
        withdraw(lakes, 1, reason=reason)
    item = find_item(lakes, "lakes", "scene", viewer=OPERATOR)
    assert item is not None
    document = item.to_stac()
    properties = document["properties"]
    assert properties["skerry:status"] == "withdrawn"
    assert properties["skerry:reason"] == "wrong offset"
    assert (properties["deprecated"], properties["version"]) == (True, "1")
    assert any("/version/" in address for address in document["stac_extensions"])
    assert "skerry:bytes_deleted" not in properties
    [version] = list_versions(lakes, "lakes", "scene")
    assert (version.status, version.reason) == (WITHDRAWN, "wrong offset")
    assert version.bytes_deleted is None


def test_a_superseded_version_is_withdrawn_and_what_is_shown_stays(lakes: Connection) -> None:
    oracle = rerun_published(lakes, rerun_published(lakes, Oracle()))
    withdraw(lakes, 1)
    assert [item.status for item in list_versions(lakes, "lakes", "scene")] == [
        PUBLISHED, WITHDRAWN,
    ]  # fmt: skip
    for viewer in SEEN:
        assert look(lakes, viewer).by_name == oracle.shown(viewer) == 2


def test_the_reason_is_for_those_who_could_see_the_version(lakes: Connection) -> None:
    def tell(viewer: Viewer) -> int | None:
        item = find_withdrawn(lakes, "lakes", "scene", viewer=viewer)
        return item.version if item else None

    oracle = rerun_published(lakes, Oracle())
    oracle = withdraw_published(lakes, oracle) or oracle
    oracle = rerun_preliminary(lakes, oracle)
    withdraw_preliminary(lakes, oracle)
    stranger = Viewer(frozenset({"person:eve"}))
    # visitors never saw the preliminary version 2
    assert {viewer: tell(viewer) for viewer in (ANONYMOUS, stranger, MEMBER, KEEPER)} == {
        ANONYMOUS: 1, stranger: 1, MEMBER: 2, KEEPER: 2,
    }  # fmt: skip
    put_collection(lakes, make_collection(public=False), "lakes", owner="alice")
    assert [tell(viewer) for viewer in (ANONYMOUS, stranger, MEMBER)] == [None, None, 2]


def test_a_rerun_after_a_withdrawal_publishes_the_next_version(lakes: Connection) -> None:
    rerun_published(lakes, Oracle())
    withdraw(lakes, 1)
    insert_version(lakes, 2, PUBLISHED)
    for viewer in SEEN:
        assert look(lakes, viewer).by_name == 2
    assert [item.status for item in list_versions(lakes, "lakes", "scene")] == [
        PUBLISHED, WITHDRAWN,
    ]  # fmt: skip
