"""Tables of projects: days are texts such as ``2027-06-30``, the last on which something holds."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Table

from skerry.storage.audit_rules import record_changes
from skerry.storage.columns import METADATA, FreeText, PlainText

_ROLE = "role IN ('owner', 'member', 'reader')"

projects = Table(
    "projects",
    METADATA,
    Column("name", PlainText, primary_key=True),
    Column("title", FreeText, nullable=False),
    Column("listed", Boolean, nullable=False, comment="whether people find it, to ask for access"),
    Column("last_day", PlainText, comment="of the project; no end if empty"),
    info=record_changes("project", "{name}", verbs={"listed": ("listed", "hidden")}),
)


def _of_project() -> Column[str]:
    return Column(
        "project", PlainText, ForeignKey("projects.name", ondelete="CASCADE"), primary_key=True
    )


members = Table(
    "project_members",
    METADATA,
    _of_project(),
    Column("person", PlainText, primary_key=True),
    Column("role", PlainText, nullable=False),
    Column("last_day", PlainText, comment="of the membership; as long as the project if empty"),
    CheckConstraint(_ROLE, name="role"),
    Index(None, "person"),
    info=record_changes("project-member", "{project}/{person}"),
)

requests = Table(
    "project_requests",
    METADATA,
    _of_project(),
    Column("person", PlainText, primary_key=True),
    Column("role", PlainText, nullable=False),
    Column("reason", FreeText, nullable=False),
    Column("status", PlainText, nullable=False),
    CheckConstraint(_ROLE, name="role"),
    CheckConstraint("status IN ('asked', 'granted', 'refused')", name="status"),
    info=record_changes("project-request", "{project}/{person}"),
)
