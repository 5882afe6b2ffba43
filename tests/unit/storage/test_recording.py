"""The audit's writer: every change of a recorded table, in its transaction, and for ever."""

from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from tests.databases import connection, data, engine

from skerry.core.digests import hash_secret
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.time import from_microseconds
from skerry.models.grants import Purpose
from skerry.storage.audit import archive_entries, export_entries, list_entries
from skerry.storage.audit_rules import is_decided
from skerry.storage.columns import METADATA
from skerry.storage.database import find_database, open_database, reading
from skerry.storage.grants import create_grant, forget_grant
from skerry.storage.layout import DataFolder
from skerry.storage.recording import NOBODY, Actor, shorten_token, writing
from skerry.storage.tables import audit, audit_archives, grants

__all__ = ["connection", "data", "engine"]

ADA = Actor("ada", shorten_token("secret"), "3f" * 16)


def _count(engine: Engine, table: object = audit) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(table)).all())  # type: ignore[call-overload]


def _change(engine: Engine, times: int = 1) -> str:
    """Make grants as Ada; return the id of the last."""
    for _ in range(times):
        with writing(engine, ADA) as connection:
            grant = create_grant(connection, Purpose.IMPORT, "ada")
    return grant.id


def test_every_table_says_whether_its_changes_are_recorded() -> None:
    for room in ("storage", "catalog", "production", "budgets", "projects"):
        import_module(f"skerry.{room}.tables")
    assert [table.name for table in METADATA.sorted_tables if not is_decided(table)] == []


def test_a_change_tells_who_what_before_and_after(engine: Engine) -> None:
    identifier = _change(engine)
    with writing(engine, Actor("bob")) as connection:
        connection.execute(update(grants).values(owner="bob"))
    with writing(engine, ADA) as connection:
        forget_grant(connection, identifier)
    with reading(engine) as connection:
        deleted, changed, created = list_entries(connection)
    assert {entry.what for entry in (created, changed, deleted)} == {f"grant/{identifier}"}
    assert (created.who, created.token, created.request) == ("ada", ADA.token, ADA.request)
    assert hash_secret("secret").startswith(str(created.token))
    assert (created.action, created.before) == ("created", None)
    assert created.after is not None
    assert created.after["prefix"] == f"imports/{identifier}/"
    assert (changed.who, changed.token, changed.action) == ("bob", None, "changed")
    assert (changed.before, changed.after) == ({"owner": "ada"}, {"owner": "bob"})
    assert (deleted.action, deleted.after) == ("deleted", None)
    assert deleted.before is not None
    assert deleted.before["owner"] == "bob"


def test_what_changes_nothing_leaves_no_entry(engine: Engine) -> None:
    _change(engine)
    with writing(engine, ADA) as connection:
        connection.execute(update(grants).values(owner="ada"))
        connection.execute(update(grants).where(grants.c.id == "none").values(owner="bob"))
        connection.execute(delete(grants).where(grants.c.id == "none"))
    assert _count(engine) == 1


def test_neither_a_change_nor_its_entry_exists_without_the_other(engine: Engine) -> None:
    with writing(engine, ADA) as connection:
        create_grant(connection, Purpose.IMPORT, "ada")
        connection.get_transaction().rollback()  # type: ignore[union-attr]
    assert (_count(engine), _count(engine, grants)) == (0, 0)


def test_a_change_without_an_actor_is_refused(data: DataFolder, engine: Engine) -> None:
    del engine
    strict = open_database(find_database(data), by=NOBODY)
    with pytest.raises(TypeError, match="needs an actor"), strict.begin() as connection:
        create_grant(connection, Purpose.IMPORT, "ada")
    assert (_count(strict), _count(strict, grants)) == (0, 0)
    strict.dispose()


STATEMENTS = [
    "UPDATE audit SET who = 'nobody'",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE number = 4",
    "UPDATE audit_archives SET last = 1000",
    "DELETE FROM audit_archives",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_refuses_to_change_or_delete_entries(
    engine: Engine, tmp_path: Path, statement: str
) -> None:
    _change(engine, 2)
    _archive(engine, tmp_path / "first.jsonl")
    _change(engine)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))


