"""Withdrawals on both databases and stores: the record stays, and its bytes go if asked."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select
from tests.object_stores import store
from tests.stac_documents import make_collection, make_item
from tests.viewers import MEMBER, OPERATOR

from skerry.catalog.collections import put_collection
from skerry.catalog.decisions import list_versions, withdraw_version
from skerry.catalog.deletions import (
    delete_item,
    finish_deletions,
    note_deleted_bytes,
)
from skerry.catalog.items import find_item, item_version
from skerry.catalog.registration import insert_item, register_item
from skerry.catalog.tables import deletions, items
from skerry.core.digests import digest_bytes
from skerry.core.errors import ConflictError
from skerry.models.grants import Purpose
from skerry.models.versions import VersionStatus
from skerry.production.upkeep.agreement import list_lost, list_unnamed
from skerry.storage.grants import create_grant
from skerry.storage.objects import Objects
from skerry.storage.recording import Actor, writing
from skerry.storage.tables import audit

__all__ = ["store"]

ANN = Actor("ann")
PUBLISHED, WITHDRAWN = VersionStatus.PUBLISHED, VersionStatus.WITHDRAWN
SUPERSEDED = VersionStatus.SUPERSEDED


@pytest.fixture(autouse=True)
def lakes(engine: Engine) -> None:
    with writing(engine, ANN) as connection:
        put_collection(connection, make_collection(public=True), "lakes", owner="ann")


def write(store: Objects, item: dict[str, Any]) -> None:
    for asset in item["assets"].values():
        store.write(asset["href"], b"something small")


def publish_run(connection: Connection, store: Objects, run: str = "r1", **more: Any) -> str:
    """Publish a run's output, and return where its bytes are."""
    item = make_item(prefix=f"runs/{run}/1/products/t/", content=run, **more)
    write(store, item)
    insert_item(
        connection, item, collection="lakes", status=PUBLISHED, owner="p", objects=store,
        run=run, output="t",
    )  # fmt: skip
    return str(item["properties"]["skerry:prefix"])


def import_item(
    connection: Connection, store: Objects, content: str = "first", *, replace: bool = False,
    again: bool = False, **more: Any,
) -> str:  # fmt: skip
    """Register an import, and return where its bytes are."""
    grant = create_grant(connection, Purpose.IMPORT, "ann")
    item = make_item(prefix=grant.prefix, content=content, **more)
    write(store, item)
    _, new = register_item(
        connection, item, "lakes", owner="ann", objects=store, replace=replace, again=again
    )
    assert new
    return grant.prefix


PRODUCERS = pytest.mark.parametrize("produce", [publish_run, import_item])


def withdraw(connection: Connection, version: int = 1, **more: Any) -> None:
    facts = {"by": "ann", "reason": "wrong calibration"} | more
    withdraw_version(connection, "lakes", "scene", version, **facts)


def read_statuses(connection: Connection) -> dict[int, VersionStatus]:
    return {item.version: item.status for item in list_versions(connection, "lakes", "scene")}


@PRODUCERS
def test_bytes_stay_until_they_are_to_go(engine: Engine, store: Objects, produce: Any) -> None:
    with writing(engine, ANN) as connection:
        prefix = produce(connection, store)
        withdraw(connection)
        assert find_item(connection, "lakes", "scene", viewer=MEMBER) is None
    assert finish_deletions(engine, store) == 0
    assert store.exists(prefix)
    with writing(engine, ANN) as connection:
        before = item_version(connection, "lakes", "scene", viewer=OPERATOR)
        withdraw(connection, delete_bytes=True)
        # caches of what was drawn are not asked any more
        assert item_version(connection, "lakes", "scene", viewer=OPERATOR) != before
        [version] = list_versions(connection, "lakes", "scene")
        assert version.bytes_deleted is not None
    assert store.exists(prefix)  # as after a crash at this point
    assert finish_deletions(engine, store) == 1
    assert not store.exists(prefix)
    assert finish_deletions(engine, store) == 0
    with writing(engine, ANN) as connection:
        withdraw(connection, delete_bytes=True)  # changes nothing
        assert list_versions(connection, "lakes", "scene") == [version]
        item = find_item(connection, "lakes", "scene", viewer=OPERATOR)
        assert item is not None
        assert "skerry:bytes_deleted" in item.to_stac()["properties"]
    assert list(list_lost(engine, store)) == []
    assert list(list_unnamed(engine, store)) == []


@PRODUCERS
def test_a_rolled_back_withdrawal_keeps_everything(
    engine: Engine, store: Objects, produce: Any
) -> None:
    with writing(engine, ANN) as connection:
        prefix = produce(connection, store)
    with engine.connect().execution_options(skerry_actor=ANN) as connection:
        withdraw(connection, delete_bytes=True)
        connection.rollback()
    assert finish_deletions(engine, store) == 0
    assert store.exists(prefix)
    with engine.connect() as connection:
        assert read_statuses(connection) == {1: PUBLISHED}


