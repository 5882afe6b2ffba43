"""Database servers that cannot be used are named in a sentence, before anything is written."""

import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from tests.platform_process import SKERRY, clean_environment, wait_until
from tests.postgresql_server import PostgresqlServer

from skerry.core.errors import ConflictError, InvalidInputError, SkerryError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage import database, server_checks
from skerry.storage.database_failures import explain_failure
from skerry.storage.database_urls import describe_database, parse_database_url, write_setting
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import check_database, newest_revision, upgrade
from skerry.storage.server_checks import check_server

SECRET = "s3cret-w0rd"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("state.sqlite", "cannot be read"),
        (f"postgresql://ada:{SECRET}@host:port/skerry", "cannot be read"),
        (f"mysql://ada:{SECRET}@host/skerry", "'mysql'"),
        ("sqlite:////tmp/x", "'sqlite'"),
        (f"postgresql://ada:{SECRET}@host", "names no database"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(given: str, named: str) -> None:
    with pytest.raises(InvalidInputError, match=named) as caught:
        parse_database_url(given)
    assert DATABASE_VARIABLE in caught.value.what
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_an_address_is_shown_without_its_password(scheme: str) -> None:
    url = parse_database_url(f"{scheme}://ada:{SECRET}@db.example:5433/skerry?sslmode=require")
    assert url.startswith(f"postgresql+psycopg://ada:{SECRET}@db.example:5433/skerry?")
    assert "sslmode=require" in url
    assert describe_database(url) == "postgresql://ada@db.example:5433/skerry"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (f"ada:{SECRET}@db.example:5433/skerry", "ada@db.example:5433/skerry"),
        (
            f"ada:{SECRET}@db.example/skerry?sslmode=verify-full&sslrootcert=/etc/db.pem",
            "ada@db.example/skerry?sslmode=verify-full&sslrootcert=%2Fetc%2Fdb.pem",
        ),
        (f"db.example/skerry?password={SECRET}&sslpassword={SECRET}", "db.example/skerry"),
        ("/skerry?host=/var/run/postgresql", "/skerry?host=%2Fvar%2Frun%2Fpostgresql"),
        ("db.example/skerry?connect_timeout=60", "db.example/skerry?connect_timeout=60"),
    ],
)
def test_an_address_is_written_as_a_setting_without_what_is_secret(
    given: str, written: str
) -> None:
    shown = write_setting(parse_database_url(f"postgresql://{given}"))
    assert shown == f"postgresql://{written}"
    url = parse_database_url(f"postgresql://{given.replace(f':{SECRET}', '')}")
    assert "password" in given or parse_database_url(shown) == url


def refuse(url: str, *, writing: bool = True) -> SkerryError:
    with pytest.raises((InvalidInputError, ConflictError)) as caught:
        check_server(parse_database_url(url), writing=writing)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return caught.value


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    error = refuse(f"postgresql://ada:{SECRET}@127.0.0.1:{port}/skerry")
    assert f"postgresql://ada@127.0.0.1:{port}/skerry" in error.what
    assert "refused" in error.what
    assert SECRET not in str(error)


