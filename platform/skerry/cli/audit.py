"""`skerry audit`: who changed what; export and archival of older entries.

Listing asks the api. Export and archival open the data folder themselves: nobody shortens the
audit from afar.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.core.errors import NotFoundError
from skerry.core.time import format_time
from skerry.models.audit import AuditEntry

if TYPE_CHECKING:
    from skerry.storage.layout import DataFolder

_TIME = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"])
_NEW_FILE = click.Path(dir_okay=False, resolve_path=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)


@click.group("audit", invoke_without_command=True)
@click.option("--who", help="Only what this person, project or worker did.")
@click.option("--what", help="Only a kind (run), or a thing (job/water).")
@click.option("--since", type=_TIME, help="Only from this day, or time in UTC, on.")
@click.option(
    "--before", type=click.IntRange(1), help="Only entries older than number N: the next page."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True,
    help="At most so many entries.",
)  # fmt: skip
@json_option
@click.pass_context
def audit(  # noqa: PLR0917 - click passes options by name
    context: click.Context,
    who: str | None,
    what: str | None,
    since: datetime | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show who changed what, newest first.

    \b
    Example:
      skerry audit --what item/sentinel-2-l2a --since 2026-05-01
    """  # noqa: D301
    if context.invoked_subcommand is not None:
        return
    from skerry.client.audit import list_audit
    from skerry.client.session import connect

    start = None if since is None else format_time(since.replace(tzinfo=UTC))
    entries = list_audit(connect(), who=who, what=what, since=start, before=before, limit=limit)
    if as_json:
        print_json(list(entries))
        return
    rows = [
        (str(item.number), format_time(item.at), item.who, item.what, item.action, _show(item))
        for item in entries
    ]
    print_table(("NUMBER", "TIME", "WHO", "WHAT", "ACTION", "CHANGE"), rows)


@audit.command("export")
@click.argument("file", type=_NEW_FILE)
@click.option("--before", type=_TIME, help="Only entries older than this day, or time in UTC.")
@data_option
@json_option
def export(file: Path, before: datetime | None, data: Path, as_json: bool) -> None:
    """Write the audit into FILE, one JSON object a line, the oldest first.

    \b
    Example:
      skerry audit export audit-2026.jsonl --before 2027-01-01
    """  # noqa: D301
    from skerry.storage.audit import export_entries
    from skerry.storage.database import find_database, reading, using_database

    end = None if before is None else before.replace(tzinfo=UTC)
    url = find_database(_open(data))
    with using_database(url, read_only=True) as engine, reading(engine) as connection:
        done = export_entries(connection, file, before=end)
    if as_json:
        print_json(done)
        return
    say(f"{done.entries} entries, from {done.first} to {done.last}, digest {done.digest}")


@audit.command("archive")
@click.argument("file", type=_FILE)
@data_option
@json_option
def archive(file: Path, data: Path, as_json: bool) -> None:
    """Let the entries go from the database that the exported FILE holds.

    FILE is compared with the database first. Which entries left, and the digest of FILE, stay in
    the database for ever. Keep FILE.

    \b
    Example:
      skerry audit archive audit-2026.jsonl
    """  # noqa: D301
    from skerry.storage.audit import archive_entries
    from skerry.storage.database import find_database, using_database
    from skerry.storage.recording import name_user, writing

    user = name_user()
    with using_database(find_database(_open(data))) as engine, writing(engine, user) as connection:
        done = archive_entries(connection, file, user)
    if as_json:
        print_json(done)
        return
    say(f"{done.entries} entries, from {done.first} to {done.last}, are in {file} alone.")


def _open(data: Path) -> "DataFolder":
    from skerry.storage.layout import DataFolder

    folder = DataFolder(data)
    if not folder.state.is_dir():
        raise NotFoundError(
            f"{data} is not a data folder of Skerry.", remedy="Name it with --data or SKERRY_DATA."
        )
    return folder


def _show(entry: AuditEntry) -> str:
    """Return what changed in a line: the new values, or for a new thing nothing more."""
    if entry.before is None or entry.after is None:
        return ""
    pairs = (f"{name}: {entry.before.get(name)} -> {new}" for name, new in entry.after.items())
    return "; ".join(pairs)[:200]
