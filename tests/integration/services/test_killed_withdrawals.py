"""An api that is killed while it withdraws a product with its bytes: the second try finishes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.audit_replay import check_audit
from tests.minio_server import S3Server
from tests.postgresql_server import PostgresqlServer
from tests.served_api import serve_api
from tests.served_bucket import using_bucket, write_product
from tests.stac_documents import make_collection, make_item

from skerry.catalog.tables import deletions, items
from skerry.cli.main import run
from skerry.core.digests import digest_bytes, digest_json
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.models.versions import VersionStatus
from skerry.storage.database import find_database, using_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.tables import audit

pytestmark = pytest.mark.long

FILES = {f"product.zarr/c/{number}": bytes([number]) * 10 for number in range(20)}
COMMAND = ["item", "withdraw", "lakes/scene", "--reason", "wrong calibration",
           "--delete-bytes", "--yes"]  # fmt: skip
MOMENTS = ("before the commit", "after the commit", "half of the bytes gone", "all bytes gone")
SERVERS = [pytest.mark.s3, pytest.mark.postgresql]
CASES = [
    *(pytest.param("folder", moment) for moment in MOMENTS),
    *(pytest.param("servers", moment, marks=SERVERS) for moment in MOMENTS),
]
"""Where the state is, and when the api is killed."""
SERVE = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from tests.served_api import serve_api
from skerry.storage.bucket import Bucket

moment, ready, withdrawn, gone = sys.argv[2], [], [], []

def die(at):
    if ready and withdrawn and at == moment:
        os.kill(os.getpid(), signal.SIGKILL)

@event.listens_for(Engine, "before_cursor_execute")
def _hear(connection, cursor, statement, *more):
    if ready and statement.startswith("UPDATE items SET"):
        withdrawn.append(statement)
    if statement.startswith("SELECT deletions.prefix"):
        die("after the commit")
    if statement.startswith("DELETE FROM deletions"):
        die("all bytes gone")

@event.listens_for(Engine, "commit")
def _commit(connection):
    die("before the commit")

def hear(name, arguments):
    if withdrawn and name == "os.remove" and "sqlite" not in str(arguments[0]):
        gone.append(arguments)
        if len(gone) > 10:
            die("half of the bytes gone")

remove = Bucket._delete

def remove_half(self, keys):
    remove(self, keys[:10])
    die("half of the bytes gone")
    remove(self, keys[10:])

Bucket._delete = remove_half
sys.addaudithook(hear)
with serve_api(Path(sys.argv[1])) as api:
    ready.append(True)
    print(api.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataFolder]:
    """Give a data folder; all state is in it, or on servers."""
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    monkeypatch.delenv(OBJECTS_VARIABLE, raising=False)
    with ExitStack() as stack:
        if request.param == "servers":
            s3: S3Server = request.getfixturevalue("s3")
            postgresql: PostgresqlServer = request.getfixturevalue("postgresql")
            stack.enter_context(using_bucket(s3, s3.endpoint))
            monkeypatch.setenv(DATABASE_VARIABLE, stack.enter_context(postgresql.database()))
        yield DataFolder(tmp_path / "data")


def register(url: str, data: DataFolder) -> str:
    """Register a product; return where its bytes stay."""
    headers = {"Authorization": "Bearer alice-token"}
    with httpx.Client(base_url=f"{url}/services/api/", headers=headers, timeout=60) as client:
        client.put("stac/collections/lakes", json=make_collection()).raise_for_status()
        if open_objects(data).address.startswith("s3:"):
            _, item = write_product(client, "scene", FILES)
        else:
            item = write_into_folder(client, data)
        answer = client.post("stac/collections/lakes/items", json=item).raise_for_status()
    return str(answer.json()["properties"]["skerry:prefix"])


def write_into_folder(client: httpx.Client, data: DataFolder) -> dict[str, Any]:
    prefix = client.post("grants", json={"mode": "write", "purpose": "import"}).json()["prefix"]
    for name, content in FILES.items():
        open_objects(data).write(prefix + name, content)
    item = make_item("scene", prefix=prefix)
    item["assets"] = {"product": {"href": f"{prefix}{min(FILES)}", "roles": ["data"]}}
    listing = {name: digest_bytes(content) for name, content in FILES.items()}
    item["properties"]["skerry:digest"] = digest_json(listing)
    return item


def withdraw_and_kill(data: DataFolder, moment: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register a product at an api of its own, which is killed while it withdraws it."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data.root), moment],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        prefix = register(url, data)
        monkeypatch.setenv("SKERRY_URL", url)
        assert run(COMMAND) == 1
        assert process.wait(60) == -9
    return prefix


@pytest.mark.parametrize(("data", "moment"), CASES, indirect=["data"])
def test_the_second_try_finishes(
    moment: str,
    data: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SKERRY_TOKEN", "alice-token")
    prefix = withdraw_and_kill(data, moment, monkeypatch)
    assert "does not answer" in capsys.readouterr().err
    objects = open_objects(data)
    left = {"before the commit": 20, "after the commit": 20, "half of the bytes gone": 10}
    assert len(list(objects.list_files(prefix))) == left.get(moment, 0)
    is_begun = moment != "before the commit"
    with using_database(find_database(data)) as engine:
        with engine.connect() as connection:
            [item] = connection.execute(select(items)).all()
            listed = connection.execute(select(deletions.c.prefix)).scalars().all()
        assert (item.status == VersionStatus.WITHDRAWN) is is_begun
        assert listed == ([prefix] if is_begun else [])
        with serve_api(data.root) as api:
            # the start of an api goes on
            assert objects.exists(prefix) is not is_begun
            monkeypatch.setenv("SKERRY_URL", api.url)
            for _ in range(2):
                assert run(COMMAND) == 0
            with api.client("alice-token") as client:
                shown = client.get("stac/collections/lakes/items/scene/versions").json()
                assert client.get("stac/search").json()["numberReturned"] == 1
            with api.client("reader-token") as client:
                assert client.get("stac/search").json()["features"] == []
        [version] = shown["versions"]
        assert (version["status"], version["reason"]) == ("withdrawn", "wrong calibration")
        assert version["bytes_deleted"]
        assert not objects.exists(prefix)
        with engine.connect() as connection:
            assert connection.execute(select(deletions)).all() == []
            told = connection.execute(
                select(audit).where(audit.c.what == "item/lakes/scene/1").order_by(audit.c.number)
            ).all()
            removals = select(audit.c.action).where(audit.c.what == f"removal/{prefix}")
            assert len(connection.execute(removals).all()) == 2  # listed, and done
        assert [row.action for row in told[1:]] == ["withdrawn"]
        assert told[1].after["bytes_deleted"]
        check_audit(engine)
