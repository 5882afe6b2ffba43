"""What the audit tells of a table: the `info` that each table is declared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table

_RECORD, _REASON = "record", "reason_not_recorded"
_TIMES = frozenset({"created", "updated"})


@dataclass(frozen=True)
class AuditRule:
    """What is recorded of a table; see `record_changes`."""

    kind: str
    name: str
    without: frozenset[str]
    verbs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def list_columns(self, table: Any) -> list[Column[Any]]:
        """Return the columns that are recorded, and those of the key."""
        return [
            column
            for column in table.columns
            if column.primary_key or not (column.name in self.without or _is_time(column))
        ]

    def describe(self, row: dict[str, Any]) -> str:
        """Return what the row is, such as ``job/water``."""
        return f"{self.kind}/{self.name.format_map(row)}"


def record_changes(
    kind: str,
    name: str,
    *,
    without: tuple[str, ...] = (),
    verbs: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """Return the `info` of a table whose changes are recorded.

    Parameters
    ----------
    kind
        What a row is, in a word: ``job``.
    name
        Its name, made of columns in braces: ``{name}``. No two rows have the same.
    without
        Columns that are not recorded: large and pinned by a digest, or of the moment. Times are
        never recorded, because the record has its own.
    verbs
        Column to the words for setting it and for clearing it; a change of ``status`` is called
        by the new status, any other change ``changed``.
    """
    return {_RECORD: AuditRule(kind, name, frozenset(without), verbs or {})}


def leave_unrecorded(reason: str) -> dict[str, Any]:
    """Return the `info` of a table whose changes are not recorded, for a reason."""
    return {_REASON: reason}


def is_decided(table: Table) -> bool:
    """Tell whether a table says if its changes are recorded."""
    return _RECORD in table.info or _REASON in table.info


def find_rule(table: Table) -> AuditRule | None:
    """Return what is recorded of a table; None if its changes are not recorded."""
    rule: AuditRule | None = table.info.get(_RECORD)
    return rule


def _is_time(column: Column[Any]) -> bool:
    return column.name in _TIMES or column.type.python_type is datetime