def test_the_audit_tells_who_withdrew_what_and_why(engine: Engine, store: Objects) -> None:
    with writing(engine, ANN) as connection:
        prefix = publish_run(connection, store)
        withdraw(connection)
        withdraw(connection, reason="wrong offset", delete_bytes=True)
    with engine.connect() as connection:
        rows = connection.execute(
            select(audit).where(audit.c.what == "item/lakes/scene/1").order_by(audit.c.number)
        ).all()
        removal = connection.execute(select(audit).where(audit.c.what == f"removal/{prefix}"))
        assert [row.who for row in removal] == ["ann"]
    [_, first, second] = rows
    assert (first.who, first.action) == ("ann", "withdrawn")
    assert first.before == {"status": "published", "reason": None}
    assert first.after == {"status": "withdrawn", "reason": "wrong calibration"}
    assert (second.who, second.action) == ("ann", "bytes deleted")
    assert second.before == {"reason": "wrong calibration", "bytes_deleted": None}
    assert second.after["reason"] == "wrong offset"
    assert second.after["bytes_deleted"] > 0


def test_bytes_of_another_item_in_the_same_place_are_never_harmed(
    engine: Engine, store: Objects
) -> None:
    """The catalogue refuses such items; an older database may have them."""
    with writing(engine, ANN) as connection:
        prefix = publish_run(connection, store)
        row = connection.execute(select(items)).mappings().one()
        other = dict(row) | {"id": "other", "run": None, "output": None}
        del other["key"]
        connection.execute(insert(items).values(**other))
    with (
        pytest.raises(ConflictError, match="'other' in 'lakes' has its bytes"),
        writing(engine, ANN) as connection,
    ):
        withdraw(connection, delete_bytes=True)
    with writing(engine, ANN) as connection:
        withdraw(connection)
    assert finish_deletions(engine, store) == 0
    assert store.exists(prefix)


def test_another_content_after_a_withdrawal_is_the_next_version(
    engine: Engine, store: Objects
) -> None:
    with writing(engine, ANN) as connection:
        import_item(connection, store)
        withdraw(connection)
        import_item(connection, store, "better")
        assert read_statuses(connection) == {2: PUBLISHED, 1: WITHDRAWN}


@pytest.mark.parametrize("same", ["bytes", "source"])
def test_withdrawn_content_comes_back_only_if_asked(
    engine: Engine, store: Objects, same: str
) -> None:
    source = {"skerry:source_digest": digest_bytes(b"source")} if same == "source" else {}
    content = "other bytes" if same == "source" else "first"
    with writing(engine, ANN) as connection:
        import_item(connection, store, **source)
        withdraw(connection)
    for attempt in (1, 2):  # a newer version that was withdrawn changes nothing about it
        with (
            pytest.raises(ConflictError, match=r"Version 1 of 'scene'.*wrong calibration"),
            writing(engine, ANN) as connection,
        ):
            import_item(connection, store, content, **source)
        if attempt == 1:
            with writing(engine, ANN) as connection:
                import_item(connection, store, "quite different")
                withdraw(connection, 2)
    with writing(engine, ANN) as connection:
        import_item(connection, store, content, again=True, **source)
        assert read_statuses(connection) == {3: PUBLISHED, 2: WITHDRAWN, 1: WITHDRAWN}


def test_replacing_supersedes_and_keeps_the_record(engine: Engine, store: Objects) -> None:
    with writing(engine, ANN) as connection:
        first = import_item(connection, store)
        second = import_item(connection, store, "better", replace=True)
        assert read_statuses(connection) == {2: PUBLISHED, 1: SUPERSEDED}
        newest, oldest = list_versions(connection, "lakes", "scene")
        assert (newest.bytes_deleted is None, oldest.bytes_deleted is None) == (True, False)
    assert finish_deletions(engine, store) == 1
    assert (store.exists(first), store.exists(second)) == (False, True)
    assert list(list_lost(engine, store)) == []


def test_deleted_bytes_that_came_back_are_listed_again(engine: Engine, store: Objects) -> None:
    with writing(engine, ANN) as connection:
        prefix = publish_run(connection, store)
        withdraw(connection, delete_bytes=True)
    finish_deletions(engine, store)
    store.write(f"{prefix}product.zarr", b"from a backup")
    for _ in range(2):
        with writing(engine, ANN) as connection:
            note_deleted_bytes(connection)
            assert connection.execute(select(deletions.c.prefix)).scalars().all() == [prefix]
    assert finish_deletions(engine, store) == 1
    assert not store.exists(prefix)


def test_a_deleted_item_takes_its_withdrawn_versions_along(engine: Engine, store: Objects) -> None:
    with writing(engine, ANN) as connection:
        publish_run(connection, store)
        withdraw(connection, delete_bytes=True)
        publish_run(connection, store, "r2")
        delete_item(connection, "lakes", "scene", owner="ann")
    assert finish_deletions(engine, store) == 2
    with engine.connect() as connection:
        assert connection.execute(select(items.c.key)).all() == []