AROUND = {
    "sqlite": [
        "INSERT OR REPLACE INTO audit SELECT * FROM audit",
        "INSERT OR REPLACE INTO audit_archives SELECT * FROM audit_archives",
    ],
    "postgresql": ["TRUNCATE audit", "TRUNCATE audit_archives"],
}


def test_neither_replacing_nor_emptying_goes_around_it(engine: Engine, tmp_path: Path) -> None:
    _change(engine)
    _archive(engine, tmp_path / "audit.jsonl")
    for statement in AROUND[engine.dialect.name]:
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    assert (_count(engine), _count(engine, audit_archives)) == (1, 1)


def _archive(engine: Engine, file: Path) -> None:
    with reading(engine) as connection:
        export_entries(connection, file)
    with writing(engine, ADA) as connection:
        archive_entries(connection, file, ADA)


def test_exported_entries_may_go_and_what_went_stays_known(engine: Engine, tmp_path: Path) -> None:
    _change(engine, 3)
    file = tmp_path / "audit.jsonl"
    _archive(engine, file)
    assert len(file.read_text().splitlines()) == 3
    assert file.stat().st_mode & 0o077 == 0
    with reading(engine) as connection:
        [entry] = list_entries(connection)
        [archive] = connection.execute(select(audit_archives)).mappings()
    assert (entry.what, entry.action, entry.who) == ("audit/1-3", "archived", "ada")
    assert entry.after == {"first": 1, "entries": 3, "digest": archive["digest"]}
    _change(engine)
    _archive(engine, tmp_path / "next.jsonl")  # numbers go on: 4 and 5
    with reading(engine) as connection:
        assert [entry.what for entry in list_entries(connection)] == ["audit/4-5"]


def _spoil(file: Path, how: str) -> None:
    lines = file.read_text().splitlines(keepends=True)
    match how:
        case "shorter":  # a hole in the middle
            del lines[1]
        case "later":
            del lines[0]
        case "forged":
            lines[1] = lines[1].replace('"ada"', '"bob"')
        case "longer":
            lines.append(lines[-1].replace('"number": 3', '"number": 9'))
        case "empty":
            lines = []
        case "other":
            lines = ["{}\n"]
    file.write_text("".join(lines))


@pytest.mark.parametrize("how", ["shorter", "later", "forged", "longer", "empty", "other"])
def test_a_file_that_is_not_the_audit_lets_nothing_go(
    engine: Engine, tmp_path: Path, how: str
) -> None:
    _change(engine, 3)
    file = tmp_path / "audit.jsonl"
    with reading(engine) as connection:
        export_entries(connection, file)
    _spoil(file, how)
    refusal = InvalidInputError if how in ("empty", "other") else ConflictError
    with pytest.raises(refusal), writing(engine, ADA) as connection:
        archive_entries(connection, file, ADA)
    assert (_count(engine), _count(engine, audit_archives)) == (3, 0)


def test_entries_are_listed_by_actor_thing_and_time_page_by_page(connection: Connection) -> None:
    rows = [
        {"who": who, "what": what, "action": "created", "at": f"{number}"}
        for number, (who, what) in enumerate(
            [
                ("ada", "platform/a"),
                ("bob", "platform/ab"),
                ("ada", "audit/c/d/1"),
                ("ada", "audit/c/de/1"),
            ]
        )
    ]
    for row in rows:
        at = from_microseconds(int(row.pop("at")))
        connection.execute(insert(audit).values(at=at, **row))

    def ask(**conditions: object) -> list[int]:
        return [entry.number for entry in list_entries(connection, **conditions)]  # type: ignore[arg-type]

    assert ask() == [4, 3, 2, 1]
    assert ask(who="ada") == [4, 3, 1]
    assert ask(what="platform") == [2, 1]
    assert ask(what="platform/a") == [1]
    assert ask(what="audit/c") == [4, 3]
    assert ask(what="audit/c/d") == [3]
    assert ask(since=from_microseconds(2)) == [4, 3]
    assert ask(limit=2) == [4, 3]
    assert ask(limit=2, before=3) == [2, 1]
