"""Production's tables: releases, jobs, runs, attempts, outputs.

The run row is the record of a run and the outbox at once: a run exists as soon as its row is
committed, whether or not the workflow engine knows it yet.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from skerry.core.ownership import PLATFORM_OWNER
from skerry.storage.audit_rules import leave_unrecorded, record_changes
from skerry.storage.columns import METADATA, FreeText, Moment, PlainText
from skerry.storage.sharing import make_shares


def _own() -> Column[str]:
    return Column(
        "owner", PlainText, nullable=False, default=PLATFORM_OWNER, server_default=PLATFORM_OWNER
    )


def _open() -> Column[bool]:
    return Column("public", Boolean, nullable=False, default=False, server_default=false())


releases = Table(
    "releases",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("status", PlainText, nullable=False),
    Column("notebook_key", Text, nullable=False),
    Column("notebook_digest", PlainText, nullable=False),
    Column("environment_digest", PlainText, nullable=False),
    Column("environment", JSON, nullable=False),
    Column("schema", JSON, nullable=False),
    _own(),
    _open(),
    Column("proposed_by", PlainText, nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("decided_by", PlainText),
    Column("decided_at", Moment),
    Column("self_approved", Boolean, nullable=False),
    CheckConstraint("status IN ('proposed', 'approved', 'rejected')", name="status"),
    Index(None, "name"),
    Index(None, "owner"),
    info=record_changes(
        "release",
        "{id}",
        without=("environment", "schema"),
        verbs={"public": ("opened", "closed")},
    ),
)

RELEASE_SHARES = make_shares(
    "release_shares",
    "release",
    "releases.id",
    record_changes("release-share", "{release}/{holder}"),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("release_id", PlainText, ForeignKey("releases.id"), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("trigger", PlainText, nullable=False),
    Column("cron", PlainText),
    Column("timezone", PlainText),
    Column("settled_until", Moment),
    Column("paused", Boolean, nullable=False, default=False, server_default=false()),
    Column("collection", PlainText, nullable=False),
    Column("review", PlainText, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("keep_days", Integer, comment="of its runs' files; the platform's number if empty"),
    Column("keep_count", Integer),
    _own(),
    _open(),
    Column("created_by", PlainText, nullable=False),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("trigger IN ('manual', 'clock')", name="trigger"),
    CheckConstraint("review IN ('none', 'required')", name="review"),
    Index(None, "owner"),
    info=record_changes(
        "job", "{name}", verbs={"paused": ("paused", "resumed"), "public": ("opened", "closed")}
    ),
)

JOB_SHARES = make_shares(
    "job_shares", "job", "jobs.name", record_changes("job-share", "{job}/{holder}")
)

runs = Table(
    "runs",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("job_id", PlainText, nullable=False),
    Column("job_name", PlainText, nullable=False),
    Column("release_id", PlainText, ForeignKey("releases.id"), nullable=False),
    Column("occurrence", PlainText, nullable=False),
    Column("data_day", PlainText, nullable=False),
    Column("partition", PlainText, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("collection", PlainText, nullable=False),
    Column("review", PlainText, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("status", PlainText, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("published_epoch", Integer),
    Column("cancel_requested", Boolean, nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("progress_cell", FreeText),
    Column("detail", FreeText),
    _own(),
    Column("created_by", PlainText, nullable=False),
    Column("request", PlainText, comment="the request that started it"),
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
    Index("ix_runs_owner_id", "owner", "id"),
    Index("ix_runs_owner_status", "owner", "status"),
    info=record_changes(
        "run",
        "{id}",
        without=("progress_done", "progress_total", "progress_cell"),
        verbs={
            "cancel_requested": ("asked to end", "changed"),
            "published_epoch": ("published", "changed"),
        },
    ),
)

attempts = Table(
    "attempts",
    METADATA,
    Column("run_id", PlainText, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("status", PlainText, nullable=False),
    Column("adopted_epoch", Integer),
    Column("token_hash", PlainText),
    Column("token_id", PlainText),
    Column("detail", FreeText),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    CheckConstraint(
        "status IN ('claimed', 'executing', 'published', 'failed', 'crashed', 'cancelled',"
        " 'superseded', 'adopted')",
        name="status",
    ),
    Index(None, "token_hash"),
    info=record_changes(
        "attempt", "{run_id}/{epoch}", verbs={"token_id": ("given a token", "token revoked")}
    ),
)

outputs = Table(
    "outputs",
    METADATA,
    Column("run_id", PlainText, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("output", PlainText, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("collection", PlainText, nullable=False),
    Column("item_id", PlainText, nullable=False),
    Column("digest", PlainText, nullable=False),
    Column("published_at", Moment, nullable=False),
    info=record_changes("output", "{run_id}/{output}"),
)

workers = Table(
    "workers",
    METADATA,
    Column("name", PlainText, primary_key=True),
    Column("beats", BigInteger, nullable=False, comment="grows while the worker lives"),
    Column("seen_at", Moment, comment="when it last showed that it lives, by the server's clock"),
    info=leave_unrecorded("signs of life are of the moment"),
)

upkeep = Table(
    "upkeep",
    METADATA,
    Column("task", PlainText, primary_key=True),
    Column("begun_at", Moment, nullable=False, comment="last time that a worker began it"),
    Column("ended_at", Moment, comment="last time that it ended"),
    Column("report", JSON, comment="its findings then"),
    info=record_changes("upkeep", "{task}", verbs={"report": ("done", "changed")}),
)
