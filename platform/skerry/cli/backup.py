"""`skerry backup` and `skerry restore`: a platform's records and bytes, kept elsewhere.

They open the data folder themselves: a backup needs no running platform, and may be made of one.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, say, show_progress
from skerry.cli.supervisor.lock import hold_folder
from skerry.core.errors import NotFoundError
from skerry.core.settings import read_database_url, read_objects_place
from skerry.storage.layout import DataFolder

if TYPE_CHECKING:
    from skerry.production.backups import Backup

_SHOWN = 10
_FOLDER = click.Path(file_okay=False, resolve_path=True, path_type=Path)


@click.command()
@click.argument("target", type=_FOLDER)
@data_option
@click.option("--list", "only_list", is_flag=True, help="List the backups in TARGET instead.")
@click.option(
    "--check",
    is_flag=True,
    help="Read again the bytes that TARGET has, and copy again what was damaged there.",
)
@json_option
@click.pass_context
def backup(
    ctx: click.Context, target: Path, data: Path, *, only_list: bool, check: bool, as_json: bool
) -> None:
    """Back up the platform into the folder TARGET, also while it runs.

    The next backup into the same folder copies only what is new. Home folders of users (users/
    in the data folder) and the hub's accounts are not in it. If bytes are missing that a record
    names, the backup is made without them, and the exit code is 1.

    \b
    Example:
      skerry backup /mnt/backups/skerry
    """  # noqa: D301
    from skerry.production.backups import create_backup, list_backups

    if only_list:
        names = list_backups(target)
        if as_json:
            print_json(names)
        else:
            say("\n".join(names) or f"{target} holds no backup.")
        return
    folder = DataFolder(data)
    is_elsewhere = read_database_url() is not None and read_objects_place() is not None
    if not is_elsewhere and not folder.state.is_dir():  # in a pod the folder holds nothing
        raise NotFoundError(
            f"{data} is not a data folder of Skerry.",
            remedy="Name it with --data or SKERRY_DATA.",
        )
    with show_progress("Backup") as progress:
        done = create_backup(folder, target, progress, check=check)
    if as_json:
        print_json(_describe(done))
    else:
        _tell(done)
    ctx.exit(1 if done.manifest.missing else 0)


def _tell(done: "Backup") -> None:
    rows = sum(done.manifest.tables.values())
    say(
        f"Backup {done.name}: {rows} records; bytes below {len(done.manifest.units)} prefixes, "
        f"{len(done.copied)} of them copied now."
    )
    _tell_missing(done, "the object store has nothing there")


def _tell_missing(done: "Backup", why: str) -> None:
    for prefix in done.manifest.missing[:_SHOWN]:
        say(f"Missing: a record names {prefix}, but {why}.")
    if done.manifest.missing[_SHOWN:]:
        say(f"... and {len(done.manifest.missing) - _SHOWN} more, see manifest.json.")


@click.command()
@click.argument("source", type=_FOLDER)
@data_option
@click.option("--backup", "name", help="Which backup.  [default: the newest]")
@json_option
def restore(source: Path, data: Path, name: str | None, *, as_json: bool) -> None:
    """Restore a backup from the folder SOURCE into a new data folder or an empty database.

    \b
    Example:
      skerry restore /mnt/backups/skerry --data ./again
      skerry up --data ./again
    """  # noqa: D301
    from skerry.cli.doctor.inside import is_inside
    from skerry.production.backups import check_restorable, restore_backup

    folder = DataFolder(data)
    with hold_folder(folder) if folder.lock.exists() else nullcontext():
        check_restorable(source, folder, name)
    folder.create()
    with hold_folder(folder), show_progress("Restore") as progress:
        done = restore_backup(source, folder, name, progress)
    if as_json:
        print_json(_describe(done))
        return
    if is_inside():
        say(f"Restored backup {done.name} into this platform's database and object store.")
    else:
        say(f"Restored backup {done.name} into {data}: start it with 'skerry up --data {data}'.")
    _tell_missing(done, "the backup has no bytes of it")


def _describe(done: "Backup") -> dict[str, Any]:
    return {
        "name": done.name,
        "tables": done.manifest.tables,
        "prefixes": len(done.manifest.units),
        "copied": len(done.copied),
        "missing": done.manifest.missing,
    }
