"""`skerry down`: stop the platform of a data folder."""

import os
import signal
import time
from pathlib import Path

import click

from skerry.cli.folder import data_option
from skerry.cli.presenting import json_option, print_json, say
from skerry.cli.supervisor.record import PlatformRecord
from skerry.core.errors import UnavailableError
from skerry.storage.layout import DataFolder
from skerry.storage.locks import is_held

_LIMIT_S = 20.0
_STEP_S = 0.1


@click.command()
@data_option
@json_option
def down(data: Path, *, as_json: bool) -> None:
    """Stop the platform of a data folder and wait until it has ended.

    \b
    Example:
      skerry down --data ~/skerry
    """  # noqa: D301
    folder = DataFolder(data)
    if not is_held(folder.lock):
        if as_json:
            print_json({"stopped": False, "data": str(folder.root)})
        else:
            say(f"No platform runs on {folder.root}; --data or SKERRY_DATA names another.")
        return
    record = PlatformRecord.read(folder)
    if record is None or not record.is_alive():
        raise UnavailableError(
            f"A platform on {folder.root} is just starting or ending.",
            remedy="Try again in some seconds.",
        )
    os.kill(record.pid, signal.SIGTERM)
    _wait_until_free(folder, record.pid)
    if as_json:
        print_json({"stopped": True, "data": str(folder.root), "url": record.url})
    else:
        say(f"Stopped the platform at {record.url}.")


def _wait_until_free(folder: DataFolder, pid: int) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while is_held(folder.lock):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"Process {pid} has not ended within {_LIMIT_S:.0f} s.",
                remedy=f"Kill it with 'kill -9 {pid}'; the next start ends what it leaves.",
            )
        time.sleep(_STEP_S)
