"""Types of columns and indexes: each gives back and compares the same on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Connection, Engine, MetaData, Table, insert, literal, select
from sqlalchemy.exc import IntegrityError, StatementError
from tests.databases import data, engine

from skerry.storage.columns import (
    FreeText,
    Moment,
    Now,
    PlainText,
    RowNumber,
    partial_index,
)

__all__ = ["data", "engine"]

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TABLE = Table(
    "of_test", MetaData(),
    Column("key", RowNumber, primary_key=True),
    Column("word", PlainText), Column("moment", Moment), Column("document", JSON),
    Column("output", FreeText),
    partial_index("only_waits_once", "word", where="output = 'waits'", unique=True),
)  # fmt: skip


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return a transaction that sees the table."""
    with engine.begin() as connection:
        TABLE.create(connection)
        yield connection
        TABLE.drop(connection)


def store(connection: Connection, column: str, value: Any) -> Any:
    """Store a value; return what comes back."""
    connection.execute(insert(TABLE).values({column: value}))
    last = select(TABLE.c[column]).order_by(TABLE.c.key.desc()).limit(1)
    return connection.scalar(last)


def test_text_is_sorted_and_compared_by_its_bytes(connection: Connection) -> None:
    words = ["Zebra", "a", "a-b", "a_b", "ab", "B", "ä", "a/1", "a/10", "a/2", "\U0001f30a", "z"]
    for word in words:
        store(connection, "word", word)
    word = TABLE.c.word
    below = select(word).where(word >= "a/", word < "a0")
    assert sorted(connection.scalars(below).all()) == ["a/1", "a/10", "a/2"]
    assert connection.scalars(select(word).order_by(word)).all() == sorted(words, key=str.encode)


def test_text_has_no_limit_of_length_that_only_one_database_knows(connection: Connection) -> None:
    assert store(connection, "word", "a" * 5000) == "a" * 5000


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), None,
    ],
)  # fmt: skip
def test_moments_come_back_to_the_microsecond(
    connection: Connection, moment: datetime | None
) -> None:
    assert store(connection, "moment", moment) == moment


def test_moments_are_compared_as_times(connection: Connection) -> None:
    later = NOON + timedelta(microseconds=1)  # as text, 12:00:00.000001Z comes before 12:00:00Z
    for moment in (later, NOON):
        store(connection, "moment", moment)
    moments = select(TABLE.c.moment)
    assert connection.scalars(moments.order_by(TABLE.c.moment)).all() == [NOON, later]
    assert connection.scalars(moments.where(TABLE.c.moment > NOON)).all() == [later]


def test_a_moment_of_another_time_zone_comes_back_in_utc(connection: Connection) -> None:
    stored = store(connection, "moment", NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert (stored, stored.tzinfo) == (NOON, UTC)


def test_a_moment_without_a_time_zone_is_refused(connection: Connection) -> None:
    with pytest.raises(StatementError, match="offset-naive"):
        connection.execute(select(literal(NOON.replace(tzinfo=None), Moment())))


def test_now_is_the_present_instant(connection: Connection) -> None:
    """The clock of the database is that of this machine here; SQLite's counts milliseconds."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    now = connection.scalar(select(Now()))
    assert now is not None
    assert before <= now <= datetime.now(UTC) + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "document",
    [{}, {"z": 1, "a": [1.5, None, True]}, {"text": "ä\u0000 \U0001f30a"}, {"n": 10**30}],
)
def test_documents_come_back_as_they_were(connection: Connection, document: dict[str, Any]) -> None:
    stored = store(connection, "document", document)
    assert stored == document
    assert list(stored) == list(document)


@pytest.mark.parametrize(
    ("output", "stored"),
    [("a\x00b\ud800c\udfff", "a\ufffdb\ufffdc\ufffd"), ("ä \U0001f30a\n", "ä \U0001f30a\n"),
     ("", ""), (None, None)],
)  # fmt: skip
def test_what_programs_say_is_stored_whatever_it_holds(
    connection: Connection, output: str | None, stored: str | None
) -> None:
    assert store(connection, "output", output) == stored


def test_the_database_counts_rows(connection: Connection) -> None:
    for _ in range(3):
        store(connection, "word", "a")
    assert connection.scalars(select(TABLE.c.key).order_by(TABLE.c.key)).all() == [1, 2, 3]


def test_a_partial_index_is_about_its_rows_alone(connection: Connection) -> None:
    row = {"word": "a", "output": "waits"}
    for output in ("waits", "done", "done", None):
        connection.execute(insert(TABLE).values({**row, "output": output}))
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(TABLE).values(row))
