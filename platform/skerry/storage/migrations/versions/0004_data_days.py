"""Runs know the day that their data speak of, ticks may be passed over, and jobs may pause."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and a run's status ``passed``."""
    op.add_column(
        "jobs", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("runs", sa.Column("data_day", sa.String(10)))
    op.execute(
        "UPDATE runs SET data_day = CASE WHEN occurrence LIKE 'clock/%'"
        " THEN substr(occurrence, 7, 10) ELSE substr(created_at, 1, 10) END"
    )
    _read_ticks_in_their_zones(op.get_bind())
    with op.batch_alter_table("runs") as batch:
        batch.alter_column("data_day", existing_type=sa.String(10), nullable=False)
        if op.get_bind().dialect.name != "sqlite":  # SQLite's is left out when the table is copied
            batch.drop_constraint("ck_runs_status", type_="check")
        batch.create_check_constraint(
            "ck_runs_status",
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'passed')",
        )


def _read_ticks_in_their_zones(connection: sa.Connection) -> None:
    """Give the runs of a clock the day of their tick in the clock's time zone, as new runs have."""
    rows = connection.execute(
        sa.text(
            "SELECT runs.id, runs.occurrence, jobs.timezone FROM runs"
            " JOIN jobs ON jobs.id = runs.job_id"
            " WHERE runs.occurrence LIKE 'clock/%' AND jobs.timezone IS NOT NULL"
        )
    ).all()
    for row in rows:
        try:
            zone = ZoneInfo(row.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # an upgrade has dropped it
            continue
        tick = datetime.fromisoformat(row.occurrence.removeprefix("clock/"))
        connection.execute(
            sa.text("UPDATE runs SET data_day = :day WHERE id = :id"),
            {"day": tick.astimezone(zone).date().isoformat(), "id": row.id},
        )
