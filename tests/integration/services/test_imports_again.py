"""A product that was withdrawn is imported again if asked, whatever became of its bytes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from tests.minio_server import S3Server
from tests.platform_process import SKERRY
from tests.served_api import ServedApi, serve_api
from tests.served_bucket import using_bucket
from tests.unit.services.test_versions_http import serve_maps

from skerry.core.scopes import SCIENTIST
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.production.upkeep.agreement import list_lost, list_unnamed
from skerry.simulate import simulate_s2_l2a
from skerry.storage.database import database_url, using_database
from skerry.storage.homes import HOMES
from skerry.storage.object_places import open_objects
from skerry.storage.tables import audit, grants

pytestmark = pytest.mark.long

BUCKET = pytest.param("bucket", marks=pytest.mark.s3)


@pytest.fixture(params=["folder", BUCKET])
def api(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServedApi]:
    monkeypatch.delenv(OBJECTS_VARIABLE, raising=False)
    with ExitStack() as stack:
        if request.param == "bucket":
            s3: S3Server = request.getfixturevalue("s3")
            stack.enter_context(using_bucket(s3, s3.endpoint))
        api = stack.enter_context(serve_api(tmp_path / "data"))
        api.book.tokens["writer-token"] = ("writer", SCIENTIST)
        yield api


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_s2_l2a(tmp_path_factory.mktemp("scenes"), size=60)


def withdraw(api: ServedApi, path: str, version: int, *, delete_bytes: bool) -> None:
    body = {"reason": "wrong calibration", "delete_bytes": delete_bytes}
    with api.client("alice-token") as client:
        client.post(f"{path}/versions/{version}/withdraw", json=body).raise_for_status()


def bring(
    api: ServedApi, scene: Path, *, again: bool = False, name: str = "writer"
) -> subprocess.CompletedProcess[str]:
    """Import a scene as somebody whose process has no key of the object store."""
    hidden = ("AWS_", "SKERRY_", "JUPYTERHUB_")
    own = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    login = {"SKERRY_URL": api.url, "SKERRY_TOKEN": f"{name}-token", "JUPYTERHUB_USER": name}
    command = [*SKERRY, "import", str(scene), "--json", *(["--again"] if again else [])]
    return subprocess.run(command, env=own | login, capture_output=True, text=True, check=False)


def check_refused(api: ServedApi, scene: Path) -> None:
    """Who sees withdrawn items, and who does not, is refused before anything is converted."""
    count = select(func.count()).where(audit.c.what.startswith("grant/"))
    with using_database(database_url(api.data.database), read_only=True) as engine:
        with engine.connect() as connection:
            before = connection.execute(count).scalar()
        for name in ("alice", "writer"):
            refused = bring(api, scene, name=name)
            assert refused.returncode == 2
            assert "was withdrawn: wrong calibration" in refused.stderr
            assert "skerry import --again" in refused.stderr
        with engine.connect() as connection:
            assert connection.execute(count).scalar() == before


def test_withdrawn_products_come_back_as_new_versions(api: ServedApi, scene: Path) -> None:
    objects = open_objects(api.data)

    def show() -> tuple[str, int, dict[str, Any]]:
        """Return where the item's bytes are, its version, and the item."""
        with api.client("reader-token") as reader:
            [item] = reader.get("stac/search").json()["features"]
        properties = item["properties"]
        assert objects.digest(properties["skerry:prefix"]) == properties["skerry:digest"]
        return properties["skerry:prefix"], properties["skerry:version"], item

    assert bring(api, scene).returncode == 0
    first, _, item = show()
    path = f"stac/collections/{item['collection']}/items/{item['id']}"
    assert first.startswith(HOMES) is objects.address.startswith("s3:")
    assert bring(api, scene, again=True).returncode == 0
    assert show()[:2] == (first, 1)
    withdraw(api, path, 1, delete_bytes=False)
    check_refused(api, scene)
    assert bring(api, scene, again=True).returncode == 0
    second, version, _ = show()
    assert version == 2
    withdraw(api, path, 2, delete_bytes=True)
    check_refused(api, scene)
    assert bring(api, scene, again=True).returncode == 0
    third, version, item = show()
    assert version == 3
    with api.client("writer-token") as client:
        versions = client.get(f"{path}/versions").json()["versions"]
    told = {item["version"]: (item["status"], bool(item["bytes_deleted"])) for item in versions}
    assert told == {3: ("published", False), 2: ("withdrawn", True), 1: ("withdrawn", False)}
    assert len({item["source_digest"] for item in versions}) == 1
    assert len({first, second, third}) == 3
    assert [objects.exists(prefix) for prefix in (first, second, third)] == [True, False, True]
    with serve_maps(api) as maps:
        layer = f"{maps}/tiles/{item['collection']}/{item['id']}"
        name = min(item["properties"]["skerry:variables"])
        headers = {"Authorization": "Bearer reader-token"}
        described = httpx.get(f"{layer}/{name}/tilejson.json", headers=headers, trust_env=False)
        assert described.status_code == 200, described.text
    with using_database(database_url(api.data.database), read_only=True) as engine:
        assert list(list_lost(engine, objects)) == []
        assert list(list_unnamed(engine, objects)) == []
        with engine.connect() as connection:
            assert connection.execute(select(grants)).all() == []
