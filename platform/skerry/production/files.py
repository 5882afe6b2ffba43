"""Files of a run that people may see: log, executed notebook, page, manifest."""

from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import RowMapping

from skerry.core.errors import ForbiddenError, NotFoundError
from skerry.storage.objects import OpenFile
from skerry.storage.run_folder import RunFile, RunFolder

SHOWN = {
    RunFile.EXECUTED: "application/x-ipynb+json",
    RunFile.PAGE: "text/html; charset=utf-8",
    RunFile.MANIFEST: "application/json",
    RunFile.LOG: "text/plain; charset=utf-8",
}
"""File to media type. Nothing else of a run's folder is served here."""

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


def list_shown(folder: RunFolder) -> list[RunFile]:
    """Return the files in `SHOWN` that an attempt has written."""
    files = folder.list_files()
    return [file for file in SHOWN if file in files]


def open_shown(folder: RunFolder, name: str) -> tuple[OpenFile, str]:
    """Open a file of an attempt, and return its media type too; `SHOWN` lists the names.

    Raises
    ------
    NotFoundError
        If `SHOWN` does not have the name, or the attempt has not written it as a plain file.
    """
    for file, media_type in SHOWN.items():
        if file == name:
            with suppress(NotFoundError, ForbiddenError):
                return folder.open(file), media_type
    raise NotFoundError(
        f"Attempt {folder.epoch} of the run {folder.run} has no file {name!r}.",
        remedy=f"Its files are {', '.join(SHOWN)}: from when they are written until a prune.",
    )


def read_pieces(file: OpenFile) -> Iterator[bytes]:
    """Yield an open file's content piece by piece, then close it."""
    with file:
        while piece := file.stream.read(_CHUNK):
            yield piece


def read_log(folder: RunFolder, start: int) -> tuple[bytes, int]:
    """Return a piece of an attempt's log from byte `start`, and where the next piece begins."""
    content = b""
    with suppress(ForbiddenError):
        content = folder.read(RunFile.LOG, slice(start, start + _CHUNK)) or b""
    return content, start + len(content)
