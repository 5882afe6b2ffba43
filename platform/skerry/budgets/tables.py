"""Tables of budgets: limits, what is reserved, what months have used; seats of courses."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table

from skerry.storage.audit_rules import leave_unrecorded, record_changes
from skerry.storage.columns import METADATA, FreeText, Moment, PlainText

KINDS = ("server", "cluster", "run")
_KIND = "kind IN ('server', 'cluster', 'run')"


def _payers() -> tuple[Column[Any], ...]:
    names = ("person", "project")
    return tuple(Column(name, PlainText, nullable=False) for name in names)


budgets = Table(
    "budgets",
    METADATA,
    Column("holder", PlainText, primary_key=True, comment="an owner, or person:* or project:*"),
    Column("core_hours", Integer, comment="a month; no limit if empty"),
    Column("memory_hours", Integer, comment="GiB hours a month; no limit if empty"),
    Column("contact", FreeText, comment="whom to ask for more"),
    info=record_changes("budget", "{holder}"),
)

reservations = Table(
    "budget_reservations",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("thing", PlainText, nullable=False, unique=True, comment="what lives, or is to start"),
    Column("kind", PlainText, nullable=False),
    *_payers(),
    Column("cores_milli", BigInteger, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("until_at", Moment, nullable=False, comment="what is reserved; it may live longer"),
    Column("seen_at", Moment, comment="when the upkeep last saw it alive"),
    Column("course", PlainText, comment="whose seat it takes"),
    CheckConstraint(_KIND, name="kind"),
    Index(None, "person"),
    Index(None, "project"),
    Index(None, "kind"),
    info=leave_unrecorded("each start makes one, and its end adds it to the month"),
)

used = Table(
    "budget_use",
    METADATA,
    Column("month", PlainText, primary_key=True),
    Column("person", PlainText, primary_key=True),
    Column("project", PlainText, primary_key=True),
    Column("kind", PlainText, primary_key=True),
    Column("core_s", BigInteger, nullable=False, comment="thousandths of a processor x seconds"),
    Column("memory_s", BigInteger, nullable=False, comment="MiB x seconds"),
    CheckConstraint(_KIND, name="kind"),
    Index("ix_budget_use_project", "project", "month"),
    Index("ix_budget_use_person", "person", "month"),
    info=leave_unrecorded("sums, to which each end adds"),
)

courses = Table(
    "courses",
    METADATA,
    Column("name", PlainText, primary_key=True),
    Column("project", PlainText, nullable=False, comment="whose members have the seats"),
    Column("profile", PlainText, nullable=False),
    Column("seats", Integer, nullable=False),
    Column("cores_milli", BigInteger, nullable=False, comment="of one seat"),
    Column("memory_mib", BigInteger, nullable=False, comment="of one seat"),
    Column("begins_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("time", PlainText, nullable=False, comment="the same for the audit, which has no times"),
    Index(None, "ends_at"),
    info=record_changes("course", "{name}"),
)

capacity = Table(
    "capacity",
    METADATA,
    Column("name", PlainText, primary_key=True),
    Column("cores_milli", BigInteger, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    info=record_changes("capacity", "{name}"),
)
