"""Production's times become whole microseconds since 1970, as the catalogue's are.

Until here they were RFC 3339 text, which does not sort: ``10:30:00.5Z`` comes before ``10:30:00Z``.
"""

import sqlalchemy as sa
from alembic import op

from skerry.core.time import count_microseconds, parse_time

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEYS = {
    "releases": ("id",),
    "jobs": ("id",),
    "runs": ("id",),
    "attempts": ("run_id", "epoch"),
    "outputs": ("run_id", "output"),
}
_TIMES = {
    "releases": ("proposed_at", "decided_at"),
    "jobs": ("settled_until", "created_at"),
    "runs": ("created_at", "started_at", "ended_at"),
    "attempts": ("started_at", "ended_at"),
    "outputs": ("published_at",),
}
_CHECKS: dict[str, dict[str, tuple[str, ...]]] = {
    "releases": {"status": ("proposed", "approved", "rejected")},
    "jobs": {"trigger": ("manual", "clock"), "review": ("none", "required")},
    "runs": {"status": ("queued", "running", "succeeded", "failed", "cancelled", "passed")},
    "attempts": {
        "status": ("claimed", "executing", "published", "failed", "crashed", "cancelled",
                   "superseded", "adopted"),
    },
    "outputs": {},
}  # fmt: skip


def upgrade() -> None:
    """Turn every time of production's tables into a number."""
    for table, columns in _TIMES.items():
        _count(op.get_bind(), table, columns)
        with op.batch_alter_table(table, table_args=_list_checks(table)) as batch:
            for column in columns:
                batch.alter_column(
                    column,
                    existing_type=sa.String(32),
                    type_=sa.BigInteger(),
                    postgresql_using=f"{column}::bigint",
                )


def _count(connection: sa.Connection, table: str, columns: tuple[str, ...]) -> None:
    """Write each time as the digits of its microseconds; the column is still text."""
    keys = _KEYS[table]
    both = sa.table(table, *(sa.column(name) for name in (*keys, *columns)))
    change = (
        sa.update(both)
        .where(*(both.c[key] == sa.bindparam(f"old_{key}") for key in keys))
        .values({column: sa.bindparam(f"new_{column}") for column in columns})
    )
    rows = [
        {f"old_{key}": row[key] for key in keys}
        | {f"new_{column}": _write_digits(row[column]) for column in columns}
        for row in connection.execute(sa.select(both)).mappings()
    ]
    if rows:
        connection.execute(change, rows)


def _write_digits(text: str | None) -> str | None:
    return None if text is None else str(count_microseconds(parse_time(text)))


def _list_checks(table: str) -> tuple[sa.CheckConstraint, ...]:
    """Return the table's checks again, for SQLite: copying a table loses them."""
    return tuple(
        sa.CheckConstraint(
            f"{column} IN ({', '.join(repr(value) for value in values)})",
            name=f"ck_{table}_{column}",
        )
        for column, values in _CHECKS[table].items()
    )
