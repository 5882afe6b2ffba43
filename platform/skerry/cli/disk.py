"""`skerry disk`: shows what takes space in the data folder, and makes room.

It opens the data folder itself instead of asking the api: with a full disk the hub can no longer
identify tokens.
"""

from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, print_table
from skerry.core.disk import measure_space
from skerry.core.errors import NotFoundError
from skerry.core.wording import describe_bytes
from skerry.storage.layout import DataFolder

_DAYS = 30


@click.group()
def disk() -> None:
    """Show what takes space in the data folder, and make room.

    \b
    Example:
      skerry disk clean --pretend
    """  # noqa: D301


@disk.command("show")
@data_option
@json_option
def show_disk(data: Path, *, as_json: bool) -> None:
    """Show the free space, what takes space, and how much could be removed.

    Example: skerry disk show
    """
    from skerry.production.cleaning import clean, measure_families

    folder = _find_folder(data)
    space, families = measure_space(folder.root), measure_families(folder)
    removable = sum(entry.size for entry in clean(folder, pretend=True)[0])
    if as_json:
        facts = {"folder": str(folder.root), "free": space.free, "total": space.total,
                 "floor": space.floor, "low": space.is_low, "full": space.is_full,
                 "families": families, "removable": removable}  # fmt: skip
        print_json(facts)
        return
    click.echo(space.describe())
    click.echo(f"Runs and imports start while {describe_bytes(space.floor)} are free.\n")
    print_table(("WHAT", "SIZE"), [(name, describe_bytes(n)) for name, n in families.items()])
    click.echo(f"\n'skerry disk clean' would free {describe_bytes(removable)}.")


@disk.command("clean")
@data_option
@click.option(
    "--older-than", "days", type=click.IntRange(min=0), default=_DAYS, show_default=True,
    help="Days that executed notebooks, and attempts without products, are kept.",
)  # fmt: skip
@click.option("--pretend", is_flag=True, help="Only list what would be removed.")
@json_option
def clean_disk(data: Path, *, days: int, pretend: bool, as_json: bool) -> None:
    """Remove scratch, old logs, old executed notebooks, attempts that failed, unused environments.

    Products, notebooks in home folders and all that a job needs stay. An environment is built
    again when a run needs it.

    Example: skerry disk clean --older-than 7
    """
    from skerry.production.cleaning import clean

    folder = _find_folder(data)
    removed, complete = clean(folder, days=days, pretend=pretend)
    freed = sum(entry.size for entry in removed)
    space = measure_space(folder.root)
    if as_json:
        entries = [{"kind": e.kind, "path": e.place, "bytes": e.size} for e in removed]
        print_json({"pretend": pretend, "freed": freed, "free": space.free, "removed": entries})
        return
    kinds = sorted({entry.kind for entry in removed})
    sizes = {kind: sum(entry.size for entry in removed if entry.kind == kind) for kind in kinds}
    if sizes:
        print_table(("WHAT", "SIZE"), [(kind, describe_bytes(n)) for kind, n in sizes.items()])
    click.echo(
        f"{'Would free' if pretend else 'Freed'} {describe_bytes(freed)}. {space.describe()}"
    )
    if not complete:
        click.echo("The database could not be read; run this again to remove attempts too.")


def _find_folder(data: Path) -> DataFolder:
    if not data.is_dir():
        raise NotFoundError(
            f"There is no data folder {data}.", remedy="Name it with --data or SKERRY_DATA."
        )
    return DataFolder(data)
