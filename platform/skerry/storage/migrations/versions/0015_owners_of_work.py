"""Releases, jobs and runs have an owner.

What is there already belongs to the platform's own project, as all accounts could see it. A job
belongs to the owner of its collection, so that its products may still go there; so do its runs.
"""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, find the owners of jobs and runs, and make the indexes."""
    for table in ("releases", "jobs", "runs"):
        owner = sa.Column("owner", PlainText, nullable=False, server_default="project:project-main")
        op.add_column(table, owner)
    for table in ("jobs", "runs"):
        op.execute(
            f"UPDATE {table} SET owner = CASE WHEN collection LIKE 'sandbox-_%'"  # noqa: S608
            " THEN 'person:' || substr(collection, 9) ELSE"
            f" (SELECT owner FROM collections WHERE id = {table}.collection) END"
            f" WHERE collection LIKE 'sandbox-_%' OR EXISTS"
            f" (SELECT 1 FROM collections WHERE id = {table}.collection)"
        )
    op.create_index("ix_releases_owner", "releases", ["owner"])
    op.create_index("ix_jobs_owner", "jobs", ["owner"])
    op.create_index("ix_runs_owner_id", "runs", ["owner", "id"])
    op.create_index("ix_runs_owner_status", "runs", ["owner", "status"])
