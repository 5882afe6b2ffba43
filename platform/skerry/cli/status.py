"""`skerry status`: which parts of the platform answer."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from pydantic import BaseModel

from skerry.cli.folder import data_option
from skerry.cli.presenting import say
from skerry.cli.supervisor.health import ask_health
from skerry.cli.supervisor.record import PartRecord, PlatformRecord
from skerry.core.disk import REMEDY, measure_space
from skerry.core.settings import read_database_url
from skerry.core.wording import describe_bytes
from skerry.models.platform import WorkerSign
from skerry.storage.layout import DataFolder


class PartStatus(BaseModel):
    """One part's answer."""

    name: str
    url: str
    ready: bool
    detail: str


class DiskStatus(BaseModel):
    """Room on the data folder's disk, in bytes.

    Attributes
    ----------
    low
        Whether runs and imports wait or are refused.
    full
        Whether the disk is full.
    """

    free: int
    total: int
    floor: int
    low: bool
    full: bool
    detail: str


class PlatformStatus(BaseModel):
    """All parts' answers; ready only if every part is ready and the disk is not full.

    Attributes
    ----------
    workers
        All workers that share the database, if it is on a server that answers.
    """

    ready: bool
    parts: list[PartStatus]
    disk: DiskStatus | None = None
    workers: list[WorkerSign] = []


@click.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print all of this as JSON.")
@click.pass_context
def status(ctx: click.Context, data: Path, *, as_json: bool) -> None:
    """Show which parts of the platform answer; exit code 0 only if every part does.

    To see the password again: cat DATA/password

    \b
    Example:
      skerry status --json
    """  # noqa: D301
    folder = DataFolder(data)
    state = read_status(folder)
    if as_json:
        say(state.model_dump_json(indent=1))
    else:
        _print_status(folder, state)
    ctx.exit(0 if state.ready else 1)


def read_status(folder: DataFolder) -> PlatformStatus:
    """Ask every part of a data folder's platform whether it answers.

    Parameters
    ----------
    folder
        The data folder. A platform that was killed, or none, is not ready and has no parts.
    """
    disk = _look_at_disk(folder)
    record = PlatformRecord.read(folder)
    if record is None or not record.is_alive():
        return PlatformStatus(ready=False, parts=[], disk=disk)
    with ThreadPoolExecutor(len(record.parts)) as pool:
        parts = list(pool.map(_ask, record.parts))
    ready = record.ready and all(part.ready for part in parts)
    return PlatformStatus(
        ready=ready and not (disk is not None and disk.full), parts=parts, disk=disk,
        workers=_list_workers(folder),
    )  # fmt: skip


def _list_workers(folder: DataFolder) -> list[WorkerSign]:
    if read_database_url() is None:
        return []
    from sqlalchemy.exc import SQLAlchemyError

    from skerry.production.workers import list_workers
    from skerry.storage.database import find_database, using_database

    try:
        with using_database(find_database(folder), read_only=True) as engine:
            return list_workers(engine, folder)
    except SQLAlchemyError:  # what the api answers tells it
        return []


def _look_at_disk(folder: DataFolder) -> DiskStatus | None:
    if not folder.root.is_dir():
        return None
    space = measure_space(folder.root)
    return DiskStatus(
        free=space.free, total=space.total, floor=space.floor, low=space.is_low,
        full=space.is_full, detail=space.describe(),
    )  # fmt: skip


def _ask(part: PartRecord) -> PartStatus:
    trouble = ask_health(part)
    return PartStatus(
        name=part.name, url=part.url, ready=trouble is None, detail=trouble or "answers"
    )


def _print_status(folder: DataFolder, found: PlatformStatus) -> None:
    if found.disk is not None and found.disk.low:
        say(f"{found.disk.detail}\n{REMEDY}\n")
    if not found.parts:
        say(f"No platform runs on {folder.root}; --data or SKERRY_DATA names another.")
        return
    for part in found.parts:
        mark = "ready" if part.ready else "NOT READY"
        say(f"{part.name:<11}{mark:<11}{part.detail:<28}{part.url}".rstrip())
    for worker in found.workers:
        say(describe_worker(worker))
    if found.disk is not None:
        say(f"\nDisk: {describe_bytes(found.disk.free)} free")
    say(f"Password: {folder.password}")


def describe_worker(sign: WorkerSign) -> str:
    """Return in words whether a worker works."""
    if sign.works:
        return f"{sign.name} works."
    if sign.silent_s is None:
        return f"{sign.name} has shown no sign of life yet."
    return f"{sign.name} has shown no sign of life for {sign.silent_s:.0f} s."
