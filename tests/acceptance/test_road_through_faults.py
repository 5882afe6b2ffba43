"""The README's ten lines where the way to the bucket is bad, and what stands anywhere after it.

Nothing is lost, nothing is registered that is not whole, and no secret stands where others look.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import obstore
import psycopg
import pytest
from tests.acceptance.test_road_on_servers import check_printed, walk
from tests.audit_replay import check_audit
from tests.fault_proxy import FaultProxy, Request, at_random, no_faults, serve_faults
from tests.minio_server import S3Server
from tests.platform_process import RunningPlatform, start_platform
from tests.postgresql_server import PostgresqlServer

from skerry.core.digests import digest_bytes
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.database import open_database
from skerry.storage.database_urls import parse_database_url
from skerry.storage.object_places import parse_place
from skerry.storage.objects import Objects
from skerry.storage.s3 import connect

pytestmark = [
    pytest.mark.postgresql, pytest.mark.s3, pytest.mark.long, pytest.mark.timeout(1500),
]  # fmt: skip
SHARE = 0.04
SEED = 9


class Secrets:
    """Secrets that were given out while the road was walked."""

    def __init__(self) -> None:
        self.by_kind: dict[str, set[str]] = {}
        self._over = Event()

    def add(self, kind: str, *texts: str) -> None:
        self.by_kind.setdefault(kind, set()).update(text for text in texts if text)

    def hear(self, request: Request, answer: bytes) -> None:
        """Note what the token service gives out."""
        if (request.method, request.path) == ("POST", "/"):
            for name in ("SecretAccessKey", "SessionToken"):
                self.add(name, *re.findall(f"<{name}>(.*?)</{name}>", answer.decode()))

    def watch_runs(self, url: str) -> None:
        """Note the tokens of runs of the platform at an address, while they are carried out."""
        while not self._over.wait(0.1):
            for environ in Path("/proc").glob("[0-9]*/environ"):
                try:
                    values = dict(
                        entry.split("=", 1)
                        for entry in environ.read_bytes().decode().split("\0")
                        if "=" in entry
                    )
                except (OSError, UnicodeError):
                    continue
                if values.get("SKERRY_URL") == url and values.get("SKERRY_RUN"):
                    self.add("run token", values.get("SKERRY_TOKEN", ""))

    def stop(self) -> None:
        self._over.set()

    def find(self, text: bytes) -> list[str]:
        """Return the kinds of the secrets that stand in a text."""
        return [
            kind
            for kind, secrets in self.by_kind.items()
            for secret in secrets
            if secret.encode() in text
        ]


class Walked:
    """The road's end: the platform, its servers and the secrets that it had."""

    def __init__(
        self, platform: RunningPlatform, proxy: FaultProxy, secrets: Secrets, bucket: Any, url: str
    ) -> None:
        self.platform = platform
        self.proxy = proxy
        self.secrets = secrets
        self.bucket = bucket
        self.url = url

    def read_objects(self) -> dict[str, bytes]:
        listed = [item["path"] for batch in obstore.list(self.bucket) for item in batch]
        return {key: bytes(obstore.get(self.bucket, key).bytes()) for key in listed}


@pytest.fixture(scope="module")
def walked(
    s3: S3Server, postgresql: PostgresqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walked]:
    """Walk the road through a proxy that loses, delays, cuts and refuses requests."""
    folder = tmp_path_factory.mktemp("faults")
    with (
        postgresql.database("template0") as url,
        s3.bucket() as bucket,
        serve_faults(s3.endpoint) as proxy,
    ):
        secrets = Secrets()
        secrets.add("key of the bucket", s3.secret)
        secrets.add("password of the database", postgresql.password)
        proxy.hear = secrets.hear
        settings = {
            DATABASE_VARIABLE: url, OBJECTS_VARIABLE: f"s3://{bucket}/skerry",
            **s3.variables(proxy.endpoint),
            "SKERRY_PREPARED_RUN": "off",  # a prepared process shows its token to nobody
        }  # fmt: skip
        platform = start_platform(folder / "data", extra_environment=settings)
        secrets.add("token of the owner", platform.token)
        watch = Thread(target=secrets.watch_runs, args=(platform.url,), daemon=True)
        watch.start()
        try:
            proxy.plan = at_random(SHARE, SEED)
            shell = {OBJECTS_VARIABLE: settings[OBJECTS_VARIABLE]}
            check_printed(walk(platform, folder, shell, within_s=1200), folder)
            proxy.plan = no_faults
            yield Walked(platform, proxy, secrets, s3.open_bucket(bucket), url)
        finally:
            secrets.stop()
            watch.join()
            platform.stop()


