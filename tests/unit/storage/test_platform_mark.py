"""An object store that cannot be used, or is another's, is refused before anything is written."""

import json
import re
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from requests_aws4auth import AWS4Auth
from sqlalchemy import make_url
from tests.fresh_database import fill_database
from tests.minio_server import REGION, S3Server
from tests.object_stores import STORES, opened_bucket
from tests.postgresql_server import PostgresqlServer

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects, parse_place
from skerry.storage.platform_mark import MARK, check_store, claim_store
from skerry.storage.s3 import connect


@pytest.fixture(params=STORES)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Set `SKERRY_OBJECTS` to an empty store, and return it."""
    if request.param == "folder":
        (tmp_path / "shared").mkdir()
        monkeypatch.setenv(OBJECTS_VARIABLE, str(tmp_path / "shared"))
        yield str(tmp_path / "shared")
        return
    with opened_bucket(request.getfixturevalue("s3"), monkeypatch) as address:
        monkeypatch.setenv(OBJECTS_VARIABLE, address)
        yield address


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with opened_bucket(s3, monkeypatch) as address:
        monkeypatch.setenv(OBJECTS_VARIABLE, address)
        yield address


def make_data(folder: Path) -> DataFolder:
    data = DataFolder(folder)
    data.create()
    fill_database(data)
    return data


def test_the_first_platform_has_the_store_and_no_other(place: str, tmp_path: Path) -> None:
    first, second = make_data(tmp_path / "first"), make_data(tmp_path / "second")
    for _ in range(2):
        check_store(first)
        claim_store(first)
    objects = open_objects(first)
    assert objects.list_names("none/") == []
    mark = objects.read(MARK)
    assert mark is not None
    for refused in (check_store, claim_store):
        with pytest.raises(ConflictError, match="belongs to another platform"):
            refused(second)
    assert objects.read(MARK) == mark
    objects.remove(MARK)
    check_store(second)
    claim_store(second)
    named = json.loads(objects.read(MARK) or b"")["platform"]
    assert named != json.loads(mark)["platform"]


def test_a_platform_that_is_not_there_yet_has_no_claim(place: str, tmp_path: Path) -> None:
    parse_place(place).write(MARK, b"{}")
    with pytest.raises(ConflictError, match="its mark cannot be read"):
        check_store(DataFolder(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep objects and database in the data folder."""
    monkeypatch.delenv(OBJECTS_VARIABLE, raising=False)
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)


def read_mark(folder: DataFolder) -> str:
    return str(json.loads((folder.objects / MARK).read_bytes())["platform"])


@pytest.mark.usefixtures("beside")
def test_a_folder_takes_no_other_platforms_file(tmp_path: Path) -> None:
    first, second = make_data(tmp_path / "first"), make_data(tmp_path / "second")
    for data in (first, second):
        check_store(data)
        claim_store(data)
        check_store(data)
    assert read_mark(first) != read_mark(second)
    shutil.copyfile(first.database, second.database)
    for refused in (check_store, claim_store):
        with pytest.raises(ConflictError, match=r"another platform .* than the database .*second"):
            refused(second)


