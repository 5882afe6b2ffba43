"""All rows of one database copied into another, of either kind, and compared."""

import math
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import zip_longest
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    FromClause,
    Insert,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
)

from skerry.core.errors import ConflictError
from skerry.core.progress import Progress, ignore_progress

_BATCH = 1000
_NEAR = 2.0**-22
"""SQLite's R*Tree rounds outwards to 32 bits, by two steps of 2**-23 at most; PostgreSQL's index
does so behind its table, which holds 64. No other table has numbers with a fraction."""

_Row = dict[str, Any]


def count_rows(connection: Connection, tables: Sequence[FromClause]) -> dict[str, int]:
    """Return how many rows each table has."""
    return {
        _name(table): connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables
    }


def copy_rows(
    source: Connection,
    target: Connection,
    tables: Sequence[FromClause],
    progress: Progress = ignore_progress,
) -> dict[str, int]:
    """Copy the rows of all tables, and return how many each has.

    Parameters
    ----------
    source
        A transaction that only reads: all rows are those of one moment.
    target
        A writing transaction on a database with the same schema, whose tables are empty.
    tables
        Tables that others refer to come first.
    progress
        Told the fraction of the rows copied, and the table.

    Raises
    ------
    ConflictError
        If a table of the target has rows, or has another number of rows at the end.
    """
    check_empty(target, tables)
    counts = count_rows(source, tables)
    total, count = max(1, sum(counts.values())), 0
    for table in tables:
        statement = _write_insert(target, table)
        for batch in _read_batches(source, table):
            target.execute(statement, batch)
            count += len(batch)
            progress(count / total, f"Copying records: {_name(table)}")
        if isinstance(table, Table) and _is_counted(table):
            _copy_counter(source, target, table)
    if count_rows(target, tables) != counts:
        raise ConflictError(
            "The copied tables do not have as many rows as their source.",
            remedy="Copy into a database that nobody else uses.",
        )
    return counts


def compare_rows(
    source: Connection,
    target: Connection,
    tables: Sequence[FromClause],
    progress: Progress = ignore_progress,
) -> dict[str, int]:
    """Compare the rows of all tables one by one; return how many each has.

    Parameters
    ----------
    source, target
        Transactions on databases with the same schema.
    tables
        The tables.
    progress
        Told the fraction of the tables compared, and the table.

    Raises
    ------
    ConflictError
        If a table differs; it names the first.
    """
    counts: dict[str, int] = {}
    nothing: list[_Row] = []
    for number, table in enumerate(tables):
        name, count = _name(table), 0
        progress(number / len(tables), f"Comparing records: {name}")
        # side by side, so that no server waits long for the other
        with (
            closing(_read_batches(source, table)) as first,
            closing(_read_batches(target, table)) as second,
        ):
            for there, here in zip_longest(first, second, fillvalue=nothing):
                if not _are_same(there, here):
                    raise ConflictError(
                        f"The rows of the table {name} after the first {count} are not those of "
                        "its copy.",
                        remedy="Something changed the records while they were copied: end it, "
                        "and copy again.",
                    )
                count += len(here)
        counts[name] = count
    return counts


def _are_same(there: list[_Row], here: list[_Row]) -> bool:
    """Tell whether rows are the same; numbers of the spatial index as far as 32 bits hold them."""
    return there == here or (
        len(there) == len(here)
        and all(
            first.keys() == second.keys()
            and all(_is_same(first[name], second[name]) for name in first)
            for first, second in zip(there, here, strict=True)
        )
    )


def _is_same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=_NEAR)
    return bool(first == second)


def _name(table: FromClause) -> str:
    return str(getattr(table, "name", table))


def check_empty(connection: Connection, tables: Sequence[FromClause]) -> None:
    """Refuse tables that have rows.

    Raises
    ------
    ConflictError
        If a table has; it names the first.
    """
    for name, count in count_rows(connection, tables).items():
        if count:
            raise ConflictError(
                f"The database is not empty: the table {name} has {count} rows.",
                remedy="Name an empty database, or another data folder with --data.",
            )


def _read_batches(connection: Connection, table: FromClause) -> Generator[list[_Row], None, None]:
    """Yield the rows in the order of their keys; documents as the text that they were sent as."""
    columns: list[Any] = [
        cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
        for column in table.columns
    ]
    keys: list[Any] = list(table.primary_key) or [table.c.id]
    query = select(*columns).order_by(*keys).execution_options(yield_per=_BATCH)
    with connection.execute(query) as result:  # a server keeps a cursor until it is closed
        for batch in result.mappings().partitions():
            yield [dict(row) for row in batch]


def _write_insert(connection: Connection, table: FromClause) -> Insert:
    """Return the statement that takes rows of `_read_batches`."""
    documents: dict[str, Any] = {
        column.name: bindparam(column.name, type_=Text())
        for column in table.columns
        if isinstance(column.type, JSON)
    }
    if connection.dialect.name == "postgresql":
        documents = {name: cast(value, JSON) for name, value in documents.items()}
    others = {
        column.name: bindparam(column.name, type_=column.type)
        for column in table.columns
        if column.name not in documents
    }
    return insert(table).values({**others, **documents})  # type: ignore[arg-type]


def _is_counted(table: Table) -> bool:
    """Tell whether the database itself gives the table's keys, none of them twice."""
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def _copy_counter(source: Connection, target: Connection, table: Table) -> None:
    """Let a table's counter go on where the source's is, even if its newest rows are gone."""
    (key,) = table.primary_key
    newest = source.execute(select(func.coalesce(func.max(key), 0))).scalar_one()
    last = max(newest, _read_counter(source, table, key.name))
    if target.dialect.name == "sqlite":
        names = {"table": table.name, "last": last}
        target.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), names)
        target.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"), names
        )
    elif last > 0:
        names = {"table": table.name, "column": key.name, "last": last}
        target.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"), names)


def _read_counter(connection: Connection, table: Table, column: str) -> int:
    """Return the last key that a table has given."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        last = connection.execute(query, {"table": table.name}).scalar()
    else:
        query = text(
            "SELECT last_value FROM pg_sequences WHERE to_regclass("
            "quote_ident(schemaname) || '.' || quote_ident(sequencename))"
            " = pg_get_serial_sequence(:table, :column)::regclass"
        )
        names = {"table": table.name, "column": column}
        last = connection.execute(query, names).scalar()  # NULL before the first key
    return int(last or 0)
