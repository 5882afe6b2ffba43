"""The audit's writer: each change of a recorded table leaves a row, in the same transaction.

Tables say what is recorded of them (`skerry.storage.audit_rules`). The engine's own events see
every statement that changes such a table, look at its rows before and after, and write the
difference: a store's functions need no line for it, and none can forget it. Who changes something
stands with the connection (`writing`, or the engine's own actor); a change without an actor is
refused.
"""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Insert,
    RowMapping,
    Table,
    TypeDecorator,
    Update,
    event,
    insert,
    select,
)

from skerry.core.digests import hash_secret
from skerry.core.time import format_time, utc_now
from skerry.storage.audit_rules import AuditRule, find_rule
from skerry.storage.tables import audit

ACTOR = "skerry_actor"
"""The option of a connection, or of an engine, that holds its `Actor`."""

_BEFORE = "skerry_before"
_TOKEN_LENGTH = 12

_Row = dict[str, Any]


@dataclass(frozen=True)
class Actor:
    """Who changes something.

    Attributes
    ----------
    name
        A person, a project, a worker, or the user of this machine who starts a command.
    token
        The beginning of the hash of the token that was shown.
    request
        The request's identifier.
    """

    name: str
    token: str | None = None
    request: str | None = None


PLATFORM = Actor("skerry")
"""The platform itself, when it completes what somebody has begun."""

NOBODY = Actor("")
"""For engines whose transactions each have to name an actor of their own."""


def name_user() -> Actor:
    """Return the user of this machine, who starts a command that opens the database."""
    try:
        return Actor(getpass.getuser())
    except (KeyError, OSError):  # a number without an account
        return Actor(f"user {os.getuid()}")


def shorten_token(token: str) -> str:
    """Return the beginning of a token's hash: it identifies the token, but opens nothing."""
    return hash_secret(token)[:_TOKEN_LENGTH]


@contextmanager
def writing(engine: Engine, by: Actor | None) -> Iterator[Connection]:
    """Open a transaction whose changes are recorded as an actor's.

    Parameters
    ----------
    engine
        An engine of `skerry.storage.database.open_database`.
    by
        Who changes something; None for rows that are copied from another database with the
        records of their changes.
    """
    actor = _COPYING if by is None else by
    with engine.connect().execution_options(**{ACTOR: actor}) as connection, connection.begin():
        yield connection


def note_event(
    connection: Connection, what: str, action: str, facts: _Row, by: Actor | None = None
) -> None:
    """Record something that changes no recorded table, such as a backup.

    Parameters
    ----------
    connection
        A writing transaction.
    what, action, facts
        As the audit's columns ``what``, ``action`` and ``after``.
    by
        Who did it; the transaction's actor when left out.
    """
    _write(connection, [_make_entry(by or _find_actor(connection), what, action, None, facts)])


def listen_for_changes(engine: Engine) -> None:
    """Record what is changed through an engine from now on."""
    event.listen(engine, "before_execute", _look_before)
    event.listen(engine, "after_execute", _record_after)


_COPYING = Actor("copy")


def _look_before(
    connection: Connection, statement: Any, many: Any, one: Any, _options: Any
) -> None:
    """Keep the rows that a statement is about to change."""
    if not isinstance(statement, Update | Delete):
        return
    record = _find_record(connection, statement.table)
    if record is None:
        return
    if many or one:
        raise TypeError(f"{statement.table} is recorded: its changes take no parameters")
    _find_actor(connection)
    query = select(*record.list_columns(statement.table))
    if statement.whereclause is not None:
        query = query.where(statement.whereclause)
    connection.info[_BEFORE] = connection.execute(query).mappings().all()


def _record_after(
    connection: Connection, statement: Any, _many: Any, _one: Any, _options: Any, result: Any
) -> None:
    """Write what a statement has changed."""
    if not isinstance(statement, Insert | Update | Delete):
        return
    record = _find_record(connection, statement.table)
    if record is None:
        return
    actor = _find_actor(connection)
    entries: list[_Row | None] = []
    if isinstance(statement, Insert):
        columns = {column.name: column for column in record.list_columns(statement.table)}
        for values in result.context.compiled_parameters:
            row = {
                name: _as_stored(connection, columns[name], value)
                for name, value in values.items()
                if name in columns
            }
            entries.append(_compare(record, actor, None, row))
    else:
        for before in connection.info.pop(_BEFORE):
            after = _read_again(connection, record, statement, before)
            entries.append(_compare(record, actor, dict(before), after))
    _write(connection, [entry for entry in entries if entry is not None])


def _as_stored(connection: Connection, column: Any, value: Any) -> Any:
    """Return a value as its column stores it: some replace characters of texts."""
    if isinstance(value, str) and isinstance(column.type, TypeDecorator):
        return column.type.process_bind_param(value, connection.dialect)
    return value


def _read_again(
    connection: Connection, record: AuditRule, statement: Update | Delete, row: RowMapping
) -> _Row | None:
    if isinstance(statement, Delete):
        return None
    table: Any = statement.table
    query = select(*record.list_columns(table))
    key = (column == row[column.name] for column in table.primary_key.columns)
    return dict(connection.execute(query.where(*key)).mappings().one())


def _compare(
    record: AuditRule,
    actor: Actor,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> _Row | None:
    """Return the audit's entry for a row before and after; None if nothing recorded has changed."""
    old, new = _present(before), _present(after)
    what = record.describe(new or old)
    if before is None:
        return _make_entry(actor, what, str(new.get("status", "created")), None, new)
    if after is None:
        return _make_entry(actor, what, "deleted", old, None)
    differing = [name for name in new if old[name] != new[name]]
    if not differing:
        return None
    old, new = ({name: row[name] for name in differing} for row in (old, new))
    return _make_entry(actor, what, _name_action(record, old, new), old, new)


def _name_action(record: AuditRule, before: _Row, changed: _Row) -> str:
    if "status" in changed:
        return str(changed["status"])
    for name, (is_set, is_cleared) in record.verbs.items():
        if name in changed and bool(before[name]) != bool(changed[name]):
            return is_set if changed[name] else is_cleared
    return "changed"


def _present(row: Mapping[str, Any] | None) -> _Row:
    """Return a row's values as JSON has them; of a token's hash its beginning."""
    return {name: _present_value(name, value) for name, value in (row or {}).items()}


def _present_value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if name == "token_hash" and value is not None:
        return str(value)[:_TOKEN_LENGTH]
    return value


def _make_entry(
    actor: Actor, what: str, action: str, before: _Row | None, after: _Row | None
) -> _Row:
    return {
        "at": utc_now(), "who": actor.name, "token": actor.token, "request": actor.request,
        "what": what, "action": action, "before": before, "after": after,
    }  # fmt: skip


def _write(connection: Connection, entries: list[_Row]) -> None:
    if entries:
        connection.execute(insert(audit).inline(), entries)


def _find_record(connection: Connection, table: Any) -> AuditRule | None:
    record = find_rule(table) if isinstance(table, Table) else None
    if record is None or connection.get_execution_options().get(ACTOR) is _COPYING:
        return None
    return record


def name_request(connection: Connection) -> str | None:
    """Return the identifier of the request that changes something on a connection."""
    actor = connection.get_execution_options().get(ACTOR)
    return actor.request if isinstance(actor, Actor) else None


def _find_actor(connection: Connection) -> Actor:
    actor = connection.get_execution_options().get(ACTOR)
    if not isinstance(actor, Actor) or actor is NOBODY:
        raise TypeError("a change of recorded tables needs an actor: open it with `writing`")
    return actor
