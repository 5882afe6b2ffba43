"""What tables are declared with: the list of all tables, types of columns, partial indexes.

Each type has one form for SQLite and one for PostgreSQL, and reads the same on both.
"""

import re
from datetime import datetime
from typing import Any

from sqlalchemy import (
    TEXT,
    BigInteger,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from skerry.core.time import count_microseconds, from_microseconds

_UNSTORED = re.compile("[\\x00\\ud800-\\udfff]")

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of Skerry's own database."""

PlainText = String().with_variant(TEXT(collation="C"), "postgresql")
"""Text of any length, sorted and compared by its bytes, whatever language a server speaks."""

RowNumber = BigInteger().with_variant(Integer(), "sqlite")
"""A key that the database counts; SQLite counts only in an `INTEGER`."""


class Moment(TypeDecorator[datetime]):
    """An instant: a `datetime` with a time zone in Python, whole microseconds UTC in the table.

    Integers sort, compare and are indexed the same on every database, whatever time zone its
    server or session has. ``platform/decisions/0017-times-as-integers.md`` says more.
    """

    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The type of its values."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the microseconds of an instant."""
        return None if value is None else count_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant of stored microseconds."""
        return None if value is None else from_microseconds(value)


class Now(FunctionElement[datetime]):
    """The present instant, by the clock of the database, which all its users share."""

    type = Moment()
    inherit_cache = True


@compiles(Now, "sqlite")
def _write_now_of_file(_now: Now, _compiler: SQLCompiler, **_: Any) -> str:
    # rounded: a Julian day as a double is up to 0.04 ms off, and SQLite's clock counts whole ms
    return "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000"


@compiles(Now, "postgresql")
def _write_now_of_server(_now: Now, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


class FreeText(TypeDecorator[str]):
    """Text of other people's programs: characters that no database stores become U+FFFD.

    These are U+0000, which PostgreSQL refuses, and halves of surrogate pairs, which have no UTF-8.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text as any database stores it."""
        return None if value is None else _UNSTORED.sub("\N{REPLACEMENT CHARACTER}", value)


def partial_index(name: str, *columns: str, where: str, unique: bool) -> Index:
    """Return an index over the rows that fulfil a condition."""
    return Index(
        name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where)
    )
