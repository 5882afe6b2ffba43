"""Backups: of one moment, only what is new is copied, and what is restored answers the same."""

import json
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, FromClause, delete, select, text, update
from tests.stac_documents import insert_written, make_collection, make_item, write_bytes
from tests.unit.production.test_runs import claim, objects, publish, staged, start
from tests.viewers import MEMBER

from skerry.catalog.collections import put_collection
from skerry.catalog.decisions import withdraw_version
from skerry.catalog.deletions import finish_deletions
from skerry.catalog.items import find_item, find_withdrawn
from skerry.catalog.registration import insert_item
from skerry.catalog.tables import items
from skerry.cli.backup import backup, restore
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.production import backup_bytes, backups
from skerry.production.backups import (
    create_backup,
    list_backups,
    restore_backup,
    state_tables,
)
from skerry.production.runs import cancel_run
from skerry.production.tables import runs
from skerry.production.upkeep.agreement import list_lost, list_unnamed
from skerry.storage import object_folder
from skerry.storage.database import database_url, find_database, open_database, using_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.platform_mark import MARK
from skerry.storage.recording import Actor, writing

__all__ = ["objects"]


def read_rows(
    engine: Engine, tables: Iterable[FromClause] | None = None, of: str = "platform/backup/"
) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of tables, by default of the state, without the audit's entries of `of`."""
    with engine.connect() as connection:
        return {
            str(getattr(table, "name", "")): sorted(
                (
                    dict(row)
                    for row in connection.execute(select(table)).mappings()
                    if not str(row.get("what", "")).startswith(of)
                ),
                key=repr,
            )
            for table in (state_tables() if tables is None else tables)
        }


def read_bytes(root: Path) -> dict[str, bytes]:
    """Return all files of an object store but the mark: each platform has a name of its own."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path != root / MARK
    }


def put_item(engine: Engine, name: str) -> str:
    """Register an item with bytes, on both sides of the antimeridian; return its prefix."""
    item = make_item(name, bbox=(170.0, -10.0, 180.0, 10.0))
    with engine.begin() as connection:
        insert_written(connection, item, collection="lakes", status="published", owner="ada")
    return str(item["properties"]["skerry:prefix"])


@pytest.fixture
def filled(engine: Engine, objects: ObjectFolder, data: DataFolder, job: str) -> None:
    """Fill the platform: items, a published run, a run at work, a notebook."""
    notebook = data.objects / "releases" / "one"
    with engine.begin() as connection:
        put_collection(connection, make_collection(), "lakes", owner="ada")
        for key in connection.execute(text("SELECT notebook_key FROM releases")).scalars():
            notebook = data.objects / key
            notebook.parent.mkdir(parents=True)
            notebook.write_text("{}")
    for name in ("first", "second"):
        put_item(engine, name)
    run = start(engine, "manual/published")
    epoch = claim(engine, run)
    assert epoch is not None
    publish(engine, objects, run, epoch, staged(run, epoch))
    product = objects.locate(f"runs/{run}/{epoch}/products/turbidity/product.zarr")
    (product / "zarr.json").write_text("{}")
    (objects.locate(f"runs/{run}/{epoch}/") / "run.log").write_text("still growing")
    run = start(engine, "manual/ended")
    epoch = claim(engine, run)
    objects.create_folder(f"runs/{run}/{epoch}/")
    (objects.locate(f"runs/{run}/{epoch}/") / "run.log").write_text("done")
    with engine.begin() as connection:
        cancel_run(connection, run)
        connection.execute(update(runs).where(runs.c.id == run).values(status="cancelled"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes an empty platform of either kind, to restore into."""
    folder = DataFolder(tmp_path / "again")

    def make() -> DataFolder:
        folder.create()
        if request.param == "sqlite":
            monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
        else:
            url = stack.enter_context(request.getfixturevalue("postgresql").database())
            monkeypatch.setenv(DATABASE_VARIABLE, url)
        return folder

    from contextlib import ExitStack

    with ExitStack() as stack:
        yield make


