"""`skerry prune`: removes what is needed no more, and says where records and bytes differ.

It opens the data folder itself instead of asking the api: with a full disk the hub can no longer
identify tokens.
"""

from pathlib import Path

import click

from skerry.cli.disk import find_folder
from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, print_table, say, show_progress
from skerry.core.disk import measure_space
from skerry.core.wording import describe_bytes
from skerry.core.worker_settings import LONGEST_KEPT_DAYS, UpkeepSettings
from skerry.models.upkeep import PruneReport

_SHOWN = 10


@click.command()
@data_option
@click.option("--yes", "do", is_flag=True, help="Remove it; without this it is only listed.")
@click.option(
    "--older-than", "days", type=click.IntRange(0, LONGEST_KEPT_DAYS),
    help="Days that files of ended runs are kept, for jobs that do not say it themselves."
    "  [default: SKERRY_KEEP_RUN_DAYS]",
)  # fmt: skip
@click.option(
    "--environments", "idle", is_flag=True,
    help="Also environments that no job uses; a run that needs such an environment builds it.",
)  # fmt: skip
@click.option("--unnamed", is_flag=True, help="Also bytes older than a day that no record names.")
@json_option
def prune(
    data: Path, *, do: bool, days: int | None, idle: bool, unnamed: bool, as_json: bool
) -> None:
    """List what is needed no more, and with --yes remove it, also while the platform runs.

    Scratch, older logs, files of ended runs past their time, environments that no release uses,
    bytes of expired grants, and old records of the workflow engine. Products in the catalogue stay
    with the log and notebook of their run. Bytes that no record names, and records whose bytes
    are gone or were written again later, are reported.

    \b
    Example:
      skerry prune
      skerry prune --yes --older-than 7
    """  # noqa: D301
    from skerry.production.upkeep.pruning import Prune, Wish

    folder = find_folder(data)
    settings = UpkeepSettings.from_environment()
    if days is not None:
        settings = settings.model_copy(update={"run_days": days})
    wish = Wish(do=do, settings=settings, unnamed=unnamed, idle=idle)
    with show_progress("Prune") as progress:
        report = Prune(folder, wish, progress).carry_out()
    if as_json:
        print_json(report)
        return
    _print(report)
    say(measure_space(folder.root).describe())


def _print(report: PruneReport) -> None:
    rows = [(str(part.kind), str(part.count), describe_bytes(part.size))
            for part in report.sum_up()]  # fmt: skip
    if rows:
        print_table(("WHAT", "COUNT", "SIZE"), rows)
    say(f"{'Freed' if report.done else 'Would free'} {describe_bytes(report.size)}.")
    if rows and not report.done:
        say("Nothing was removed: 'skerry prune --yes' does it.")
    if report.unnamed:
        size = describe_bytes(sum(entry.size for entry in report.unnamed))
        say(f"\nNo record names {size} below {len(report.unnamed)} prefixes:")
        _print_some([f"{entry.name}  {describe_bytes(entry.size)}" for entry in report.unnamed])
        say("They stay. If you do not miss them: skerry prune --unnamed --yes")
    if report.lost:
        say(f"\nThe bytes of {len(report.lost)} records are gone:")
        _print_some([f"{lost.record}: {lost.prefix}" for lost in report.lost])
        say("Restore them from a backup, or withdraw the items.")
    if report.changed:
        say(f"\nThe bytes of {len(report.changed)} items were written again later:")
        _print_some([f"{changed.record}: {changed.prefix}" for changed in report.changed])
        say("They are not what was registered. Withdraw the items and ask their owners.")
    if report.left:
        say("\nThese could not be removed now:")
        _print_some(report.left)
    if report.skipped:
        say(
            f"\nThe database could not be read ({report.skipped}); run this again to look at runs, "
            "environments and records too."
        )


def _print_some(lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        say(f"  {line}")
    if lines[_SHOWN:]:
        say(f"  ... and {len(lines) - _SHOWN} more, see --json")
