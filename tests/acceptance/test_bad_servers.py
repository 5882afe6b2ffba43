"""A database or a bucket that cannot be used is named in one sentence, before a byte is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import psycopg
import pytest
from tests.forked_programs import Forks, serve_forks
from tests.minio_server import S3Server
from tests.platform_process import clean_environment, free_port
from tests.postgresql_server import PostgresqlServer
from tests.unit.storage.test_platform_mark import assume_reader, make_backdater

from skerry.cli.supervisor.credentials import Credentials
from skerry.cli.supervisor.ports import InternalPorts
from skerry.cli.supervisor.record import GatewayRecord, PlatformRecord
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.database_urls import describe_database, parse_database_url
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade
from skerry.storage.platform_mark import MARK

pytestmark = pytest.mark.long

SECRET = "open-sesame-42"
ALL = ("up", "serve", "doctor", "backup")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return the folder of a platform that has worked before, on a file and a folder."""
    for name in (DATABASE_VARIABLE, OBJECTS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    folder = DataFolder(tmp_path / "data")
    folder.create()
    upgrade(folder)
    Credentials.load(folder)
    return folder


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pretend_to_run(data: DataFolder, database: str) -> None:
    """Write the record of a platform that lives: `skerry serve` adds a process to one."""
    own = psutil.Process()
    PlatformRecord(
        pid=own.pid, created=own.create_time(), url="http://127.0.0.1:1", user="ann",
        gateway=GatewayRecord(address="http://127.0.0.1:1", proxy_address="tls://127.0.0.1:1"),
        parts=[], ports=InternalPorts.choose(), database=database, ready=True,
    ).write(data)  # fmt: skip


Refuse = Callable[..., None]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with serve_forks(tmp_path_factory.mktemp("forks")) as forks:
        yield forks


@pytest.fixture
def refuse(data: DataFolder, forks: Forks) -> Refuse:
    """Return what starts commands, all of which refuse with the same words."""
    return partial(check_refused, data, forks)


def check_refused(
    data: DataFolder,
    forks: Forks,
    variables: dict[str, str],
    words: str,
    commands: tuple[str, ...] = ALL,
) -> None:
    """Start each command; all refuse with these words, show no secret, and write nothing."""
    url = variables.get(DATABASE_VARIABLE, "")
    try:
        pretend_to_run(data, describe_database(parse_database_url(url)) if url else "")
    except Exception:  # noqa: BLE001 - an address that cannot be read
        pretend_to_run(data, "")
    target = data.root.parent / "backup"
    given = {
        "up": ["up", "--port", str(free_port())], "serve": ["serve", "api"],
        "doctor": ["doctor", "--json"], "backup": ["backup", str(target)],
    }  # fmt: skip
    environment = clean_environment() | variables
    before = list_files(data.root)

    answers = {
        command: forks.run("skerry", environment, *given[command], "--data", str(data.root))
        for command in commands
    }
    assert list_files(data.root) == before
    assert not target.exists()
    for command, answer in answers.items():
        said = answer.stdout + answer.stderr
        assert "Traceback" not in said, said
        assert SECRET not in said
        if command == "doctor":
            assert answer.returncode == 2, said
            broken = [entry for entry in json.loads(answer.stdout) if entry["state"] == "broken"]
            assert [entry for entry in broken if words in entry["detail"] and entry["remedy"]], said
            continue
        assert answer.returncode == 2, said
        lines = answer.stderr.strip().splitlines()
        assert len(lines) == (1 if lines[0].startswith("ERROR skerry: ") else 2), said
        assert words in lines[0], said


ADDRESSES = {
    "another scheme": (f"mysql://skerry:{SECRET}@127.0.0.1/skerry", "begins with 'mysql'"),
    "no address": (f"postgresql://skerry:{SECRET}@127.0.0.1:port/skerry", "cannot be read as an"),
    "no name": (f"postgresql://skerry:{SECRET}@127.0.0.1:5432", "names no database"),
    "another host": (f"postgresql://skerry:{SECRET}@no-such-host.invalid/skerry", "does not open"),
    "another port": (f"postgresql://skerry:{SECRET}@127.0.0.1:1/skerry", "does not open"),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_an_address_at_which_no_database_is(case: str, refuse: Refuse) -> None:
    url, words = ADDRESSES[case]
    refuse({DATABASE_VARIABLE: url}, words)


@pytest.mark.postgresql
class TestDatabase:
    def test_a_wrong_password(self, refuse: Refuse, postgresql: PostgresqlServer) -> None:
        url = postgresql.url("postgres", password=SECRET)
        refuse({DATABASE_VARIABLE: url}, "password authentication failed")

    def test_a_name_that_no_database_has(
        self, refuse: Refuse, postgresql: PostgresqlServer
    ) -> None:
        url = postgresql.url("no_such_database")
        refuse({DATABASE_VARIABLE: url}, '"no_such_database" does not exist')

    def test_no_postgis_and_a_user_who_may_not_add_it(
        self, refuse: Refuse, postgresql: PostgresqlServer
    ) -> None:
        postgresql.execute(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
        with postgresql.database("template0") as url:
            name = url.rpartition("/")[2]
            own = {DATABASE_VARIABLE: postgresql.url(name, user="guest", password=SECRET)}
            refuse(own, "has no PostGIS, and its user may not add it")
            assert count_tables(url) == 0
        postgresql.execute("DROP ROLE guest")

    def test_a_database_of_another_version(
        self, refuse: Refuse, postgresql: PostgresqlServer
    ) -> None:
        with postgresql.database() as url:
            set_version(url, "9999")
            refuse({DATABASE_VARIABLE: url}, "has schema 9999, newer than this")
            set_version(url, "0003")
            older = "has the older schema 0003"
            refuse({DATABASE_VARIABLE: url}, older, ("serve", "backup"))

    def test_the_database_of_another_platform(
        self, data: DataFolder, refuse: Refuse, postgresql: PostgresqlServer
    ) -> None:
        (data.objects / MARK).write_text('{"platform": "one"}')
        with postgresql.database() as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE platform SET id = 'other', claimed_at = 1")
            refuse({DATABASE_VARIABLE: url}, "belongs to another platform (one)")


def set_version(url: str, version: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [version])


def count_tables(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.s3
class TestBucket:
    @pytest.fixture
    def bucket(self, s3: S3Server) -> Iterator[str]:
        with s3.bucket() as name:
            yield name

    def test_a_bucket_that_is_missing(self, refuse: Refuse, s3: S3Server) -> None:
        variables = s3.variables() | {OBJECTS_VARIABLE: "s3://no-such-bucket/a"}
        refuse(variables, "s3://no-such-bucket/a does not exist")

    def test_a_bucket_that_may_only_be_read(
        self, refuse: Refuse, s3: S3Server, bucket: str
    ) -> None:
        variables = s3.variables() | {OBJECTS_VARIABLE: f"s3://{bucket}/a"} | assume_reader(s3)
        commands = ("up", "serve", "doctor")  # a backup only reads
        refuse(variables, "does not allow this", commands)
        assert s3.list_keys(bucket) == []

    def test_a_bucket_of_another_platform(self, refuse: Refuse, s3: S3Server, bucket: str) -> None:
        s3.open_bucket(bucket).put(f"a/{MARK}", b'{"platform": "other"}')
        variables = s3.variables() | {OBJECTS_VARIABLE: f"s3://{bucket}/a"}
        refuse(variables, "belongs to another platform (other)")
        assert s3.list_keys(bucket) == [f"a/{MARK}"]

    def test_a_secret_that_is_wrong(self, refuse: Refuse, s3: S3Server, bucket: str) -> None:
        variables = s3.variables() | {
            OBJECTS_VARIABLE: f"s3://{bucket}/a", "AWS_SECRET_ACCESS_KEY": SECRET,
        }  # fmt: skip
        refuse(variables, "refuses the key's secret")

    def test_clocks_that_differ(self, refuse: Refuse, s3: S3Server, bucket: str) -> None:
        with serving(make_backdater(s3.endpoint)) as endpoint:
            variables = s3.variables(endpoint) | {OBJECTS_VARIABLE: f"s3://{bucket}/a"}
            refuse(variables, "clock differs")
        assert s3.list_keys(bucket) == []


class ExpiredAnswers(BaseHTTPRequestHandler):
    """Answers as S3 does to credentials whose time is over; those of a test live too long."""

    def do_GET(self) -> None:
        body = b"<Error><Code>ExpiredToken</Code><Message>The token has expired.</Message></Error>"
        self.send_response(400)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def serving(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_credentials_that_have_expired(refuse: Refuse) -> None:
    with serving(ExpiredAnswers) as endpoint:
        variables = {
            OBJECTS_VARIABLE: "s3://products/a", "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": f"token-{SECRET}",
        }  # fmt: skip
        refuse(variables, "they have expired")
