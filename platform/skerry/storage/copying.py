"""All rows of one database copied into another, of either kind."""

from collections.abc import Sequence

from sqlalchemy import Connection, FromClause, Table, func, insert, select, text

from skerry.core.errors import ConflictError
from skerry.core.progress import Progress, ignore_progress

_BATCH = 1000


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
    _check_empty(target, tables)
    counts = count_rows(source, tables)
    total, done = max(1, sum(counts.values())), 0
    for table in tables:
        rows = source.execution_options(yield_per=_BATCH).execute(select(table)).mappings()
        for batch in rows.partitions():
            target.execute(insert(table), [dict(row) for row in batch])  # type: ignore[arg-type]
            done += len(batch)
            progress(done / total, f"Copying records: {_name(table)}")
        _count_on(target, table)
    if count_rows(target, tables) != counts:
        raise ConflictError(
            "The copied tables do not have as many rows as their source.",
            remedy="Copy into a database that nobody else uses.",
        )
    return counts


def _name(table: FromClause) -> str:
    return str(getattr(table, "name", table))


def _check_empty(connection: Connection, tables: Sequence[FromClause]) -> None:
    for name, count in count_rows(connection, tables).items():
        if count:
            raise ConflictError(
                f"The database is not empty: the table {name} has {count} rows.",
                remedy="Name an empty database, or another data folder with --data.",
            )


def _count_on(connection: Connection, table: FromClause) -> None:
    """Let PostgreSQL's counter of a table go on after the copied keys; SQLite does by itself."""
    if connection.dialect.name != "postgresql" or not isinstance(table, Table):
        return
    column = table.autoincrement_column
    if column is not None and column.default is None:
        newest = connection.execute(select(func.max(column))).scalar()
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        if newest is not None and connection.scalar(select(sequence)) is not None:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)"),
                {"table": table.name, "column": column.name, "newest": newest},
            )
