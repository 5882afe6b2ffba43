"""Releases, jobs, runs, attempts and outputs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make production's tables."""
    _create_releases()
    _create_jobs()
    _create_runs()
    _create_attempts()
    _create_outputs()


def _create_releases() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("notebook_key", sa.Text(), nullable=False),
        sa.Column("notebook_digest", sa.String(68), nullable=False),
        sa.Column("environment_digest", sa.String(68), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.Column("schema", sa.JSON(), nullable=False),
        sa.Column("proposed_by", sa.String(120), nullable=False),
        sa.Column("proposed_at", sa.String(32), nullable=False),
        sa.Column("decided_by", sa.String(120)),
        sa.Column("decided_at", sa.String(32)),
        sa.Column("self_approved", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "status IN ('proposed', 'approved', 'rejected')", name="ck_releases_status"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )
    op.create_index("ix_releases_name", "releases", ["name"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("release_id", sa.String(26), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.String(8), nullable=False),
        sa.Column("cron", sa.String(120)),
        sa.Column("timezone", sa.String(64)),
        sa.Column("settled_until", sa.String(32)),
        sa.Column("collection", sa.String(120), nullable=False),
        sa.Column("review", sa.String(8), nullable=False),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.CheckConstraint("trigger IN ('manual', 'clock')", name="ck_jobs_trigger"),
        sa.CheckConstraint("review IN ('none', 'required')", name="ck_jobs_review"),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name="fk_jobs_release_id_releases"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("name", name="uq_jobs_name"),
    )


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("job_name", sa.String(120), nullable=False),
        sa.Column("release_id", sa.String(26), nullable=False),
        sa.Column("occurrence", sa.String(200), nullable=False),
        sa.Column("partition", sa.String(120), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("collection", sa.String(120), nullable=False),
        sa.Column("review", sa.String(8), nullable=False),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("published_epoch", sa.Integer()),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("progress_cell", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.Column("created_by", sa.String(120), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("started_at", sa.String(32)),
        sa.Column("ended_at", sa.String(32)),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name="ck_runs_status",
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["releases.id"], name="fk_runs_release_id_releases"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint(
            "job_id", "occurrence", "partition", name="uq_runs_job_id_occurrence_partition"
        ),
    )
    op.create_index("ix_runs_status", "runs", ["status"])
    op.create_index("ix_runs_job_name", "runs", ["job_name"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("adopted_epoch", sa.Integer()),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("token_id", sa.String(64)),
        sa.Column("detail", sa.Text()),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("ended_at", sa.String(32)),
        sa.CheckConstraint(
            "status IN ('claimed', 'executing', 'published', 'failed', 'crashed', 'cancelled',"
            " 'superseded', 'adopted')",
            name="ck_attempts_status",
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_attempts_run_id_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "epoch", name="pk_attempts"),
    )


def _create_outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("run_id", sa.String(26), nullable=False),
        sa.Column("output", sa.String(120), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("collection", sa.String(120), nullable=False),
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(68), nullable=False),
        sa.Column("published_at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_outputs_run_id_runs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "output", name="pk_outputs"),
    )