@pytest.fixture
def objects(walked: Walked, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    for name, value in s3.variables().items():
        monkeypatch.setenv(name, value)
    connect.cache_clear()
    yield parse_place(f"s3://{walked.bucket.config['bucket']}/skerry")
    connect.cache_clear()


def test_the_way_was_bad(walked: Walked) -> None:
    kinds = {fault for fault, _ in walked.proxy.done}
    assert len(kinds) > 4
    assert {request.method for _, request in walked.proxy.done} >= {"GET", "PUT"}


def test_everything_registered_is_whole_and_nothing_else_is_there(
    walked: Walked, objects: Objects
) -> None:
    with walked.platform.http(walked.platform.token) as client:
        items = client.get("/services/api/stac/search").raise_for_status().json()["features"]
        runs = client.get("/services/api/production/runs").raise_for_status().json()["runs"]
    assert len(items) == 2
    assert [run["status"] for run in runs] == ["succeeded"]
    for item in items:
        prefix = item["properties"]["skerry:prefix"]
        assert item["properties"]["skerry:digest"] == objects.digest(prefix)
        for asset in item["assets"].values():
            key = asset["href"].split("/files/", 1)[1].rstrip("/")
            content = objects.read(key)
            digest = objects.digest(f"{key}/") if content is None else digest_bytes(content)
            assert asset["file:checksum"] == digest, key
    assert not [key for key in walked.read_objects() if ".partial/" in key]
    assert not any((walked.platform.data / "objects").iterdir()), "all is in the bucket"
    assert not (walked.platform.data / "state" / "skerry.sqlite").exists(), "and on the server"
    report = json.loads(walked.platform.run("prune", "--json").stdout)
    assert report["lost"] == []
    engine = open_database(parse_database_url(walked.url))
    check_audit(engine)
    engine.dispose()


def test_no_secret_stands_in_what_is_kept(walked: Walked) -> None:
    """Neither in manifest, notebook, page and log of the run, nor in logs, nor in the audit."""
    kinds = walked.secrets.by_kind
    assert set(kinds) == {
        "key of the bucket", "password of the database", "SecretAccessKey", "SessionToken",
        "token of the owner", "run token",
    }  # fmt: skip
    kept = {f"s3: {key}": content for key, content in walked.read_objects().items()}
    for name in ("log.txt", "executed.ipynb", "executed.html", "manifest.json"):
        assert any(key.endswith(f"/{name}") for key in kept), name
    for path in (walked.platform.data / "logs").rglob("*"):
        if path.is_file():
            kept[f"log: {path.name}"] = path.read_bytes()
    kept |= {f"table: {name}": content for name, content in dump_tables(walked.url).items()}
    assert kept["table: audit"]
    kept["output of skerry up"] = walked.platform.output.encode()
    assert not {
        where: found for where, text in kept.items() if (found := walked.secrets.find(text))
    }


def dump_tables(url: str) -> dict[str, bytes]:
    """Return the rows of all tables of the platform and of its workflow engine, as text."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'topology', 'tiger')"
        ).fetchall()
        return {
            name: "\n".join(
                str(row)
                for row in connection.execute(f'SELECT * FROM "{schema}"."{name}"')  # noqa: S608
            ).encode()
            for schema, name in names
        }


def test_no_process_shows_a_secret_of_servers_it_does_not_open(walked: Walked) -> None:
    """Gateway, hub, proxy and dashboards have neither the key nor the password."""
    parts = walked.platform.part_pids()
    shown = {
        name for name, pid in parts.items()
        if walked.secrets.find(Path(f"/proc/{pid}/environ").read_bytes())
    }  # fmt: skip
    assert shown <= {"api", "maps", "worker"}
