"""Each part refuses what it cannot use in one sentence with its remedy, before it writes anything.

They are started as a chart starts them, without ``skerry up``.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.forked_programs import serve_forks
from tests.platform_process import clean_environment, free_port
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import newest_revision, upgrade

PARTS = {
    "api": "skerry.services.api", "maps": "skerry.services.maps",
    "worker": "skerry.services.worker", "dashboards": "skerry.dashboards",
}  # fmt: skip
STATE_PARTS = ("api", "maps", "worker")


def name_environment(data: Path, **more: str) -> dict[str, str]:
    """Return all that a part needs; nobody answers at the hub's address."""
    return {
        "SKERRY_DATA": str(data), "SKERRY_PUBLIC_URL": "http://127.0.0.1:1",
        "SKERRY_SERVICE_PORT": str(free_port()), "JUPYTERHUB_SERVICE_NAME": "api",
        "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api", "JUPYTERHUB_API_TOKEN": "none",
        **more,
    }  # fmt: skip


Refuse = Callable[[str, dict[str, str]], str]


@pytest.fixture(scope="module")
def refuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refuse]:
    """Return what starts a part that refuses, and returns its one sentence and remedy."""
    with serve_forks(tmp_path_factory.mktemp("forks")) as forks:
        yield lambda part, more: check_refused(forks.run(part, clean_environment() | more))


def check_refused(ended: "subprocess.CompletedProcess[str]") -> str:
    assert ended.returncode == 2, ended.stdout + ended.stderr
    [line] = ended.stderr.splitlines()
    assert line.startswith("ERROR skerry: ")
    return line


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


@pytest.mark.parametrize("part", PARTS)
def test_a_part_names_the_variables_that_are_missing(part: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", PARTS[part]], env=clean_environment(),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    line = check_refused(ended)
    assert "SKERRY_DATA, SKERRY_PUBLIC_URL" in line
    assert "'skerry up'" in line


@pytest.mark.parametrize("part", ["api", "maps", "dashboards"])
@pytest.mark.parametrize("port", ["eighty", "0", "70000"])
def test_a_part_names_a_port_that_is_none(
    part: str, port: str, data: DataFolder, refuse: Refuse
) -> None:
    environment = name_environment(data.root, SKERRY_SERVICE_PORT=port)
    assert f"SKERRY_SERVICE_PORT is {port!r}" in refuse(part, environment)


@pytest.mark.parametrize("part", ["api", "maps", "dashboards"])
def test_a_part_names_an_address_that_is_none(part: str, data: DataFolder, refuse: Refuse) -> None:
    upgrade(data)
    line = refuse(part, name_environment(data.root, SKERRY_LISTEN_HOST="everywhere"))
    assert "SKERRY_LISTEN_HOST is 'everywhere'. Give an IP address" in line


@pytest.mark.parametrize("part", STATE_PARTS)
def test_a_file_without_tables_of_older_and_of_newer_ones(
    part: str, data: DataFolder, refuse: Refuse
) -> None:
    environment = name_environment(data.root)
    line = refuse(part, environment)
    assert f"There is no database {data.database} yet." in line
    assert "'skerry up'" in line
    upgrade(data)
    engine = open_database(database_url(data.database))
    for revision, named in (
        ("0003", "has the older schema 0003"), ("9999", "newer than this Skerry's"),
        ("ae1027a6acf", "belongs to another program"),
    ):  # fmt: skip
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :name"), {"name": revision}
            )
        engine.dispose()
        before = list_files(data.root)
        assert named in refuse(part, environment)
        assert list_files(data.root) == before
    data.database.write_bytes(b"not a database " * 1000)
    assert "cannot be read: file is not a database" in refuse(part, environment)


@pytest.mark.parametrize("part", ["api", "maps"])
def test_a_port_that_another_user_s_program_has(
    part: str, data: DataFolder, refuse: Refuse
) -> None:
    import socket

    upgrade(data)
    with socket.create_server(("127.0.0.1", 0)) as taken:  # it does not share its port
        port = taken.getsockname()[1]
        environment = name_environment(data.root, SKERRY_SERVICE_PORT=str(port))
        assert f"Port {port} cannot be used" in refuse(part, environment)


@pytest.mark.postgresql
@pytest.mark.parametrize("part", STATE_PARTS)
class TestServer:
    """A real server."""

    @pytest.fixture
    def empty(self, postgresql: PostgresqlServer) -> Iterator[str]:
        with postgresql.database("template0") as url:
            yield url

    def test_databases_that_are_not_this_skerry_s(
        self, part: str, data: DataFolder, empty: str, postgresql: PostgresqlServer, refuse: Refuse
    ) -> None:
        environment = name_environment(data.root, **{DATABASE_VARIABLE: empty})
        before = list_files(data.root)
        postgresql.execute("CREATE EXTENSION postgis", empty.rpartition("/")[2])
        assert "has no tables yet" in refuse(part, environment)
        with postgresql.database() as url, psycopg.connect(url, autocommit=True) as connection:
            environment = name_environment(data.root, **{DATABASE_VARIABLE: url})
            for revision in ("0003", "9999", "ae1027a6acf"):
                connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
                line = refuse(part, environment)
                assert revision in line
                assert postgresql.password not in line
        assert list_files(data.root) == before

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"password": "wrong"}, "password authentication failed"),
            ({"database": "nowhere"}, '"nowhere" does not exist'),
        ],
    )
    def test_a_login_that_is_refused(
        self, part: str, data: DataFolder, postgresql: PostgresqlServer,
        change: dict[str, str], named: str, refuse: Refuse,
    ) -> None:  # fmt: skip
        url = postgresql.url(**({"database": "postgres"} | change))
        line = refuse(part, name_environment(data.root, **{DATABASE_VARIABLE: url}))
        assert named in line
        assert DATABASE_VARIABLE in line
        assert "wrong" not in line

    def test_another_schema_than_the_current_is_never_mended_by_a_part(
        self, part: str, data: DataFolder, postgresql: PostgresqlServer, refuse: Refuse
    ) -> None:
        with postgresql.database() as url, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0003'")
            refuse(part, name_environment(data.root, **{DATABASE_VARIABLE: url}))
            [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert revision == ("0003",)
        assert newest_revision() != "0003"
