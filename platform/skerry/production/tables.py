"""Production's tables: releases, jobs, runs, attempts, outputs.

The run row is the record of a run and the outbox at once: a run exists as soon as its row is
committed, whether or not the workflow engine knows it yet.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from skerry.storage.database import METADATA, Moment

releases = Table(
    "releases",
    METADATA,
    Column("id", String(26), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("status", String(12), nullable=False),
    Column("notebook_key", Text, nullable=False),
    Column("notebook_digest", String(68), nullable=False),
    Column("environment_digest", String(68), nullable=False),
    Column("environment", JSON, nullable=False),
    Column("schema", JSON, nullable=False),
    Column("proposed_by", String(120), nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("decided_by", String(120)),
    Column("decided_at", Moment),
    Column("self_approved", Boolean, nullable=False),
    CheckConstraint("status IN ('proposed', 'approved', 'rejected')", name="status"),
    Index(None, "name"),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("id", String(26), primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("release_id", String(26), ForeignKey("releases.id"), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("trigger", String(8), nullable=False),
    Column("cron", String(120)),
    Column("timezone", String(64)),
    Column("settled_until", Moment),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("collection", String(120), nullable=False),
    Column("review", String(8), nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("trigger IN ('manual', 'clock')", name="trigger"),
    CheckConstraint("review IN ('none', 'required')", name="review"),
)

runs = Table(
    "runs",
    METADATA,
    Column("id", String(26), primary_key=True),
    Column("job_id", String(26), nullable=False),
    Column("job_name", String(120), nullable=False),
    Column("release_id", String(26), ForeignKey("releases.id"), nullable=False),
    Column("occurrence", String(200), nullable=False),
    Column("data_day", String(10), nullable=False),
    Column("partition", String(120), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("collection", String(120), nullable=False),
    Column("review", String(8), nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("published_epoch", Integer),
    Column("cancel_requested", Boolean, nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("progress_cell", Text),
    Column("detail", Text),
    Column("created_by", String(120), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    UniqueConstraint("job_id", "occurrence", "partition"),
    CheckConstraint(
        "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'passed')",
        name="status",
    ),
    Index(None, "status"),
    Index(None, "job_name"),
)

attempts = Table(
    "attempts",
    METADATA,
    Column("run_id", String(26), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("status", String(12), nullable=False),
    Column("adopted_epoch", Integer),
    Column("token_hash", String(64)),
    Column("token_id", String(64)),
    Column("detail", Text),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    CheckConstraint(
        "status IN ('claimed', 'executing', 'published', 'failed', 'crashed', 'cancelled',"
        " 'superseded', 'adopted')",
        name="status",
    ),
)

outputs = Table(
    "outputs",
    METADATA,
    Column("run_id", String(26), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("output", String(120), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("collection", String(120), nullable=False),
    Column("item_id", String(200), nullable=False),
    Column("digest", String(68), nullable=False),
    Column("published_at", Moment, nullable=False),
)
