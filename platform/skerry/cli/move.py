"""`skerry move`: takes a stopped platform to another database and another object store.

It opens the data folder itself: no part of the platform may be at work.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, say, show_progress
from skerry.cli.supervisor.lock import hold_folder
from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.storage.database import is_server
from skerry.storage.database_urls import has_password
from skerry.storage.layout import DataFolder

if TYPE_CHECKING:
    from skerry.production.moving.move import Move, Moved


@click.command()
@data_option
@click.option(
    "--database",
    metavar="URL|DIR",
    help="A PostgreSQL database, or a data folder whose file it is to be.",
)
@click.option("--objects", metavar="URL|DIR", help="A bucket (s3://BUCKET/PREFIX), or a folder.")
@json_option
def move(data: Path, database: str | None, objects: str | None, *, as_json: bool) -> None:
    """Take the stopped platform's records and bytes to another place, and compare them there.

    What is where it was stays as it is. A move that was killed goes on when the same command is
    given again. At the end it says with which settings the platform is started from then on.

    The password of a server stands in PGPASSWORD, or in the file ~/.pgpass or PGPASSFILE, as psql
    reads it: everybody on this machine can see the words of a command.

    \b
    Examples:
      skerry move --database postgresql://skerry@db.example/skerry --objects s3://eo/skerry
      skerry move --database ~/again --objects ~/again/objects
    """  # noqa: D301
    from skerry.production.moving.move import Move

    _refuse_password(database)
    folder = DataFolder(data)
    if not folder.state.is_dir():
        raise NotFoundError(
            f"{data} is not a data folder of Skerry.",
            remedy="Name it with --data or SKERRY_DATA.",
        )
    plan = Move.plan(folder, _resolve(database), _resolve(objects))
    with ExitStack() as stack:
        for held in {folder, plan.target.data}:
            if held.root.is_dir():
                stack.enter_context(hold_folder(held))
        moved = plan.carry_out(stack.enter_context(show_progress("Move")))
    if as_json:
        print_json(_describe(moved))
    else:
        say("\n".join(_tell(plan, moved)))


def _refuse_password(address: str | None) -> None:
    if address is not None and "://" in address and has_password(address):
        raise InvalidInputError(
            "The address of --database holds a password, which everybody on this machine can see "
            "in the list of processes.",
            remedy="Leave it out there, and put it into PGPASSWORD, or into ~/.pgpass or the file "
            "that PGPASSFILE names. If others use this machine, change it.",
        )


def _resolve(place: str | None) -> str | None:
    """Return a path as an absolute one; an address as it is."""
    if place is None or "://" in place:
        return place
    return str(Path(place).expanduser().resolve())


def _describe(moved: "Moved") -> dict[str, Any]:
    return {
        "records": moved.records,
        "prefixes": moved.prefixes,
        "missing": moved.missing,
        "again": moved.again,
        "data": str(moved.target.data.root),
        "settings": moved.target.list_settings(),
    }


def _tell(plan: "Move", moved: "Moved") -> list[str]:
    """Return the sentences about what was moved, and what is to be set."""
    parts = []
    if moved.records is not None:
        parts.append(f"{moved.records} records")
    if moved.prefixes is not None:
        parts.append(f"the bytes below {moved.prefixes} prefixes")
    did = "had been moved before" if moved.again else "are moved, and are the same as before"
    lines = [f"{' and '.join(parts)} {did}."]
    if moved.missing:
        lines.append(
            f"Of {moved.missing} more prefixes that records name there were no bytes: "
            "'skerry prune' lists them."
        )
    source, target = plan.source, moved.target
    lines += ["", "From now on the platform is started like this, on every machine:"]
    for name, value in target.list_settings().items():
        lines.append(f"  unset {name}" if value is None else f"  export {name}={value}")
    lines.append(f"  skerry up --data {target.data.root}")
    if is_server(target.database):
        lines.append(
            "The database needs its password, too: in the address, or in PGPASSWORD or PGPASSFILE."
        )
    before = f"{source.database_name} and {source.objects.address}"
    lines += [
        "",
        f"What was in {before} is there as it was: without these settings it would be used again.",
        f"Accounts, home folders, environments and logs are in {source.data.root}, as before.",
    ]
    return lines
