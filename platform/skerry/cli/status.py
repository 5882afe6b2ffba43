"""`skerry status`: which parts of the platform answer."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from pydantic import BaseModel

from skerry.cli.folder import data_option
from skerry.cli.supervisor.health import ask_health
from skerry.cli.supervisor.record import PartRecord, PlatformRecord
from skerry.storage.layout import DataFolder


class PartStatus(BaseModel):
    """One part's answer."""

    name: str
    url: str
    ready: bool
    detail: str


class PlatformStatus(BaseModel):
    """All parts' answers; ready only if every one is."""

    ready: bool
    parts: list[PartStatus]


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print {ready, parts} as JSON.")
@click.pass_context
def status(ctx: click.Context, data: Path, *, as_json: bool) -> None:
    """Say which parts of the platform answer; exit code 0 only if every one does.

    The password can be seen again with: cat DATA/password

    \b
    Example:
      skerry status --json
    """  # noqa: D301
    folder = DataFolder(data)
    found = read_status(folder)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        _print_status(folder, found)
    ctx.exit(0 if found.ready else 1)


def read_status(folder: DataFolder) -> PlatformStatus:
    """Ask every part of a data folder's platform whether it answers.

    Parameters
    ----------
    folder
        The data folder. A platform that was killed, or none, is not ready and has no parts.
    """
    record = PlatformRecord.read(folder)
    if record is None or not record.is_alive():
        return PlatformStatus(ready=False, parts=[])
    with ThreadPoolExecutor(len(record.parts)) as pool:
        parts = list(pool.map(_ask, record.parts))
    return PlatformStatus(ready=record.ready and all(part.ready for part in parts), parts=parts)


def _ask(part: PartRecord) -> PartStatus:
    trouble = ask_health(part)
    return PartStatus(
        name=part.name, url=part.url, ready=trouble is None, detail=trouble or "answers"
    )


def _print_status(folder: DataFolder, found: PlatformStatus) -> None:
    if not found.parts:
        click.echo(f"No platform runs on {folder.root}; --data or SKERRY_DATA names another.")
        return
    for part in found.parts:
        mark = "ready" if part.ready else "NOT READY"
        click.echo(f"{part.name:<11}{mark:<11}{part.detail:<28}{part.url}".rstrip())
    click.echo(f"\nPassword: {folder.password}")
