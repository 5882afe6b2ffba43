"""The api of a platform whose objects are in a bucket does what it does on a folder."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.minio_server import S3Server
from tests.object_stores import opened_bucket
from tests.served_api import ServedApi, serve_api
from tests.stac_documents import make_collection, make_item, write_bytes
from tests.unit.production.conftest import make_notebook

from skerry.core.settings import OBJECTS_VARIABLE
from skerry.production.backups import create_backup, restore_backup
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.run_folder import RunFile, RunFolder

pytestmark = [pytest.mark.s3, pytest.mark.long]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def api(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedApi]:
    with opened_bucket(s3, monkeypatch) as address:
        monkeypatch.setenv(OBJECTS_VARIABLE, address)
        with serve_api(tmp_path / "data") as served:
            yield served
            assert not any(served.data.objects.iterdir()), "nothing goes into the folder"


@pytest.fixture
def objects(api: ServedApi) -> Objects:
    return open_objects(api.data)


@pytest.fixture
def alice(api: ServedApi) -> Iterator[httpx.Client]:
    with api.client("alice-token") as client:
        yield client


@pytest.fixture
def item(alice: httpx.Client, objects: Objects, tmp_path: Path) -> dict[str, Any]:
    """Return an item whose bytes were written under a grant, as it was registered."""
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
    document = make_item(prefix=grant["prefix"])
    refused = alice.post("stac/collections/lakes/items", json=document)
    assert refused.status_code == 422, "its bytes are not there yet"
    write_bytes(tmp_path / "written", document)
    with objects.filling(grant["prefix"]) as folder:
        shutil.copytree(tmp_path / "written" / grant["prefix"], folder, dirs_exist_ok=True)
    document["properties"]["skerry:digest"] = objects.digest(grant["prefix"])
    registered = alice.post("stac/collections/lakes/items", json=document)
    assert registered.status_code == 201
    home = registered.json()["properties"]["skerry:prefix"]
    at_home: dict[str, Any] = json.loads(json.dumps(document).replace(grant["prefix"], home))
    return at_home


def test_files_come_whole_and_by_ranges(alice: httpx.Client, item: dict[str, Any]) -> None:
    path = f"files/{item['assets']['thumbnail']['href']}"
    full = alice.get(path)
    assert full.content == PNG
    assert full.headers["content-type"] == "image/png"
    part = alice.get(path, headers={"Range": "bytes=8-17"})
    assert (part.status_code, part.content) == (206, PNG[8:18])
    assert part.headers["content-range"] == f"bytes 8-17/{len(PNG)}"
    assert alice.get(path, headers={"Range": "bytes=-4"}).content == PNG[-4:]
    assert alice.get(path, headers={"Range": "bytes=9999-"}).status_code == 416
    many = alice.get(path, headers={"Range": "bytes=0-1,8-9"})
    assert many.status_code == 206
    assert PNG[:2] in many.content
    assert PNG[8:10] in many.content
    same = alice.get(path, headers={"Range": "bytes=0-1", "If-Range": full.headers["etag"]})
    assert same.status_code == 206
    head = alice.head(path)
    assert int(head.headers["content-length"]) == len(PNG)
    absent = f"files/{item['properties']['skerry:prefix']}none"
    assert alice.get(absent).status_code == 404


def test_deleted_items_and_grants_free_their_bytes(
    alice: httpx.Client, item: dict[str, Any], objects: Objects
) -> None:
    prefix = item["properties"]["skerry:prefix"]
    assert objects.exists(prefix)
    assert alice.delete(f"stac/collections/lakes/items/{item['id']}").status_code == 204
    assert not objects.exists(prefix)
    grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
    objects.write(f"{grant['prefix']}half", b"x")
    assert alice.delete(f"grants/{grant['id']}").status_code == 204
    assert not objects.exists(grant["prefix"])


def test_releases_and_files_of_runs_are_objects(alice: httpx.Client, objects: Objects) -> None:
    proposal = {"name": "water", "notebook": make_notebook()}
    release = alice.post("production/releases", json=proposal).json()
    assert objects.exists(release["notebook_key"])
    notebook = alice.get(f"production/releases/{release['id']}/notebook")
    assert notebook.content == objects.read(release["notebook_key"])
    assert objects.exists(f"environments/{release['environment_digest']}/requirements.lock")
    approved = alice.post(
        f"production/releases/{release['id']}/approve",
        json={
            "self": True,
            "notebook_digest": release["notebook_digest"],
            "environment_digest": release["environment_digest"],
        },
    )
    assert approved.status_code == 200, approved.text
    assert alice.post("production/jobs", json={"name": "lakes", "release": "water"}).is_success
    run = alice.post("production/jobs/lakes/runs", json={}).json()["id"]
    folder = RunFolder(objects, run, 0)
    folder.write(RunFile.LOG, "first\nsecond\n")
    log = alice.get(f"production/runs/{run}/log", params={"from": 6})
    assert log.text == "second\n"
    assert log.headers["x-next"] == "13"
    assert alice.get(f"production/runs/{run}/files/log.txt").text == "first\nsecond\n"
    assert alice.get(f"production/runs/{run}/files/executed.html").status_code == 404


def test_a_backup_goes_from_a_bucket_into_a_folder(
    api: ServedApi,
    item: dict[str, Any],
    objects: Objects,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = item["properties"]["skerry:prefix"]
    first = create_backup(api.data, tmp_path / "kept")
    assert first.copied == [prefix]
    assert first.manifest.units == {prefix: objects.digest(prefix)}
    assert create_backup(api.data, tmp_path / "kept").copied == []
    with monkeypatch.context() as patched:
        patched.delenv(OBJECTS_VARIABLE)
        again = DataFolder(tmp_path / "again")
        again.create()
        restore_backup(tmp_path / "kept", again)
        assert open_objects(again).digest(prefix) == objects.digest(prefix)
    monkeypatch.setenv(OBJECTS_VARIABLE, f"{objects.address}second")
    other = DataFolder(tmp_path / "other")
    other.create()
    restore_backup(tmp_path / "kept", other)
    assert open_objects(other).digest(prefix) == objects.digest(prefix)
