"""What a move refuses, and that nothing is written before."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, inspect
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer
from tests.unit.production.moving.conftest import is_at_work, move, read_folder
from tests.unit.storage.test_platform_mark import assume_reader

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError, SkerryError
from skerry.production.moving.places import Place
from skerry.storage.database import is_server, using_database
from skerry.storage.database_urls import parse_database_url
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import create_schema
from skerry.storage.object_places import parse_place
from skerry.storage.platform_mark import MARK
from skerry.storage.s3 import connect

alone = pytest.mark.parametrize("data", ["sqlite"], indirect=True)


@contextmanager
def refused(match: str, kind: type[SkerryError] = ConflictError) -> Iterator[None]:
    with pytest.raises(kind, match=match) as caught:
        yield
    assert caught.value.exit_code == 2
    assert caught.value.remedy


@pytest.mark.long
class TestAtWork:
    def test_a_part_that_lives(self, stopped: Place, tmp_path: Path) -> None:
        note = {"pid": psutil.Process().pid, "created": psutil.Process().create_time()}
        stopped.data.pids.mkdir(parents=True)
        (stopped.data.pids / "worker.json").write_text(json.dumps(note))
        with refused(rf"still at work: worker \(process {note['pid']}\)"):
            move(stopped, tmp_path / "new", None)
        assert not (tmp_path / "new").exists()

    def test_a_program_that_uses_the_database(self, stopped: Place, tmp_path: Path) -> None:
        program = (
            "import sys, time\n"
            "from skerry.storage.database import open_database\n"
            "connection = open_database(sys.argv[1]).connect()\n"
            "connection.exec_driver_sql('SELECT 1')\n"
            "print(flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, stopped.database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline()
            who = "a program on 127" if is_server(stopped.database) else f"process {process.pid}"
            with refused(f"still at work: .*{who}"):
                move(stopped, tmp_path / "new", None)
            process.communicate()
        wait_until(lambda: not is_at_work(stopped), 20, "it is noticed that the program has ended")
        assert not (tmp_path / "new").exists()
        assert move(stopped, tmp_path / "new", None).records


class TestFiles:
    pytestmark = alone

    def test_a_folder_without_a_platform(self, stopped: Place, tmp_path: Path) -> None:
        empty = Place(DataFolder(tmp_path / "none"), stopped.database, stopped.objects)
        with refused("has no database of Skerry", NotFoundError):
            move(empty, tmp_path / "new", None)

    def test_the_place_where_it_is(self, stopped: Place) -> None:
        root = stopped.data.root
        with refused("--database names", InvalidInputError):
            move(stopped, root, None)
        for place in (root / "objects", root / "objects/new", root):
            with refused("--objects names", InvalidInputError):
                move(stopped, None, place)
        with refused("neither an absolute path nor", InvalidInputError):
            move(stopped, None, "gs://bucket")
        with refused("value of --database begins with", InvalidInputError):
            move(stopped, "mysql://host/name", None)

    def test_places_with_something(self, stopped: Place, tmp_path: Path) -> None:
        (tmp_path / "store/imports").mkdir(parents=True)
        (tmp_path / "store/imports/file").touch()
        with refused("has imports/: the place is not empty"):
            move(stopped, tmp_path / "new", tmp_path / "store")
        other = DataFolder(tmp_path / "other")
        other.state.mkdir(parents=True)
        other.workflows.touch()
        with refused(r"workflows\.sqlite is there: the place is not empty"):
            move(stopped, other.root, None)
        move(stopped, tmp_path / "first", None)
        with refused("rows: the place is not empty"):
            move(stopped, tmp_path / "first", tmp_path / "first/objects")
        assert not (tmp_path / "new").exists()

    def test_the_unfinished_move_of_another(self, stopped: Place, tmp_path: Path) -> None:
        mark = '{"platform": "other", "filling": {"move": "0123", "state": 1}}'
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / MARK).write_text(mark)
        with refused("Another move fills the object store"):
            move(stopped, tmp_path / "new", tmp_path / "store")
        (tmp_path / "store" / MARK).write_text('{"platform": "other"}')
        with refused(r"is a platform's \(other\): the place is not empty"):
            move(stopped, tmp_path / "new", tmp_path / "store")
        assert not (tmp_path / "new").exists()

    def test_an_older_database(self, stopped: Place, tmp_path: Path) -> None:
        with using_database(stopped.database) as engine, engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0009'")
        with refused("has the older schema 0009"):
            move(stopped, tmp_path / "new", None)


@pytest.mark.postgresql
class TestServers:
    pytestmark = alone

    def test_databases_with_something(
        self, stopped: Place, server: Callable[[str], str], postgresql: PostgresqlServer
    ) -> None:
        url = server("template0")
        name = url.rpartition("/")[2]
        postgresql.execute("CREATE TABLE cats (name text)", name)
        with refused("holds tables of another program: cats"):
            move(stopped, url, None)
        url = server("template0")
        name = url.rpartition("/")[2]
        postgresql.execute("CREATE TABLE alembic_version (version_num text)", name)
        postgresql.execute("INSERT INTO alembic_version VALUES ('9999')", name)
        with refused("newer than this Skerry's"):
            move(stopped, url, None)
        url = server("template0")
        with using_database(parse_database_url(url)) as engine:
            create_schema(engine)
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO workers VALUES ('far', 1)")
        with refused("table workers of the database .* has 1 rows: the place is not empty"):
            move(stopped, url, None)

    def test_a_database_that_can_only_be_read(
        self, stopped: Place, server: Callable[[str], str], postgresql: PostgresqlServer
    ) -> None:
        url = server("template0")
        name = url.rpartition("/")[2]
        postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        with refused("can only be read"):
            move(stopped, url, None)

    def test_a_server_that_is_not_there(self, stopped: Place) -> None:
        with refused("does not open: Connection refused. Check --database", InvalidInputError):
            move(stopped, "postgresql://skerry:secret@127.0.0.1:9/none", None)


@pytest.mark.postgresql
@pytest.mark.s3
class TestBuckets:
    pytestmark = alone

    def test_nothing_is_written_where_the_bucket_is_wrong(
        self,
        stopped: Place,
        server: Callable[[str], str],
        bucket: str,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        database, before = server("template0"), read_folder(stopped.data.root)
        with refused("no-such-bucket/a does not exist", InvalidInputError):
            move(stopped, database, "s3://no-such-bucket/a")
        parse_place(bucket).write("runs/one/0/log.txt", b"")
        with refused("has runs/: the place is not empty"):
            move(stopped, database, bucket)
        for name, value in assume_reader(request.getfixturevalue("s3")).items():
            monkeypatch.setenv(name, value)
        connect.cache_clear()
        with refused("does not allow this", InvalidInputError):
            move(stopped, database, f"{bucket}/below")
        engine = create_engine(parse_database_url(database))
        assert inspect(engine).get_table_names() == []
        engine.dispose()
        assert read_folder(stopped.data.root) == before