@pytest.mark.postgresql
class TestServer:
    """A real server."""

    @pytest.fixture
    def empty(self, postgresql: PostgresqlServer) -> Iterator[str]:
        with postgresql.database("template0") as url:
            yield url

    def test_a_wrong_login_is_refused_without_its_password(
        self, postgresql: PostgresqlServer
    ) -> None:
        error = refuse(postgresql.url("postgres", password=SECRET))
        assert "password authentication failed" in error.what
        assert SECRET not in str(error)

    def test_a_missing_database(self, postgresql: PostgresqlServer) -> None:
        assert '"nowhere" does not exist' in refuse(postgresql.url("nowhere")).what

    def test_a_parameter_that_libpq_does_not_know(self, empty: str) -> None:
        assert "colour" in refuse(f"{empty}?colour=blue").what

    def test_an_old_server(self, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_checks, "OLDEST", 99)
        error = refuse(empty)
        assert "is PostgreSQL 1" in error.what
        assert error.remedy == "Use PostgreSQL 99 or newer."

    def test_no_postgis_on_the_server(self, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_checks, "EXTENSION", "nothing_like_it")
        assert "has no PostGIS" in refuse(empty).what

    def test_an_owner_who_may_not_add_postgis_and_one_for_whom_it_is_there(
        self, postgresql: PostgresqlServer, empty: str
    ) -> None:
        name = empty.rpartition("/")[2]
        postgresql.execute(f"CREATE ROLE owner_{name} LOGIN PASSWORD '{SECRET}'")
        postgresql.execute(f"ALTER DATABASE {name} OWNER TO owner_{name}")
        owned = postgresql.url(name, user=f"owner_{name}", password=SECRET)
        assert "CREATE EXTENSION postgis" in refuse(owned).remedy
        postgresql.execute("CREATE EXTENSION postgis", name)
        check_server(parse_database_url(owned), writing=True)

    def test_a_schema_of_its_own(
        self,
        postgresql: PostgresqlServer,
        empty: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        name = empty.rpartition("/")[2]
        postgresql.execute("CREATE EXTENSION postgis", name)
        alone = f"{empty}?options=-csearch_path%3Dteam"
        assert "its search_path is 'team'" in refuse(alone).what
        postgresql.execute("CREATE SCHEMA team", name)
        error = refuse(alone)
        assert "does not see its PostGIS" in error.what
        assert "SET search_path = ..., public" in error.remedy
        monkeypatch.setenv(DATABASE_VARIABLE, f"{alone},public")
        upgrade(DataFolder(tmp_path))
        upgrade(DataFolder(tmp_path))
        with psycopg.connect(empty) as connection:
            tables = "SELECT schemaname FROM pg_tables WHERE tablename = 'items'"
            assert connection.execute(tables).fetchall() == [("team",)]

    def test_a_guest_of_the_database(self, postgresql: PostgresqlServer, empty: str) -> None:
        name = empty.rpartition("/")[2]
        postgresql.execute("CREATE EXTENSION postgis", name)
        postgresql.execute(f"CREATE ROLE guest_{name} LOGIN PASSWORD '{SECRET}'")
        guest = postgresql.url(name, user=f"guest_{name}", password=SECRET)
        assert "may make no tables" in refuse(guest).what

    def test_a_database_that_can_only_be_read(
        self, postgresql: PostgresqlServer, empty: str
    ) -> None:
        name = empty.rpartition("/")[2]
        postgresql.execute("CREATE EXTENSION postgis", name)
        postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        assert "can only be read" in refuse(empty).what
        check_server(parse_database_url(empty), writing=False)

    def test_the_database_of_another_program(
        self, postgresql: PostgresqlServer, empty: str
    ) -> None:
        name = empty.rpartition("/")[2]
        postgresql.execute("CREATE EXTENSION postgis", name)
        postgresql.execute("CREATE TABLE invoices (number int)", name)
        error = refuse(empty)
        assert "tables of another program: invoices" in error.what
        assert "CREATE DATABASE" in error.remedy

    @pytest.mark.parametrize(
        ("code", "named", "status"),
        [
            ("25006", "accepts no changes", 503),
            ("53100", "disk of the database server is full", 507),
            ("57P01", "does not answer", 503),
            ("53300", "no connection left", 503),
            ("57014", "took too long", 503),
        ],
    )
    def test_a_server_that_fails_while_it_works_is_named(
        self, empty: str, code: str, named: str, status: int
    ) -> None:
        engine = create_engine(parse_database_url(empty))
        fault = text(f"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END$$")
        with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
            connection.execute(fault)
        engine.dispose()
        assert isinstance(caught.value, OperationalError | InternalError)  # as the api handles
        failure = explain_failure(caught.value)
        assert named in failure.what
        assert failure.status == status

    def test_another_encoding(self, postgresql: PostgresqlServer) -> None:
        postgresql.execute(
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc"
            " LOCALE 'C'"
        )
        assert "stores text as LATIN1" in refuse(postgresql.url("latin")).what
        postgresql.execute("DROP DATABASE latin")

    def test_a_database_of_a_newer_skerry_is_left_alone(
        self, postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with postgresql.database() as url:
            monkeypatch.setenv(DATABASE_VARIABLE, url)
            folder = DataFolder(tmp_path)
            check_database(folder)
            with psycopg.connect(url) as connection:
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            for ask in (check_database, upgrade):
                with pytest.raises(ConflictError, match="schema 9999, newer than"):
                    ask(folder)

    def test_of_two_upgrades_at_once_one_waits(
        self, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(DATABASE_VARIABLE, empty)
        monkeypatch.setattr(database, "_WAIT_MS", 50)  # an upgrade waits longer than others
        with (
            psycopg.connect(empty, autocommit=True) as looking,
            psycopg.connect(empty) as first,
            ThreadPoolExecutor(2) as pool,
        ):
            first.execute(f"SELECT pg_advisory_xact_lock({database._TURN})".encode())
            both = [pool.submit(upgrade, DataFolder(tmp_path)) for _ in range(2)]
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                " AND state_change < clock_timestamp() - interval '0.2 s'"
                " AND datname = current_database()"
            )
            wait_until(lambda: looking.execute(waiting).fetchone() == (2,), 60, "both wait")
            first.commit()
            assert [upgraded.result(120) for upgraded in both] == [None, None]
            version = "SELECT version_num FROM alembic_version"
            assert looking.execute(version).fetchall() == [(newest_revision(),)]

    def test_a_new_database_gets_its_tables_once(
        self, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(DATABASE_VARIABLE, empty)
        folder = DataFolder(tmp_path)
        check_database(folder)
        with psycopg.connect(empty) as connection:
            tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            assert connection.execute(tables).fetchone() == (0,), "looking writes nothing"
        assert upgrade(folder) is None
        assert upgrade(folder) is None
        with psycopg.connect(empty) as connection:
            texts = connection.execute(
                "SELECT DISTINCT data_type, collation_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name IN ('collections', 'items',"
                " 'deletions', 'grants', 'releases', 'jobs', 'runs', 'attempts', 'outputs')"
                " AND data_type IN ('text', 'character varying')"
                " AND column_name <> 'reason'"  # free text, by which nothing is sorted
            ).fetchall()
        assert texts == [("text", "C")]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("given", ["nonsense", f"postgresql://a:{SECRET}@127.0.0.1:1/skerry"])
def test_up_says_what_is_wrong_and_writes_nothing(tmp_path: Path, given: str) -> None:
    data = tmp_path / "data"
    ended = subprocess.run(
        [*SKERRY, "up", "--data", str(data)],
        env=clean_environment() | {DATABASE_VARIABLE: given},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    fault, remedy = ended.stderr.strip().splitlines()
    assert fault.startswith("Error: The ")
    assert "SKERRY_DATABASE_URL" in fault + remedy
    assert SECRET not in ended.stderr + ended.stdout
    assert not data.exists()
