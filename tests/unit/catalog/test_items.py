"""Items: once and for all, newer versions supersede, bytes are freed with the record."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select
from tests.stac_documents import insert_written, make_collection, make_item, write_bytes
from tests.viewers import MEMBER, OPERATOR

from skerry.catalog.collections import (
    delete_collection,
    find_collection,
    list_collections,
    put_collection,
)
from skerry.catalog.deletions import (
    delete_item,
    finish_deletions,
    note_deletion,
    release_expired,
    release_grant,
)
from skerry.catalog.items import find_item, find_owner_of_key, item_version
from skerry.catalog.registration import insert_item, register_item
from skerry.catalog.tables import items, items_index
from skerry.core.digests import digest_bytes
from skerry.core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)
from skerry.core.ownership import ANONYMOUS
from skerry.models.grants import Purpose
from skerry.models.versions import VersionStatus
from skerry.storage.grants import create_grant, find_grant
from skerry.storage.object_folder import ObjectFolder


@pytest.fixture
def lakes(engine: Engine) -> str:
    with engine.begin() as connection:
        put_collection(connection, make_collection("lakes"), "lakes", owner="alice")
    return "lakes"


def _write(
    connection: Connection, objects: ObjectFolder, identifier: str = "scene", **more: Any
) -> dict[str, Any]:
    """Ask for a grant and write an item's bytes under it."""
    grant = create_grant(connection, Purpose.IMPORT, "alice")
    item = make_item(identifier, prefix=grant.prefix, **more)
    write_bytes(objects.root, item)
    return item


def _write_under_two_grants(connection: Connection, objects: ObjectFolder) -> dict[str, Any]:
    """Write an item's bytes where a grant is left after the first has ended with the item."""
    grants = [create_grant(connection, Purpose.RUN, "alice", run="r", epoch=1) for _ in "ab"]
    item = make_item("scene", prefix=grants[0].prefix)
    write_bytes(objects.root, item)
    return item


