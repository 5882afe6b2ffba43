"""Budgets: limits, what is reserved and used of them; seats of courses, and the capacity."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_KIND = "kind IN ('server', 'cluster', 'run')"


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "budgets",
        sa.Column("holder", PlainText, nullable=False),
        sa.Column("core_hours", sa.Integer()),
        sa.Column("memory_hours", sa.Integer()),
        sa.Column("contact", sa.Text()),
        sa.PrimaryKeyConstraint("holder", name="pk_budgets"),
    )
    op.create_table(
        "budget_reservations",
        sa.Column("id", PlainText, nullable=False),
        sa.Column("thing", PlainText, nullable=False),
        sa.Column("kind", PlainText, nullable=False),
        sa.Column("person", PlainText, nullable=False),
        sa.Column("project", PlainText, nullable=False),
        sa.Column("cores_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("course", PlainText),
        sa.PrimaryKeyConstraint("id", name="pk_budget_reservations"),
        sa.UniqueConstraint("thing", name="uq_budget_reservations_thing"),
        sa.CheckConstraint(_KIND, name="ck_budget_reservations_kind"),
    )
    for column in ("person", "project", "kind"):
        op.create_index(f"ix_budget_reservations_{column}", "budget_reservations", [column])
    op.create_table(
        "budget_use",
        sa.Column("month", PlainText, nullable=False),
        sa.Column("person", PlainText, nullable=False),
        sa.Column("project", PlainText, nullable=False),
        sa.Column("kind", PlainText, nullable=False),
        sa.Column("core_s", sa.BigInteger(), nullable=False),
        sa.Column("memory_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "person", "project", "kind", name="pk_budget_use"),
        sa.CheckConstraint(_KIND, name="ck_budget_use_kind"),
    )
    for column in ("project", "person"):
        op.create_index(f"ix_budget_use_{column}", "budget_use", [column, "month"])
    _make_courses()


def _make_courses() -> None:
    op.create_table(
        "courses",
        sa.Column("name", PlainText, nullable=False),
        sa.Column("project", PlainText, nullable=False),
        sa.Column("profile", PlainText, nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("cores_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("time", PlainText, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_courses"),
    )
    op.create_index("ix_courses_ends_at", "courses", ["ends_at"])
    op.create_table(
        "capacity",
        sa.Column("name", PlainText, nullable=False),
        sa.Column("cores_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_capacity"),
    )
