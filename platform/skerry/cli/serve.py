"""`skerry serve`: one more process of a part of the platform that runs on this machine."""

import os
from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.supervisor.credentials import Credentials
from skerry.cli.supervisor.plan import Plan
from skerry.cli.supervisor.record import PlatformRecord
from skerry.cli.up import name_database
from skerry.core.errors import ConflictError
from skerry.storage.layout import DataFolder

SHARED_PARTS = ("api", "maps")
"""Parts of which there may be any number behind one address."""


@click.command()
@data_option
@click.argument("part", type=click.Choice(SHARED_PARTS))
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Another port, on which this process listens alone: for its measurements.",
)
def serve(data: Path, part: str, port: int | None) -> None:
    """Start one more api or maps of the platform that runs on this data folder.

    It answers behind the same address as the others, until Ctrl-C. With SKERRY_DATABASE_URL it
    needs the same value as the platform.

    \b
    Example:
      skerry serve api
    """  # noqa: D301
    folder = DataFolder(data)
    started = _read_plan(folder).describe(part)
    own = {} if port is None else {"SKERRY_OWN_PORT": str(port)}
    os.execve(started.command[0], started.command, started.environment | own)  # noqa: S606 - words of our own


def _read_plan(folder: DataFolder) -> Plan:
    """Return the plan by which the platform was started.

    Raises
    ------
    ConflictError
        If no platform runs, or it uses another database than this command would.
    """
    record = PlatformRecord.read(folder)
    if record is None or record.ports is None or not record.is_alive():
        raise ConflictError(
            f"No platform runs on {folder.root}.",
            remedy="Start it with 'skerry up', or name its folder with --data.",
        )
    own = name_database(folder) or ""
    if own != record.database:
        raise ConflictError(
            f"The platform keeps its state in {say_place(record.database)}, "
            f"and this command would use {say_place(own)}.",
            remedy="Give SKERRY_DATABASE_URL the value that 'skerry up' has.",
        )
    return Plan(
        folder=folder, credentials=Credentials.load(folder), password="",
        ports=record.ports, public_url=record.url,
    )  # fmt: skip


def say_place(database: str) -> str:
    """Return where a platform keeps its state; without a server in a file of its data folder."""
    return database or "its data folder"