@pytest.mark.usefixtures("lakes")
class TestRegister:
    def test_a_new_item_is_stored_and_found(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = _write(connection, objects)
        stored, new = register_item(connection, item, "lakes", owner="alice", objects=objects)
        assert new
        assert stored.version == 1
        assert stored.status == VersionStatus.PUBLISHED
        assert find_item(connection, "lakes", "scene", viewer=MEMBER) == stored
        document = stored.to_stac()
        assert document["properties"]["skerry:status"] == "published"
        assert document["properties"]["created"].endswith("Z")

    def test_the_same_digest_again_changes_nothing(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        first = _write(connection, objects)
        stored, _ = register_item(connection, first, "lakes", owner="alice", objects=objects)
        again = _write(connection, objects)
        same, new = register_item(connection, again, "lakes", owner="alice", objects=objects)
        assert not new
        assert same == stored
        assert len(connection.execute(select(items.c.key)).all()) == 1

    def test_the_same_source_again_changes_nothing(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        source = digest_bytes(b"source")
        first = _write(connection, objects, **{"skerry:source_digest": source})
        stored, _ = register_item(connection, first, "lakes", owner="alice", objects=objects)
        again = _write(
            connection, objects, content="other bytes", **{"skerry:source_digest": source}
        )
        same, new = register_item(connection, again, "lakes", owner="alice", objects=objects)
        assert not new
        assert same == stored

    def test_another_digest_is_a_conflict(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        first = _write(connection, objects)
        register_item(connection, first, "lakes", owner="alice", objects=objects)
        other = _write(connection, objects, content="something else")
        with pytest.raises(ConflictError, match="'scene'"):
            register_item(connection, other, "lakes", owner="alice", objects=objects)

    def test_replacing_keeps_the_earlier_item_until_the_other_is_there(
        self, engine: Engine, objects: ObjectFolder
    ) -> None:
        with engine.begin() as connection:
            first = _write(connection, objects)
            register_item(connection, first, "lakes", owner="alice", objects=objects)
            other = _write(connection, objects, content="something else")
            missing = {"href": other["properties"]["skerry:prefix"] + "missing.tif"}
            absent = {**other, "assets": {**other["assets"], "missing": missing}}
        for given, refused in ((absent, True), (other, False)):
            with suppress(InvalidInputError), engine.begin() as connection:
                register_item(
                    connection, given, "lakes", owner="alice", objects=objects, replace=True
                )
            shown = first if refused else other
            with engine.begin() as connection:
                result = find_item(connection, "lakes", "scene", viewer=MEMBER)
            assert result is not None
            assert result.digest == shown["properties"]["skerry:digest"]
            assert result.version == (1 if refused else 2)
        assert finish_deletions(engine, objects) == 1
        assert not objects.exists(first["properties"]["skerry:prefix"])
        assert objects.exists(other["properties"]["skerry:prefix"])

    def test_bytes_must_lie_under_a_grant_of_the_same_owner(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = _write(connection, objects)
        with pytest.raises(ForbiddenError, match="No write grant of 'bob'"):
            register_item(connection, item, "lakes", owner="bob", objects=objects)

    def test_a_grant_is_for_one_item_with_all_of_its_prefix(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        grant = create_grant(connection, Purpose.IMPORT, "alice")
        part = make_item(prefix=f"{grant.prefix}part/")
        write_bytes(objects.root, part)
        with pytest.raises(ForbiddenError, match="for each item"):
            register_item(connection, part, "lakes", owner="alice", objects=objects)
        assert find_grant(connection, grant.id) is not None

    def test_an_ended_grant_is_none(self, connection: Connection, objects: ObjectFolder) -> None:
        grant = create_grant(connection, Purpose.IMPORT, "alice", life_s=-1)
        item = make_item(prefix=grant.prefix)
        write_bytes(objects.root, item)
        with pytest.raises(ForbiddenError, match="No write grant"):
            register_item(connection, item, "lakes", owner="alice", objects=objects)

    def test_bytes_must_be_there(self, connection: Connection, objects: ObjectFolder) -> None:
        grant = create_grant(connection, Purpose.IMPORT, "alice")
        with pytest.raises(InvalidInputError, match="'product'"):
            register_item(
                connection, make_item(prefix=grant.prefix), "lakes", owner="alice", objects=objects
            )

    def test_bytes_belong_to_one_item(self, connection: Connection, objects: ObjectFolder) -> None:
        item = _write_under_two_grants(connection, objects)
        register_item(connection, item, "lakes", owner="alice", objects=objects)
        for prefix in (item["properties"]["skerry:prefix"],):
            thief = make_item("thief", prefix=prefix)
            with pytest.raises(ConflictError, match="belong to the item 'scene'"):
                register_item(connection, thief, "lakes", owner="alice", objects=objects)
            inner = make_item("inner", prefix=f"{prefix}product.zarr/")
            inner["assets"] = {"product": {"href": f"{prefix}product.zarr/zarr.json"}}
            with pytest.raises(ConflictError, match="belong to the item 'scene'"):
                insert_item(
                    connection, inner, collection="lakes", status=VersionStatus.PUBLISHED,
                    owner="alice", objects=objects,
                )  # fmt: skip

    def test_the_collection_must_exist(self, connection: Connection, objects: ObjectFolder) -> None:
        item = _write(connection, objects)
        with pytest.raises(NotFoundError, match="'rivers'"):
            register_item(connection, item, "rivers", owner="alice", objects=objects)

    def test_the_own_sandbox_is_made_when_missing_and_no_one_else_s(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = _write(connection, objects)
        stored, _ = register_item(connection, item, "sandbox-alice", owner="alice", objects=objects)
        assert not stored.public
        with pytest.raises(ForbiddenError, match="sandbox-bob"):
            register_item(connection, item, "sandbox-bob", owner="alice", objects=objects)
        with pytest.raises(ForbiddenError, match="sandbox-alice"):
            delete_item(connection, "sandbox-alice", "scene", owner="bob")

    def test_racing_registrations_make_one_item(
        self, engine: Engine, objects: ObjectFolder
    ) -> None:
        with engine.begin() as connection:
            document = [_write(connection, objects) for _ in range(6)]
        news: list[bool] = []

        def register(item: dict[str, Any]) -> None:
            with engine.begin() as connection:
                news.append(
                    register_item(connection, item, "lakes", owner="alice", objects=objects)[1]
                )

        threads = [threading.Thread(target=register, args=(item,)) for item in document]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(news) == [False] * 5 + [True]


@pytest.mark.usefixtures("lakes")
class TestRunOutputs:
    def _publish(self, connection: Connection, run: str, **more: Any) -> Any:
        epoch = more.pop("epoch", 1)
        item = make_item("turbidity", prefix=f"runs/{run}/{epoch}/products/t/", **more)
        return insert_written(
            connection, item, collection="lakes", status="published", owner="project-main",
            run=run, output="t",
        )  # fmt: skip

    def test_a_newer_run_supersedes(self, connection: Connection) -> None:
        first = self._publish(connection, "r1")
        second = self._publish(connection, "r2", content="better")
        assert (first.version, second.version) == (1, 2)
        assert find_item(connection, "lakes", "turbidity", viewer=MEMBER) == second
        statuses = {row.version: row.status for row in connection.execute(select(items))}
        assert statuses == {1: "superseded", 2: "published"}
        indexed = connection.execute(select(items_index.c.item)).scalars().all()
        assert indexed == [second.key]

    def test_an_output_without_its_bytes_is_refused(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = make_item(prefix="runs/r1/1/products/t/")
        write_bytes(objects.root, item)
        (objects.root / item["assets"]["thumbnail"]["href"]).unlink()
        with pytest.raises(InvalidInputError, match="'thumbnail' are not at 'runs/r1/1/"):
            insert_item(
                connection, item, collection="lakes", status="published", owner="p",
                objects=objects, run="r1", output="t",
            )  # fmt: skip
        assert find_item(connection, "lakes", "scene", viewer=MEMBER) is None

    def test_the_same_output_again_is_the_same_item(self, connection: Connection) -> None:
        first = self._publish(connection, "r1")
        assert self._publish(connection, "r1", epoch=2) == first

    def test_the_same_output_with_other_content_is_refused(self, connection: Connection) -> None:
        self._publish(connection, "r1")
        with pytest.raises(ConflictError, match="r1"):
            self._publish(connection, "r1", epoch=2, content="other")

    def test_a_failing_transaction_leaves_nothing(self, engine: Engine) -> None:
        def publish_two() -> None:
            with engine.begin() as connection:
                self._publish(connection, "r1")
                insert_written(
                    connection, make_item("x"), collection="none", status="published", owner="p"
                )

        with pytest.raises(NotFoundError, match="'none'"):
            publish_two()
        with engine.begin() as connection:
            assert find_item(connection, "lakes", "turbidity", viewer=MEMBER) is None
            assert connection.execute(select(items_index.c.item)).all() == []

    def test_the_content_version_follows_the_content(self, connection: Connection) -> None:
        assert item_version(connection, "lakes", "turbidity", viewer=MEMBER) is None
        first = self._publish(connection, "r1")
        version = item_version(connection, "lakes", "turbidity", viewer=MEMBER)
        assert version == first.content_version
        self._publish(connection, "r2", content="better")
        assert item_version(connection, "lakes", "turbidity", viewer=MEMBER) not in (None, version)


class TestVisibility:
    @pytest.mark.parametrize(
        ("public", "status", "seen"),
        [
            (True, "published", True),
            (True, "preliminary", False),
            (True, "withdrawn", False),
            (False, "published", False),
        ],
    )
    def test_anonymous_sees_published_items_of_public_collections(
        self, connection: Connection, *, public: bool, status: str, seen: bool
    ) -> None:
        put_collection(connection, make_collection(public=public), "lakes", owner="alice")
        item = insert_written(
            connection, make_item(), collection="lakes", status=status, owner="alice"
        )
        for viewer in (OPERATOR, ANONYMOUS):
            expected = viewer is OPERATOR or seen
            assert (find_item(connection, "lakes", "scene", viewer=viewer) is not None) == expected
            key = f"{item.prefix}file"
            owner = find_owner_of_key(connection, key, viewer=viewer)
            assert (owner is not None) == expected
            version = item_version(connection, "lakes", "scene", viewer=viewer)
            assert (version is not None) == expected
        assert (find_collection(connection, "lakes", viewer=ANONYMOUS) is not None) == public
        assert len(list_collections(connection, viewer=ANONYMOUS)) == int(public)

    def test_closing_a_collection_hides_its_items_at_once(self, connection: Connection) -> None:
        put_collection(connection, make_collection(public=True), "lakes", owner="alice")
        insert_written(
            connection, make_item(), collection="lakes", status="published", owner="alice"
        )
        put_collection(connection, make_collection(public=False), "lakes", owner="alice")
        assert find_item(connection, "lakes", "scene", viewer=ANONYMOUS) is None

    def test_the_item_that_answers_for_a_key(self, connection: Connection) -> None:
        put_collection(connection, make_collection(), "lakes", owner="alice")
        item = insert_written(
            connection, make_item(), collection="lakes", status="published", owner="alice"
        )
        assert (
            find_owner_of_key(connection, "imports/scene/product.zarr/c/0/0", viewer=MEMBER) == item
        )
        assert find_owner_of_key(connection, "imports/scene2/product.zarr", viewer=MEMBER) is None
        assert find_owner_of_key(connection, "imports", viewer=MEMBER) is None


@pytest.mark.usefixtures("lakes")
class TestDelete:
    def test_record_first_then_bytes(self, engine: Engine, objects: ObjectFolder) -> None:
        with engine.begin() as connection:
            item = _write(connection, objects)
            register_item(connection, item, "lakes", owner="alice", objects=objects)
        prefix = item["properties"]["skerry:prefix"]
        with engine.begin() as connection:
            delete_item(connection, "lakes", "scene", owner="alice")
            assert find_item(connection, "lakes", "scene", viewer=MEMBER) is None
            assert connection.execute(select(items_index.c.item)).all() == []
        assert objects.exists(prefix)  # as after a crash at this point
        assert finish_deletions(engine, objects) == 1
        assert not objects.exists(prefix)
        assert finish_deletions(engine, objects) == 0

    def test_bytes_that_cannot_be_removed_hold_up_nothing(
        self, engine: Engine, objects: ObjectFolder, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere" / "a").mkdir(parents=True)
        objects.create_folder("imports/other/")
        (objects.root / "imports" / "link").symlink_to(tmp_path / "elsewhere")
        with engine.begin() as connection:
            for prefix in ("imports/link/a/", "imports/other/"):
                note_deletion(connection, prefix)
        assert finish_deletions(engine, objects) == 1
        assert not objects.exists("imports/other/")
        assert (tmp_path / "elsewhere" / "a").exists()
        (objects.root / "imports" / "link").unlink()
        assert finish_deletions(engine, objects) == 1  # it was not forgotten

    def test_a_rolled_back_deletion_keeps_the_bytes(
        self, engine: Engine, objects: ObjectFolder
    ) -> None:
        with engine.begin() as connection:
            item = _write(connection, objects)
            register_item(connection, item, "lakes", owner="alice", objects=objects)
        with engine.connect() as connection:
            delete_item(connection, "lakes", "scene", owner="alice")
            connection.rollback()
        assert finish_deletions(engine, objects) == 0
        assert objects.exists(item["properties"]["skerry:prefix"])

    def test_bytes_that_are_being_removed_cannot_be_registered(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = _write_under_two_grants(connection, objects)
        register_item(connection, item, "lakes", owner="alice", objects=objects)
        delete_item(connection, "lakes", "scene", owner="alice")
        with pytest.raises(ConflictError, match="being removed"):
            register_item(connection, item, "lakes", owner="alice", objects=objects)

    def test_all_versions_go(self, engine: Engine, objects: ObjectFolder) -> None:
        with engine.begin() as connection:
            for run in ("r1", "r2"):
                item = make_item(prefix=f"runs/{run}/1/products/t/", content=run)
                write_bytes(objects.root, item)
                insert_written(
                    connection, item, collection="lakes", status="published", owner="p",
                    run=run, output="t",
                )  # fmt: skip
            delete_item(connection, "lakes", "scene", owner="alice")
        assert finish_deletions(engine, objects) == 2
        assert list((objects.root / "runs").iterdir()) == []

    def test_what_is_missing_is_named(self, connection: Connection) -> None:
        with pytest.raises(NotFoundError, match="'nothing'"):
            delete_item(connection, "lakes", "nothing", owner="alice")
        with pytest.raises(NotFoundError, match="'none'"):
            delete_collection(connection, "none", owner="alice")

    def test_only_an_empty_collection_goes(
        self, connection: Connection, objects: ObjectFolder
    ) -> None:
        item = _write(connection, objects)
        register_item(connection, item, "lakes", owner="alice", objects=objects)
        with pytest.raises(ConflictError, match="still has items"):
            delete_collection(connection, "lakes", owner="alice")
        delete_item(connection, "lakes", "scene", owner="alice")
        delete_collection(connection, "lakes", owner="alice")
        assert find_collection(connection, "lakes", viewer=MEMBER) is None


@pytest.mark.usefixtures("lakes")
class TestGrants:
    def test_an_unused_grant_s_bytes_go(self, engine: Engine, objects: ObjectFolder) -> None:
        with engine.begin() as connection:
            grant = create_grant(connection, Purpose.IMPORT, "alice")
            write_bytes(objects.root, make_item(prefix=grant.prefix))
            release_grant(connection, grant)
            assert find_grant(connection, grant.id) is None
        finish_deletions(engine, objects)
        assert not objects.exists(grant.prefix)

    def test_a_used_grant_s_bytes_stay(self, engine: Engine, objects: ObjectFolder) -> None:
        with engine.begin() as connection:
            grant = create_grant(connection, Purpose.IMPORT, "alice", life_s=60)
            item = make_item(prefix=f"{grant.prefix}inner/")
            write_bytes(objects.root, item)
            insert_item(
                connection, item, collection="lakes", status=VersionStatus.PUBLISHED,
                owner="alice", objects=objects,
            )  # fmt: skip
            release_grant(connection, grant)
        assert finish_deletions(engine, objects) == 0
        assert objects.exists(f"{grant.prefix}inner/product.zarr")

    def test_time_ends_grants_but_a_run_s_folder_stays(
        self, engine: Engine, objects: ObjectFolder
    ) -> None:
        with engine.begin() as connection:
            over = create_grant(connection, Purpose.SANDBOX, "alice", life_s=-1)
            run = create_grant(connection, Purpose.RUN, "project", run="r", epoch=1, life_s=-1)
            create_grant(connection, Purpose.IMPORT, "alice")
        for grant in (over, run):
            objects.create_folder(grant.prefix)
        assert over.prefix == f"sandbox/alice/{over.id}/"
        assert release_expired(engine) == 2
        finish_deletions(engine, objects)
        assert not objects.exists(over.prefix)
        assert objects.exists(run.prefix)
