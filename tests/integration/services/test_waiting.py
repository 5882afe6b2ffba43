"""A part that is told to wait answers while it cannot work, says why, and begins by itself."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from tests.integration.services.test_starting import PARTS, STATE_PARTS, name_environment
from tests.platform_process import NO_CERTIFICATES, clean_environment, wait_until

from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade
from skerry.storage.platform_mark import claim_store

pytestmark = pytest.mark.long

_LIMIT_S = 120.0


class Waiting:
    """A part that was started with nothing there, and what it says."""

    def __init__(self, part: str, environment: dict[str, str], log: Path) -> None:
        self.url = f"http://127.0.0.1:{environment['SKERRY_SERVICE_PORT']}/services/{part}"
        self._log = log
        self._client = httpx.Client(trust_env=False, verify=NO_CERTIFICATES)
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", PARTS[part]], env=clean_environment() | environment,
                stdout=stream, stderr=stream,
            )  # fmt: skip

    def ask(self, path: str) -> httpx.Response | None:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return self._client.get(f"{self.url}/{path}")
        except httpx.TransportError:
            return None

    def read_missing(self) -> dict[str, Any]:
        answer = self.ask("ready")
        return answer.json().get("missing", {}) if answer else {}

    def wait_for(self, name: str, reason: str) -> None:
        wait_until(
            lambda: reason in self.read_missing().get(name, ""),
            _LIMIT_S, f"{name}: {reason}", every_s=0.1,
        )  # fmt: skip

    def end(self) -> None:
        self._client.close()
        self.process.kill()
        self.process.wait()

    def read_log(self) -> str:
        return self._log.read_text()


@contextmanager
def start(part: str, folder: Path, **more: str) -> Iterator[Waiting]:
    environment = name_environment(folder / "data", SKERRY_WAIT_FOR_STATE="on", **more)
    waiting = Waiting(part, environment, folder / "log")
    try:
        yield waiting
    finally:
        waiting.end()


@pytest.mark.parametrize("part", STATE_PARTS)
def test_a_part_waits_for_tables_and_begins_by_itself(part: str, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    with start(part, tmp_path) as waiting:
        waiting.wait_for("start", "its log says why")
        assert waiting.read_missing()["database"] == "The database has no tables yet."
        health = waiting.ask("health")
        assert health is not None
        assert health.status_code == 200, "it lives"
        assert f"There is no database {data.database} yet." in waiting.read_log()
        upgrade(data)
        claim_store(data)
        wait_until(
            lambda: (answer := waiting.ask("ready")) is not None and answer.status_code == 200,
            _LIMIT_S, "it is ready, though there is no hub", every_s=0.1,
        )  # fmt: skip
        assert f"{part} begins" in waiting.read_log()


def test_it_says_which_schema_is_wrong_and_hides_addresses(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    upgrade(data)
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with start("api", tmp_path) as waiting:
        waiting.wait_for("database", "has schema 9999, this Skerry has")
        answer = waiting.ask("ready")
        assert answer is not None
        assert str(tmp_path) not in answer.text
        assert "newer than this Skerry's" in waiting.read_log()


def test_an_address_that_never_becomes_right_is_refused(tmp_path: Path) -> None:
    with start("api", tmp_path, SKERRY_DATABASE_URL="mysql://somewhere/db") as waiting:
        assert waiting.process.wait(_LIMIT_S) == 2
        assert "The value of SKERRY_DATABASE_URL begins with 'mysql'" in waiting.read_log()
