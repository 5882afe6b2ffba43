"""A platform that was moved has the same records and bytes; what it was moved from is untouched."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from tests.platform_process import wait_until
from tests.stac_documents import make_item, write_bytes
from tests.unit.production.moving.conftest import (
    is_at_work,
    move,
    read_bytes,
    read_folder,
    read_records,
    register,
    settle,
    withdraw,
)

from skerry.catalog.deletions import finish_deletions
from skerry.catalog.registration import insert_item
from skerry.catalog.tables import items
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.production.moving import move as moving
from skerry.production.moving.places import Place
from skerry.production.upkeep.agreement import list_lost, list_unnamed
from skerry.storage.database import is_server, using_database
from skerry.storage.homes import HOMES
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import check_usable
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.platform_mark import check_store, read_mark


@pytest.mark.postgresql
@pytest.mark.s3
def test_it_grows_up_and_comes_back(
    stopped: Place,
    server: Callable[[], str],
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, records = read_folder(stopped.data.root), read_records(stopped)
    content = read_bytes(stopped.objects)
    assert sum(key.startswith("runs/") for key in content) == 3
    moved = move(stopped, server(), bucket)
    assert (moved.again, moved.missing) == (False, 0)
    assert read_folder(stopped.data.root) == folder
    grown = settle(moved.target, monkeypatch)
    assert read_records(grown) == records
    assert read_bytes(grown.objects) == content
    copied = [register(grown, name) for name in ("third", "fourth", "fifth")]
    assert all(prefix.startswith(HOMES) for prefix in copied)
    withdraw(grown, "fourth")
    withdraw(grown, "fifth", delete_bytes=True)
    records, content = read_records(grown), read_bytes(grown.objects)
    wait_until(lambda: not is_at_work(grown), 20, "the sessions have ended")
    back = move(grown, tmp_path / "back", tmp_path / "back/objects")
    assert (back.prefixes, back.missing) == ((moved.prefixes or 0) + 2, 0)
    home = settle(back.target, monkeypatch)
    assert home.data.root == tmp_path / "back"
    assert not is_server(home.database)
    assert read_records(home) == records
    assert read_bytes(home.objects) == content
    kept = copied[0]
    assert home.objects.digest(kept) == grown.objects.digest(kept)
    assert not register(home, "sixth").startswith(HOMES)
    for place in (grown, home):
        mark = read_mark(place.objects)
        assert mark is not None
        assert mark.filling is None


@pytest.mark.long
@pytest.mark.parametrize("finish", [True, False])
def test_what_is_left_of_withdrawn_items_is_moved(
    stopped: Place, tmp_path: Path, *, finish: bool
) -> None:
    """Also when the api was killed before, or while, the bytes went."""
    prefix = register(stopped, "third")
    withdraw(stopped, "first")
    withdraw(stopped, "third", delete_bytes=True, finish=finish)
    if not finish:
        stopped.objects.remove(f"{prefix}quicklook.png")
    wait_until(lambda: not is_at_work(stopped), 20, "the sessions have ended")
    moved = move(stopped, tmp_path / "new", tmp_path / "new/objects")
    assert moved.missing == 0
    now = moved.target
    assert read_records(now) == read_records(stopped)
    there = {key: value for key, value in read_bytes(stopped.objects).items()
             if not key.startswith(prefix)}  # fmt: skip
    assert read_bytes(now.objects) == there
    with using_database(now.database) as engine:
        assert finish_deletions(engine, now.objects) == (0 if finish else 1)
        assert list(list_lost(engine, now.objects)) == []
        assert list(list_unnamed(engine, now.objects)) == []


def test_the_database_alone(
    stopped: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, records = read_folder(stopped.data.root), read_records(stopped)
    moved = move(stopped, tmp_path / "new", None)
    assert moved.prefixes is None
    assert read_folder(stopped.data.root) == folder
    now = settle(moved.target, monkeypatch)
    assert os.environ[OBJECTS_VARIABLE] == str(stopped.data.objects)
    assert read_records(now) == records
    written = make_item("third")
    write_bytes(stopped.data.objects, written)
    with using_database(now.database) as engine, engine.begin() as connection:
        insert_item(
            connection, written, collection="lakes", status="published", owner="ada",
            objects=ObjectFolder(stopped.data.objects),
        )  # fmt: skip
        keys = connection.execute(select(items.c.key)).scalars().all()
    assert max(keys) == len(keys)


def test_the_objects_alone(stopped: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, content = read_records(stopped), read_bytes(stopped.objects)
    before = read_folder(stopped.data.objects)
    moved = move(stopped, None, tmp_path / "elsewhere")
    assert moved.records is None
    assert read_folder(stopped.data.objects) == before
    now = settle(moved.target, monkeypatch)
    assert read_records(now) == records
    assert read_bytes(now.objects) == content


def test_to_move_again_changes_nothing(stopped: Place, tmp_path: Path) -> None:
    places = tmp_path / "new", tmp_path / "new/objects"
    first = move(stopped, *places)
    before = read_folder(tmp_path / "new")
    again = move(stopped, *places)
    assert again.again
    assert (again.records, again.prefixes) == (first.records, first.prefixes)
    assert read_folder(tmp_path / "new") == before


@pytest.mark.long
def test_a_change_while_bytes_are_carried_is_noticed(
    stopped: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = tmp_path / "new", tmp_path / "new/objects"
    carry = moving.carry_over

    def change_after(*arguments: object) -> object:
        yield from carry(*arguments)  # type: ignore[arg-type]
        if not (tmp_path / "changed").exists():
            (tmp_path / "changed").touch()
            with using_database(stopped.database) as engine, engine.begin() as connection:
                connection.execute(
                    insert(items).values(
                        collection="lakes", id="late", version=1, status="withdrawn", digest="d",
                        prefix="imports/late/", begins=1, ends=2, owner="ada", document={},
                        created=1, updated=1,
                    )
                )  # fmt: skip

    monkeypatch.setattr(moving, "carry_over", change_after)
    with pytest.raises(ConflictError, match="changed while they were moved"):
        move(stopped, *places)
    with monkeypatch.context() as patched:
        patched.delenv(DATABASE_VARIABLE, raising=False)
        for check in (check_store, lambda folder: check_usable(folder, writing=True)):
            with pytest.raises(ConflictError, match="'skerry move' has not ended"):
                check(DataFolder(places[0]))
    moved = move(stopped, *places)
    assert moved.missing == 1
    assert read_records(moved.target) == read_records(stopped)


@pytest.mark.long
def test_bytes_that_change_while_they_are_copied_are_noticed(
    stopped: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = ObjectFolder.copy_to

    def copy_and_damage(self: ObjectFolder, prefix: str, folder: Path) -> str:
        digest = copy(self, prefix, folder)
        next(path for path in folder.rglob("*") if path.is_file()).write_bytes(b"other")
        return digest

    with monkeypatch.context() as patched:
        patched.setattr(ObjectFolder, "copy_to", copy_and_damage)
        with pytest.raises(ConflictError, match="are not those that were copied"):
            move(stopped, tmp_path / "new", tmp_path / "new/objects")
    moved = move(stopped, tmp_path / "new", tmp_path / "new/objects")
    assert read_bytes(moved.target.objects) == read_bytes(stopped.objects)


@pytest.mark.long
@pytest.mark.parametrize("data", ["sqlite"], indirect=True)
def test_a_file_with_a_journal_stays_as_it_is(stopped: Place, tmp_path: Path) -> None:
    with using_database(stopped.database) as engine, engine.connect() as reader:
        reader.execute(text("SELECT 1"))
        journal = {
            path.name: path.read_bytes()
            for path in stopped.data.state.iterdir()
            if path.name.startswith("skerry.sqlite")
        }
    for name, content in journal.items():
        (stopped.data.state / name).write_bytes(content)
    before = read_folder(stopped.data.root)
    assert "state/skerry.sqlite-wal" in before
    move(stopped, tmp_path / "new", None)
    assert read_folder(stopped.data.root) == before


def test_nothing_to_move(stopped: Place) -> None:
    with pytest.raises(InvalidInputError, match="Nothing is to be moved"):
        move(stopped, None, None)
