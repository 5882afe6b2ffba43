"""What a database's errors mean for the people who meet them."""

from pathlib import Path

import pytest
from psycopg import errors
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from skerry.core.errors import DiskFullError, UnavailableError
from skerry.storage.absence import describe_cause, tells_absence
from skerry.storage.database import database_url
from skerry.storage.database_failures import explain_failure, explain_unreadable

STATEMENT = "INSERT INTO secrets VALUES ('hunter2')"


def raise_in_file(file: Path, *statements: str) -> DBAPIError:
    """Return the error of the last of some statements in a database's file."""
    engine = create_engine(database_url(file))
    *earlier, last = map(text, statements)
    try:
        with engine.connect() as connection:
            for statement in earlier:
                connection.execute(statement)
            with pytest.raises(DBAPIError) as raised:
                connection.execute(last)
    finally:
        engine.dispose()
    return raised.value


def test_a_full_disk_under_a_file_is_named(tmp_path: Path) -> None:
    error = raise_in_file(
        tmp_path / "full.sqlite", "CREATE TABLE a (b)", "PRAGMA max_page_count = 3",
        "INSERT INTO a VALUES (zeroblob(100000))",
    )  # fmt: skip
    explained = explain_failure(error)
    assert isinstance(explained, DiskFullError)
    assert "file is full" in explained.what


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (errors.DiskFull, "disk of the database server is full"),
        (errors.ReadOnlySqlTransaction, "accepts no changes"),
        (errors.TooManyConnections, "no connection left"),
        (errors.QueryCanceled, "took too long"),
        (errors.AdminShutdown, "does not answer"),
    ],
)
def test_a_servers_error_is_explained_by_its_state(kind: type[errors.Error], words: str) -> None:
    error = OperationalError(STATEMENT, {}, kind("words of the server\nLINE 1: more"))
    explained = explain_failure(error)
    assert words in explained.what
    assert explained.remedy
    assert isinstance(explained, DiskFullError) == (kind is errors.DiskFull)
    assert isinstance(explained, UnavailableError)
    assert tells_absence(error) == (kind is errors.AdminShutdown)


def test_a_cause_is_one_line_without_the_statement(tmp_path: Path) -> None:
    missing = raise_in_file(tmp_path / "empty.sqlite", STATEMENT)
    assert "hunter2" in str(missing)
    assert describe_cause(missing) == "no such table: secrets"
    long = OperationalError(STATEMENT, {}, errors.DiskFull("first\nsecond"))
    assert describe_cause(long) == "first"
    assert describe_cause(long.orig or long) == "first"


def test_a_file_that_is_no_database_is_named_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "broken.sqlite"
    file.write_bytes(b"no database" * 1000)
    explained = explain_unreadable(database_url(file), raise_in_file(file, "SELECT * FROM a"))
    assert explained.what == f"The database {file} cannot be read: file is not a database."