@pytest.mark.usefixtures("beside")
def test_a_lost_mark_beside_the_file_is_written_again(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    claim_store(data)
    before = read_mark(data)
    (data.objects / MARK).unlink()
    check_store(data)
    claim_store(data)
    assert read_mark(data) == before


@pytest.mark.usefixtures("beside")
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    data.database.write_bytes(b"no database, " * 500)
    with pytest.raises(InvalidInputError, match="cannot be read: file is not a database"):
        check_store(data)


@pytest.fixture
def server(
    beside: None, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Name a server's empty database, and return its address."""
    with postgresql.database("template0") as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        yield url


@pytest.mark.postgresql
class TestServer:
    def test_a_new_database_takes_the_name_that_the_folders_objects_have(
        self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(DATABASE_VARIABLE)
        data = make_data(tmp_path / "data")
        claim_store(data)
        before = read_mark(data)
        monkeypatch.setenv(DATABASE_VARIABLE, server)
        check_store(data)
        fill_database(data)
        claim_store(data)
        check_store(data)
        assert read_mark(data) == before
        claim_store(make_other(tmp_path, monkeypatch))
        monkeypatch.setenv(DATABASE_VARIABLE, server)
        with pytest.raises(ConflictError, match="belongs to another platform") as caught:
            check_store(DataFolder(tmp_path / "other"))
        assert make_url(server).password not in str(caught.value)

    def test_a_worker_without_the_platforms_store_is_refused(
        self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "shared").mkdir()
        (tmp_path / "wrong").mkdir()
        monkeypatch.setenv(OBJECTS_VARIABLE, str(tmp_path / "shared"))
        data = make_data(tmp_path / "data")
        claim_store(data)
        own = json.loads((tmp_path / "shared" / MARK).read_bytes())["platform"]
        worker = DataFolder(tmp_path / "worker")
        monkeypatch.delenv(OBJECTS_VARIABLE)
        for _ in range(2):
            with pytest.raises(ConflictError, match="has no mark of a platform") as caught:
                check_store(worker)
            assert own in caught.value.remedy
            assert not worker.root.exists()
            monkeypatch.setenv(OBJECTS_VARIABLE, str(tmp_path / "wrong"))
        (tmp_path / "wrong" / MARK).write_text(json.dumps({"platform": own}))  # as the remedy says
        check_store(worker)


def make_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return the data folder of another platform, with its own file."""
    monkeypatch.delenv(DATABASE_VARIABLE)
    return make_data(tmp_path / "other")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("objects", "neither an absolute path nor"),
        ("https://example.com/a", "neither an absolute path nor"),
        ("gs://bucket", "neither an absolute path nor"),
        ("s3://", "names no bucket"),
        ("s3://KEY:SECRET@bucket/a", "names no bucket"),
        ("s3://bucket/a?x=1", "other characters"),
        ("s3://bucket/a/../b", "not a key"),
        ("/nowhere/at/all", "cannot be read"),
    ],
)
def test_a_wrong_value_is_refused(
    value: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OBJECTS_VARIABLE, value)
    with pytest.raises(InvalidInputError, match=reason) as caught:
        check_store(DataFolder(tmp_path / "new"))
    assert "SECRET@" not in str(caught.value)
    assert caught.value.exit_code == 2


def refuse(reason: str, tmp_path: Path) -> str:
    """Check that the store is refused in one sentence; return the remedy."""
    connect.cache_clear()
    with pytest.raises(InvalidInputError, match=reason) as caught:
        check_store(DataFolder(tmp_path / "new"))
    assert re.fullmatch(r"[^\n<>]{10,200}\.", caught.value.what)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "new").exists()
    return caught.value.remedy


@pytest.mark.s3
class TestBucket:
    def test_a_missing_bucket(
        self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(OBJECTS_VARIABLE, "s3://no-such-bucket/a")
        assert "Create the bucket" in refuse("no-such-bucket/a does not exist", tmp_path)

    @pytest.mark.parametrize(
        ("variable", "value", "reason"),
        [
            ("AWS_ACCESS_KEY_ID", "nobody", "does not know the key"),
            ("AWS_SECRET_ACCESS_KEY", "wrong-secret", "refuses the key's secret"),
            ("AWS_SESSION_TOKEN", "old-token", "they have expired, or belong to another key"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "does not answer"),
            ("AWS_ENDPOINT_URL", "127.0.0.1:9000", "is not the address of a server"),
            ("AWS_ENDPOINT_URL", "s3.example", "is not the address of a server"),
            ("AWS_ENDPOINT_URL", "http://key:wrong-secret@s3.example", "not the address of a"),
        ],
    )
    def test_wrong_credentials(
        self,
        bucket: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
        value: str,
        reason: str,
    ) -> None:
        monkeypatch.setenv(variable, value)
        assert "wrong-secret" not in refuse(reason, tmp_path)

    @pytest.mark.parametrize("form", [" {} ", "{}/", "{}//"])
    def test_an_endpoint_in_other_forms(
        self, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        connect.cache_clear()
        monkeypatch.setenv("AWS_ENDPOINT_URL", form.format(s3.endpoint).replace("http", "HTTP"))
        parse_place(bucket).write("a", b"bytes")
        assert parse_place(bucket).read("a") == b"bytes"

    def test_a_bucket_that_may_only_be_read(
        self, s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in assume_reader(s3).items():
            monkeypatch.setenv(name, value)
        assert "list, read, write and delete" in refuse("does not allow this", tmp_path)

    def test_clocks_that_differ(
        self, s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), make_backdater(s3.endpoint)) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
            assert "Set the clock" in refuse("clock differs", tmp_path)
            server.shutdown()


def assume_reader(server: S3Server) -> dict[str, str]:
    """Return credentials of the server that may list and read alone."""
    allowed = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::*"],
    }
    form = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "DurationSeconds": "900",
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    }
    signature = AWS4Auth(server.key, server.secret, REGION, "sts")
    answer = httpx.post(f"{server.endpoint}/", data=form, auth=signature).raise_for_status().text
    return {
        variable: re.findall(f"<{name}>(.*?)</{name}>", answer)[0]
        for variable, name in (
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
            ("AWS_SESSION_TOKEN", "SessionToken"),
        )
    }


def make_backdater(endpoint: str) -> type[BaseHTTPRequestHandler]:
    """Return a proxy to the server that sends each request with the time of an old one."""

    class Backdater(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name: self.headers[name] for name in self.headers if name != "Host"}
            headers["x-amz-date"] = "20200101T000000Z"
            answer = httpx.get(f"{endpoint}{self.path}", headers=headers)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Backdater
