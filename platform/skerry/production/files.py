"""Files of a run that people may see: log, executed notebook, page, manifest."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from sqlalchemy import RowMapping

from skerry.core.errors import NotFoundError
from skerry.production.manifest import EXECUTED, LOG, MANIFEST, PAGE
from skerry.storage.layout import DataFolder
from skerry.storage.plain_files import open_inside

SHOWN = {
    EXECUTED: "application/x-ipynb+json",
    PAGE: "text/html; charset=utf-8",
    MANIFEST: "application/json",
    LOG: "text/plain; charset=utf-8",
}
"""File name to media type. Nothing else of a run's folder is served here."""

_CHUNK = 256 * 1024


def choose_attempt(run: RowMapping, epoch: int | None, *, published: bool) -> int:
    """Return the requested attempt, by default the newest or the published attempt.

    Raises
    ------
    NotFoundError
        If the run has no such attempt.
    """
    if epoch is not None and epoch > run["epoch"]:
        raise NotFoundError(
            f"The run {run['id']} has no attempt {epoch}.",
            remedy=f"Its newest is {run['epoch']}." if run["epoch"] else "It has not begun.",
        )
    return int(epoch or (published and run["published_epoch"]) or run["epoch"])


def list_run_files(data: DataFolder, run_id: str, epoch: int) -> list[str]:
    """Return the names of the files in `SHOWN` that an attempt has written."""
    folder = data.run_objects / run_id / str(epoch)
    return [name for name in SHOWN if (folder / name).is_file()]


def open_run_file(data: DataFolder, run_id: str, epoch: int, name: str) -> BinaryIO:
    """Open a file of an attempt; `SHOWN` lists the names.

    A notebook may write anything into its folder, so no link is followed, wherever in the path
    it is.

    Raises
    ------
    NotFoundError
        If `SHOWN` does not have the name, or the attempt has not written it as a plain file.
    """
    if name in SHOWN:
        with suppress(OSError):
            return open_inside(data.objects, f"runs/{run_id}/{epoch}/{name}")
    raise NotFoundError(
        f"Attempt {epoch} of the run {run_id} has no file {name!r}.",
        remedy=f"Its files are {', '.join(SHOWN)}, once they are written.",
    )


def read_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Yield an open file's content piece by piece, then close it."""
    with stream:
        while piece := stream.read(_CHUNK):
            yield piece


def read_log(data: DataFolder, run_id: str, epoch: int, start: int) -> tuple[bytes, int]:
    """Return a piece of an attempt's log from byte `start`, and where the next piece begins."""
    try:
        stream = open_run_file(data, run_id, epoch, LOG)
    except NotFoundError:
        return b"", start
    with stream:
        if start >= os.fstat(stream.fileno()).st_size:  # file systems refuse to go far beyond
            return b"", start
        stream.seek(start)
        content = stream.read(_CHUNK)
    return content, start + len(content)


def remove_histories(data: DataFolder, run_ids: Iterable[str], kept: Iterable[str]) -> None:
    """Remove the folders of runs, except attempts with a product in the catalogue.

    Parameters
    ----------
    kept
        Prefixes ``runs/<run>/<epoch>/`` that items still refer to.
    """
    prefixes = set(kept)
    for run_id in run_ids:
        for folder in (data.run_objects / run_id).glob("*"):
            if f"runs/{run_id}/{folder.name}/" not in prefixes:
                shutil.rmtree(folder, ignore_errors=True)
