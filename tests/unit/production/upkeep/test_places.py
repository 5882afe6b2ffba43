"""Prune on a bucket, on another platform's store, and with the wrong database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete
from tests.fresh_database import fill_database
from tests.minio_server import S3Server
from tests.object_stores import opened_bucket
from tests.unit.production.upkeep.test_pruning import list_names, prune
from tests.unit.production.upkeep.world import World

from skerry.core.errors import ConflictError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.models.upkeep import Kind
from skerry.production.tables import releases
from skerry.storage.layout import DataFolder
from skerry.storage.platform_mark import claim_store


@pytest.fixture
def in_bucket(
    s3: S3Server, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataFolder]:
    """Return a data folder whose objects are in a bucket."""
    with opened_bucket(s3, monkeypatch) as address:
        monkeypatch.setenv(OBJECTS_VARIABLE, address)
        claim_store(data)
        yield data
        assert not any(data.objects.iterdir()), "nothing goes into the folder"


@pytest.mark.s3
def test_a_bucket_is_pruned_like_a_folder(
    in_bucket: DataFolder, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(engine, in_bucket)
    job = world.add_job()
    world.add_run(job, "failed", epochs=1)
    failed = world.add_run(job, "failed", epochs=1, days=40)
    made = world.add_run(job, "succeeded", epochs=2, days=40)
    world.add_item(f"runs/{made}/2/products/map/", run=made)
    world.put("imports/expired/x/0")
    world.add_grant("imports/expired/", valid=False)
    world.put("imports/live/x/0")
    world.add_grant("imports/live/", valid=True)
    world.put("imports/stray/x/0")
    lost = world.add_item("imports/lost/x/")
    before = world.list_keys()
    assert prune(in_bucket, do=False).unnamed == [], "it was written a moment ago"
    assert world.list_keys() == before
    monkeypatch.setattr("skerry.production.upkeep.removable.YOUNG_S", -60.0)
    report = prune(in_bucket, unnamed=True)
    assert report.left == []
    assert sorted(list_names(report, Kind.RUN)) == sorted([f"runs/{failed}/1/", f"runs/{made}/1/"])
    assert list_names(report, Kind.GRANT) == ["imports/expired/"]
    assert list_names(report, Kind.UNNAMED) == ["imports/stray/"]
    assert [found.record for found in report.lost] == [f"item {lost} of lakes, version 1"]
    gone = ("expired", "stray", failed, f"{made}/1/")
    assert world.list_keys() == {key for key in before if not any(name in key for name in gone)}
    assert prune(in_bucket, unnamed=True).entries == []


def test_the_store_of_another_platform_is_left_alone(
    data: DataFolder, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv(OBJECTS_VARIABLE, str(shared))
    claim_store(data)
    world = World(engine, data)
    world.put("imports/x/0")
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    other = DataFolder(tmp_path / "other")
    other.create()
    fill_database(other)
    with pytest.raises(ConflictError, match="belongs to another platform"):
        prune(other, unnamed=True)
    assert (shared / "imports" / "x" / "0").exists()


def test_an_empty_database_is_no_reason_to_remove_all_bytes(
    data: DataFolder, engine: Engine
) -> None:
    key = World(engine, data).put("imports/x/0")
    with engine.begin() as connection:
        connection.execute(delete(releases))
    report = prune(data)
    assert [entry.name for entry in report.unnamed if entry.name.startswith("imports")]
    with pytest.raises(ConflictError, match="has no records, so all bytes would go"):
        prune(data, unnamed=True)
    assert (data.objects / key).exists()