@pytest.mark.usefixtures("filled")
def test_a_restored_platform_has_the_same_records_and_bytes(
    engine: Engine, data: DataFolder, tmp_path: Path, empty: Any
) -> None:
    before = read_rows(engine)
    result = create_backup(data, tmp_path / "kept")
    files = {
        name: content
        for name, content in read_bytes(data.objects).items()
        if content != b"still growing"
    }
    assert result.manifest.tables == {name: len(rows) for name, rows in before.items()}
    again = empty()
    restored = restore_backup(tmp_path / "kept", again)
    assert restored.manifest == result.manifest
    other = open_database(find_database(again))
    assert read_rows(other) == before
    assert read_bytes(again.objects) == files
    assert sum(name.startswith("runs/") for name in files) == 2
    write_bytes(again.objects, make_item("third"))
    with other.begin() as connection:  # counters go on, and the index knows what it holds
        insert_item(
            connection,
            make_item("third"),
            collection="lakes",
            status="published",
            owner="ada",
            objects=ObjectFolder(again.objects),
        )
        key = connection.scalar(select(items.c.key).where(items.c.id == "third"))
        assert key == 1 + max(row["key"] for row in before["items"])
    other.dispose()


@pytest.mark.postgresql
@pytest.mark.usefixtures("filled")
def test_a_data_folder_goes_to_another_database(
    engine: Engine,
    data: DataFolder,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_backup(data, tmp_path / "kept")
    before = read_rows(engine)
    with request.getfixturevalue("postgresql").database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        assert restore_backup(tmp_path / "kept", data).copied == []
        other = open_database(find_database(data))
        assert read_rows(other) == before
        other.dispose()


@pytest.mark.usefixtures("filled")
def test_only_what_is_new_is_copied(
    engine: Engine, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = create_backup(data, tmp_path / "kept")
    assert set(first.copied) == set(first.manifest.units)
    prefix = put_item(engine, "new")
    second = create_backup(data, tmp_path / "kept")
    assert second.copied == [prefix]
    assert list_backups(tmp_path / "kept") == [second.name, first.name]
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    assert set(restore_backup(tmp_path / "kept", again, first.name).copied) == set(first.copied)


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_a_backup_that_was_killed_leaves_nothing_half_and_is_gone_on_with(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, calls = shutil.copytree, []

    def fail_at_second(*places: Path, **options: Any) -> object:
        calls.append(places)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return copy(*places, **options)

    with monkeypatch.context() as patched:
        patched.setattr(backups.shutil, "copytree", fail_at_second)
        with pytest.raises(KeyboardInterrupt):
            create_backup(data, tmp_path / "kept")
    assert list_backups(tmp_path / "kept") == []
    result = create_backup(data, tmp_path / "kept")
    for unit in result.manifest.units:
        assert (tmp_path / "kept/objects" / unit).exists()


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_an_item_deleted_meanwhile_is_not_in_the_backup(
    engine: Engine, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backups.copy_rows

    def delete_after_copying(*rows: Any) -> dict[str, int]:
        counts = copy(*rows)
        with engine.begin() as connection:
            connection.execute(delete(items).where(items.c.id == "second"))
        shutil.rmtree(data.objects / "imports/second", ignore_errors=True)
        return counts

    monkeypatch.setattr(backups, "copy_rows", delete_after_copying)
    result = create_backup(data, tmp_path / "kept")
    assert "imports/second/" not in result.manifest.units
    assert result.manifest.missing == []
    assert list_backups(tmp_path / "kept") == [result.name]


def withdraw(engine: Engine, name: str) -> str:
    """Withdraw an item and give up its bytes; return where they are."""
    with writing(engine, Actor("ada")) as connection:
        row = connection.execute(select(items).where(items.c.id == name)).one()
        withdraw_version(
            connection, "lakes", name, row.version, by="ada", reason="wrong", delete_bytes=True
        )
    return str(row.prefix)


@pytest.mark.long
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("moment", ["half of them went before", "they go during", "they go after"])
def test_bytes_that_are_deleted_while_they_are_copied_are_not_in_the_backup(
    engine: Engine, data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    copy, copytree, withdrawn = backup_bytes.copy_prefix, shutil.copytree, []

    def copy_beside_a_withdrawal(source: Any, target: Any, unit: str) -> str | None:
        if unit != "imports/second/" or withdrawn:
            return copy(source, target, unit)
        if moment == "half of them went before":
            withdrawn.append(withdraw(engine, "second"))
            (data.objects / unit / "quicklook.png").unlink()
        digest = copy(source, target, unit)
        if moment == "they go after":
            withdrawn.append(withdraw(engine, "second"))
            assert finish_deletions(engine, source) == 1
        return digest

    def copy_while_they_go(place: Path, *more: Any, **options: Any) -> object:
        copied = copytree(place, *more, **options)
        if moment == "they go during" and str(place).endswith("/second") and not withdrawn:
            withdrawn.append(withdraw(engine, "second"))
            (Path(str(copied)) / "quicklook.png").unlink()
        return copied

    monkeypatch.setattr(backup_bytes, "copy_prefix", copy_beside_a_withdrawal)
    monkeypatch.setattr(object_folder.shutil, "copytree", copy_while_they_go)
    result = create_backup(data, tmp_path / "kept")
    assert withdrawn == ["imports/second/"]
    assert withdrawn[0] not in result.manifest.units
    assert result.manifest.missing == []
    assert not (tmp_path / "kept/objects/imports/second").exists()
    assert "imports/first/" in result.copied
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    restore_backup(tmp_path / "kept", again)
    with using_database(database_url(again.database)) as restored:
        check_agreement(restored, ObjectFolder(again.objects))
        with restored.connect() as connection:
            assert find_item(connection, "lakes", "second", viewer=MEMBER) is None


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_bytes_that_change_though_nobody_removes_them_end_a_backup(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree = shutil.copytree

    def change(place: Path, *more: Any, **options: Any) -> object:
        copied = copytree(place, *more, **options)
        if str(place).endswith("/second"):
            (Path(place) / "quicklook.png").write_bytes(os.urandom(8))
            (Path(str(copied)) / "quicklook.png").write_bytes(b"other")
        return copied

    monkeypatch.setattr(object_folder.shutil, "copytree", change)
    with pytest.raises(ConflictError, match="imports/second changed while they were copied"):
        create_backup(data, tmp_path / "kept")
    assert list_backups(tmp_path / "kept") == []


def check_agreement(engine: Engine, store: ObjectFolder) -> None:
    """See that after what is left to do all records have their bytes, and all bytes a record."""
    finish_deletions(engine, store)
    assert list(list_lost(engine, store)) == []
    assert list(list_unnamed(engine, store)) == []
    with engine.connect() as connection:
        rows = connection.execute(select(items).where(items.c.bytes_deleted.is_not(None))).all()
    assert not any(store.exists(row.prefix) for row in rows)


@pytest.mark.long
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("which", ["before", "after"])
def test_a_backup_of_before_a_withdrawal_brings_the_bytes_back_and_one_of_after_does_not(
    engine: Engine, data: DataFolder, tmp_path: Path, empty: Any, which: str
) -> None:
    with engine.connect() as connection:
        product = connection.execute(select(items.c.id).where(items.c.run.is_not(None))).scalar()
    names, store = ("second", str(product)), ObjectFolder(data.objects)
    backups = {"before": create_backup(data, tmp_path / "kept").name}
    digests = {name: withdraw(engine, name) for name in names}
    digests = {prefix: store.digest(prefix) for prefix in digests.values()}
    assert finish_deletions(engine, store) == 2
    backups["after"] = create_backup(data, tmp_path / "kept").name
    again = empty()
    restore_backup(tmp_path / "kept", again, backups[which])
    kept = ObjectFolder(again.objects)
    with using_database(find_database(again)) as restored:
        check_agreement(restored, kept)
        with restored.connect() as connection:
            shown = [find_item(connection, "lakes", name, viewer=MEMBER) for name in names]
            told = [find_withdrawn(connection, "lakes", name, viewer=MEMBER) for name in names]
    if which == "before":
        assert None not in shown
        assert {prefix: kept.digest(prefix) for prefix in digests} == digests
    else:
        assert shown == [None, None]
        assert [item and item.reason for item in told] == ["wrong", "wrong"]


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_records_without_bytes_are_named(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data.objects / "imports/first")
    assert create_backup(data, tmp_path / "kept").manifest.missing == ["imports/first/"]
    command = [str(tmp_path / "kept"), "--data", str(tmp_path / "again")]
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    restored = CliRunner().invoke(restore, command)
    assert restored.exit_code == 0
    assert "imports/first/, but the backup has no bytes of it" in restored.stdout


@pytest.mark.usefixtures("filled")
def test_damage_is_noticed_before_a_record_is_restored(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_backup(data, tmp_path / "kept")
    (tmp_path / "kept/objects/imports/first/product.zarr").write_bytes(b"other")
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    with pytest.raises(InvalidInputError, match=r"damaged: the bytes of imports/first/"):
        restore_backup(tmp_path / "kept", again)
    engine = open_database(database_url(again.database))
    assert not any(read_rows(engine).values())
    engine.dispose()


@pytest.mark.long
@pytest.mark.parametrize("damage", ["a letter", "a part", "all"])
@pytest.mark.usefixtures("filled")
def test_damaged_records_are_noticed_before_anything_is_restored(
    data: DataFolder, tmp_path: Path, damage: str
) -> None:
    """SQLite has no checksums: one changed letter would be restored as if it was the record."""
    made = create_backup(data, tmp_path / "kept")
    state = tmp_path / "kept" / "backups" / made.name / "state.sqlite"
    content = state.read_bytes()
    state.unlink()
    if damage == "a letter":
        assert b"imports/second/" in content
        state.write_bytes(content.replace(b"imports/second/", b"imports/secund/"))
    elif damage == "a part":
        state.write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidInputError, match=r"damaged: its records .* missing or changed"):
        restore_backup(tmp_path / "kept", DataFolder(tmp_path / "again"))
    assert not (tmp_path / "again").exists()


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_a_backup_of_an_older_skerry_is_restored(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest has no digest of the records."""
    made = create_backup(data, tmp_path / "kept")
    path = tmp_path / "kept" / "backups" / made.name / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest.pop("records")
    path.write_text(json.dumps(manifest))
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    assert restore_backup(tmp_path / "kept", again).manifest.tables == made.manifest.tables


@pytest.mark.long
@pytest.mark.parametrize("damage", ["no database", "a link", "an unknown schema"])
@pytest.mark.usefixtures("filled")
def test_what_stands_in_the_place_of_records_is_refused_in_words(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Where the manifest has no digest of them: an older Skerry made it, or somebody else."""
    made = create_backup(data, tmp_path / "kept")
    folder = tmp_path / "kept" / "backups" / made.name
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"records": None}))
    state = folder / "state.sqlite"
    if damage == "an unknown schema":
        with using_database(database_url(state)) as copy, copy.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    else:
        kept = state.rename(tmp_path / "elsewhere.sqlite")
        state.symlink_to(kept) if damage == "a link" else state.write_bytes(b"garbage" * 1000)
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    with pytest.raises(InvalidInputError, match=r"damaged: its records .* missing or changed"):
        restore_backup(tmp_path / "kept", again)
    if again.database.exists():
        with using_database(find_database(again), read_only=True) as engine:
            assert not any(read_rows(engine).values()), "no record is restored"


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_bytes_that_were_damaged_in_the_backup_folder_are_copied_again_when_it_is_checked(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_backup(data, tmp_path / "kept")
    kept = tmp_path / "kept/objects/imports/first/product.zarr"
    content = kept.read_bytes()
    kept.write_bytes(content[:-1])
    assert create_backup(data, tmp_path / "kept").copied == []
    checked = create_backup(data, tmp_path / "kept", check=True)
    assert checked.copied == ["imports/first/"]
    assert kept.read_bytes() == content
    assert create_backup(data, tmp_path / "kept", check=True).copied == []
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    restore_backup(tmp_path / "kept", again)
    assert (again.objects / "imports/first/product.zarr").read_bytes() == content


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_a_backup_without_some_bytes_ends_with_another_exit_code(
    data: DataFolder, tmp_path: Path
) -> None:
    """What starts it by the clock has to notice."""
    command = [str(tmp_path / "kept"), "--data", str(data.root)]
    assert CliRunner().invoke(backup, command).exit_code == 0
    shutil.rmtree(data.objects / "imports/first")
    shutil.rmtree(tmp_path / "kept/objects/imports/first")
    result = CliRunner().invoke(backup, command)
    assert result.exit_code == 1
    assert "Missing: a record names imports/first/" in result.stdout


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_nothing_is_written_over(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_backup(data, tmp_path / "kept")
    with pytest.raises(ConflictError, match="is not empty"):
        restore_backup(tmp_path / "kept", data)
    with pytest.raises(InvalidInputError, match="stands in the data folder"):
        create_backup(data, data.root / "kept")
    with pytest.raises(NotFoundError, match="holds no backup"):
        restore_backup(tmp_path / "nothing", data)
    with pytest.raises(NotFoundError, match="no backup 2020"):
        restore_backup(tmp_path / "kept", data, "2020")


@pytest.mark.usefixtures("filled")
def test_a_manifest_that_leads_out_of_the_store_is_refused(
    data: DataFolder, tmp_path: Path
) -> None:
    made = create_backup(data, tmp_path / "kept")
    path = tmp_path / "kept" / "backups" / made.name / "manifest.json"
    manifest = json.loads(path.read_text())
    for unit in ("../../out/", "/tmp/out/", "runs/../../out/", "runs/a\nb/", "", "runs"):
        units = {**manifest["units"], unit: "1e20" + "00" * 32}
        path.write_text(json.dumps({**manifest, "units": units}))
        with pytest.raises(InvalidInputError, match="cannot be read"):
            restore_backup(tmp_path / "kept", DataFolder(tmp_path / "again"))
        assert not (tmp_path / "again").exists(), unit


@pytest.mark.parametrize("name", ["../kept", "..", "/tmp", "a/b", "a\nb"])
def test_a_backup_has_a_plain_name(name: str, data: DataFolder, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        restore_backup(tmp_path, data, name)


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_links_and_pipes_of_a_notebook_are_left_out(
    data: DataFolder, tmp_path: Path, empty: Any
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("private")
    (log,) = [path for path in data.objects.rglob("run.log") if path.read_text() == "done"]
    os.mkfifo(log.parent / "pipe")
    (log.parent / "absolute").symlink_to(secret)
    (log.parent / "relative").symlink_to(os.path.relpath(secret, log.parent))
    (log.parent / "folder").symlink_to(tmp_path)
    create_backup(data, tmp_path / "kept")
    again = empty()
    restore_backup(tmp_path / "kept", again)
    restored = again.objects / log.relative_to(data.objects)
    assert [path.name for path in restored.parent.iterdir()] == ["run.log"]


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_only_its_owner_reads_a_backup(data: DataFolder, tmp_path: Path) -> None:
    made = create_backup(data, tmp_path / "kept")
    for folder in ("objects", f"backups/{made.name}"):
        assert stat.S_IMODE((tmp_path / "kept" / folder).stat().st_mode) == 0o700


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_bytes_that_cannot_be_read_are_named(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Path, **_: Any) -> str:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(
        object_folder, "digest_tree", refuse
    )  # root reads every file, whatever its mode
    with pytest.raises(InvalidInputError, match="imports/first cannot be read"):
        create_backup(data, tmp_path / "kept")


@pytest.mark.long
@pytest.mark.usefixtures("filled")
def test_what_is_restored_has_plain_modes(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data.objects / "imports/first/product.zarr").chmod(0o4777)
    create_backup(data, tmp_path / "kept")
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    again = DataFolder(tmp_path / "again")
    again.create()
    restore_backup(tmp_path / "kept", again)
    assert not (again.objects / "imports/first/product.zarr").stat().st_mode & 0o6111
