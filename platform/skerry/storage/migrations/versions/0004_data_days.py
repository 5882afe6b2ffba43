"""Runs know the day that their data speak of, ticks may be passed over, and jobs may pause."""

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
    with op.batch_alter_table("runs") as batch:
        batch.alter_column("data_day", existing_type=sa.String(10), nullable=False)
        if op.get_bind().dialect.name != "sqlite":  # SQLite's is left out when the table is copied
            batch.drop_constraint("ck_runs_status", type_="check")
        batch.create_check_constraint(
            "ck_runs_status",
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'passed')",
        )
