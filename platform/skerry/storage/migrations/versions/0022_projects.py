"""Projects that live on the platform: their members, and who asks for access."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ROLE = "role IN ('owner', 'member', 'reader')"


def upgrade() -> None:
    """Make the tables and their index."""
    op.create_table(
        "projects",
        sa.Column("name", PlainText, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("last_day", PlainText),
        sa.PrimaryKeyConstraint("name", name="pk_projects"),
    )
    op.create_table(
        "project_members",
        *_of_person("project_members"),
        sa.Column("last_day", PlainText),
    )
    op.create_index("ix_project_members_person", "project_members", ["person"])
    op.create_table(
        "project_requests",
        *_of_person("project_requests"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", PlainText, nullable=False),
        sa.CheckConstraint(
            "status IN ('asked', 'granted', 'refused')", name="ck_project_requests_status"
        ),
    )


def _of_person(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("project", PlainText, nullable=False),
        sa.Column("person", PlainText, nullable=False),
        sa.Column("role", PlainText, nullable=False),
        sa.PrimaryKeyConstraint("project", "person", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["project"], ["projects.name"], name=f"fk_{table}_project_projects",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(_ROLE, name=f"ck_{table}_role"),
    )  # fmt: skip
