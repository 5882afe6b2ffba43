"""The audit's readers: its entries, their export, and the archival of exported entries.

`skerry.storage.recording` writes it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

from sqlalchemy import Connection, RowMapping, and_, delete, false, func, insert, or_, select

from skerry.core.digests import digest_file
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.time import utc_now
from skerry.models.audit import AuditEntry
from skerry.storage.recording import Actor, note_event
from skerry.storage.tables import audit, audit_archives
from skerry.storage.writing import make_aside

_BATCH = 1000


@dataclass(frozen=True)
class Export:
    """A file of entries.

    Attributes
    ----------
    first, last
        Numbers of its entries; 0 when it has none.
    entries
        How many.
    digest
        Of the file.
    """

    first: int
    last: int
    entries: int
    digest: str


def list_entries(
    connection: Connection,
    *,
    who: str | None = None,
    what: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """Return entries of the audit, newest first.

    Parameters
    ----------
    who
        The name of an actor.
    what
        A kind (``run``), or kind and name (``run/019ab...``), or the beginning of a name that
        ends before a ``/`` (``item/water``: the items of a collection).
    since
        Only entries from this time on.
    before
        Only entries with a smaller number: the last of the page before.
    """
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if who is not None:
        query = query.where(audit.c.who == who)
    if what is not None:
        below = and_(audit.c.what >= f"{what}/", audit.c.what < f"{what}0")  # '0' follows '/'
        query = query.where(or_(audit.c.what == what, below))
    if since is not None:
        query = query.where(audit.c.at >= since)
    if before is not None:
        query = query.where(audit.c.number < before)
    return [_read(row) for row in connection.execute(query).mappings()]


def export_entries(
    connection: Connection, target: Path, *, before: datetime | None = None
) -> Export:
    """Write the entries that the table holds into a new file, one JSON object a line.

    Parameters
    ----------
    connection
        A transaction that reads.
    target
        The file.
    before
        Only the entries until the first that is not older than this time.
    """
    is_young = audit.c.at >= before if before is not None else false()
    end = connection.scalar(select(func.min(audit.c.number)).where(is_young))
    first = last = count = 0
    with make_aside(target) as aside, aside.open("x", encoding="utf-8") as stream:
        aside.chmod(0o600)
        for entry in _stream(connection, end):
            stream.write(f"{_write_line(entry)}\n")
            first, last, count = first or entry.number, entry.number, count + 1
    return Export(first, last, count, digest_file(target))


def archive_entries(connection: Connection, file: Path, by: Actor) -> Export:
    """Delete the oldest entries of the table, which an exported file holds.

    The file is recorded first, and this record stays for ever: without it the database refuses to
    delete an entry.

    Parameters
    ----------
    connection
        A writing transaction of `by`.

    Raises
    ------
    InvalidInputError
        If the file is not an export, or is empty.
    ConflictError
        If it does not begin with the oldest entry of the table, leaves entries out, or differs.
    """
    numbers = _check_lines(connection, file)
    export = Export(numbers[0], numbers[1], numbers[2], digest_file(file))
    connection.execute(
        insert(audit_archives).values(
            last=export.last, first=export.first, entries=export.entries, digest=export.digest,
            at=utc_now(), who=by.name,
        )
    )  # fmt: skip
    connection.execute(delete(audit).where(audit.c.number <= export.last))
    facts = {"first": export.first, "entries": export.entries, "digest": export.digest}
    note_event(connection, f"audit/{export.first}-{export.last}", "archived", facts)
    return export


def _check_lines(connection: Connection, file: Path) -> tuple[int, int, int]:
    """Compare a file's lines with the table; return first and last number, and how many."""
    first = last = count = 0
    with file.open(encoding="utf-8") as stream:
        for line, entry in zip_longest(stream, _stream(connection, _find_last(file) + 1)):
            if line is None or entry is None or line.rstrip("\n") != _write_line(entry):
                where = f"entry {entry.number}" if entry is not None else f"line {count + 1}"
                raise ConflictError(
                    f"{file} differs from the audit at {where}.",
                    remedy="Export again with 'skerry audit export', and archive that file.",
                )
            first, last, count = first or entry.number, entry.number, count + 1
    return first, last, count


def _find_last(file: Path) -> int:
    """Return the number of a file's last entry."""
    number = None
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            number = line
    try:
        return int(json.loads(number or "")["number"])
    except (ValueError, KeyError, TypeError):
        raise InvalidInputError(
            f"{file} is no export of the audit, or an empty one.",
            remedy="Name a file that 'skerry audit export' has written.",
        ) from None


def _stream(connection: Connection, end: int | None) -> Iterator[AuditEntry]:
    """Yield the entries below a number, the oldest first."""
    query = select(audit).order_by(audit.c.number).limit(_BATCH)
    if end is not None:
        query = query.where(audit.c.number < end)
    last = 0
    while rows := connection.execute(query.where(audit.c.number > last)).mappings().all():
        yield from (_read(row) for row in rows)
        last = rows[-1]["number"]


def _read(row: RowMapping) -> AuditEntry:
    return AuditEntry(**row)


def _write_line(entry: AuditEntry) -> str:
    return json.dumps(entry.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
