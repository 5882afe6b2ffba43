"""The audit's entries, carried out one after the other, give the tables that they are about."""

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, select

from skerry.storage.audit_rules import find_rule
from skerry.storage.columns import METADATA
from skerry.storage.database import reading
from skerry.storage.recording import _present
from skerry.storage.tables import audit, audit_archives

Rows = dict[str, dict[str, Any]]


def check_audit(engine: Engine) -> None:
    """Fail unless each recorded row stands in the audit as it is, and nothing else does."""
    for room in ("storage", "catalog", "production", "budgets", "projects"):
        import_module(f"skerry.{room}.tables")
    with reading(engine) as connection:
        if connection.execute(select(audit_archives)).first() is None:
            assert replay_audit(connection) == read_recorded(connection)


def replay_audit(connection: Connection) -> Rows:
    """Return the rows that the audit's entries make."""
    rows: Rows = {}
    for entry in connection.execute(select(audit).order_by(audit.c.number)).mappings():
        what, before, after = entry["what"], entry["before"], entry["after"]
        kind, _, name = what.partition("/")
        if kind in ("audit", "cluster", "platform"):  # events
            continue
        if after is None:
            assert rows.pop(what) == _drop_nothing(before)
            if kind == "run":  # its attempts and outputs go with it
                children = (f"attempt/{name}/", f"output/{name}/")
                rows = {key: row for key, row in rows.items() if not key.startswith(children)}
        elif before is None:
            assert what not in rows
            rows[what] = _drop_nothing(after)
        else:
            assert {key: rows[what].get(key) for key in before} == before
            rows[what] = _drop_nothing({**rows[what], **after})
    return rows


def read_recorded(connection: Connection) -> Rows:
    """Return all rows of recorded tables."""
    rows: Rows = {}
    for table in METADATA.sorted_tables:
        record = find_rule(table)
        if record is None:
            continue
        for found in connection.execute(select(*record.list_columns(table))).mappings():
            row = _present(dict(found))
            assert record.describe(row) not in rows
            rows[record.describe(row)] = _drop_nothing(row)
    return rows


def _drop_nothing(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out numbers that the database gives, and what is empty."""
    return {name: value for name, value in row.items() if value is not None and name != "key"}
