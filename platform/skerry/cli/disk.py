"""`skerry disk`: shows what takes space in the data folder; `skerry prune` makes room.

It opens the data folder itself instead of asking the api: with a full disk the hub can no longer
identify tokens.
"""

from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.core.disk import measure_space
from skerry.core.errors import NotFoundError
from skerry.core.wording import describe_bytes
from skerry.storage.layout import DataFolder


@click.group()
def disk() -> None:
    """Show what takes space in the data folder.

    \b
    Example:
      skerry disk show
    """  # noqa: D301


@disk.command("show")
@data_option
@json_option
def show_disk(data: Path, *, as_json: bool) -> None:
    """Show the free space, what takes space, and how much could be removed.

    Example: skerry disk show
    """
    from skerry.production.upkeep.families import measure_families
    from skerry.production.upkeep.pruning import list_removable

    folder = find_folder(data)
    space, families = measure_space(folder.root), measure_families(folder)
    removable = sum(entry.size for entry in list_removable(folder))
    if as_json:
        facts = {"folder": str(folder.root), "free": space.free, "total": space.total,
                 "floor": space.floor, "low": space.is_low, "full": space.is_full,
                 "families": families, "removable": removable}  # fmt: skip
        print_json(facts)
        return
    say(space.describe())
    say(f"Runs and imports start while {describe_bytes(space.floor)} are free.\n")
    print_table(("WHAT", "SIZE"), [(name, describe_bytes(n)) for name, n in families.items()])
    freed = f"'skerry prune --yes' would free {describe_bytes(removable)}."
    say(f"\n{freed if removable else "'skerry prune' would free nothing."}")


def find_folder(data: Path) -> DataFolder:
    """Return the data folder at a path, which has to be there."""
    if not data.is_dir():
        raise NotFoundError(
            f"There is no data folder {data}.", remedy="Name it with --data or SKERRY_DATA."
        )
    return DataFolder(data)
