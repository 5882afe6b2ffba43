"""Files of a run that people may see: log, executed notebook, page, manifest."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from skerry.core.errors import NotFoundError
from skerry.production.manifest import EXECUTED, LOG, MANIFEST, PAGE
from skerry.storage.layout import DataFolder

SHOWN = {
    EXECUTED: "application/x-ipynb+json",
    PAGE: "text/html; charset=utf-8",
    MANIFEST: "application/json",
    LOG: "text/plain; charset=utf-8",
}
"""File name to media type. Nothing else of a run's folder is served here."""

_CHUNK = 256 * 1024


def find_run_file(data: DataFolder, run_id: str, epoch: int, name: str) -> Path:
    """Return the path of one of `SHOWN` of an attempt.

    Raises
    ------
    NotFoundError
        If the name is another, or the attempt has not written it.
    """
    path = data.objects / "runs" / run_id / str(epoch) / name
    if name not in SHOWN or not path.is_file():
        raise NotFoundError(
            f"Attempt {epoch} of the run {run_id} has no file {name!r}.",
            remedy=f"Its files are {', '.join(SHOWN)}, once they are written.",
        )
    return path


def read_log(data: DataFolder, run_id: str, epoch: int, start: int) -> tuple[bytes, int]:
    """Return a piece of an attempt's log from byte `start`, and where the next piece begins."""
    path = data.objects / "runs" / run_id / str(epoch) / LOG
    if not path.is_file():
        return b"", start
    with path.open("rb") as stream:
        stream.seek(max(0, start))
        content = stream.read(_CHUNK)
    return content, max(0, start) + len(content)


def remove_histories(data: DataFolder, run_ids: Iterable[str], kept: Iterable[str]) -> None:
    """Remove the folders of runs, except attempts whose prefix holds a catalogued product.

    Parameters
    ----------
    kept
        Prefixes ``runs/<run>/<epoch>/`` that items still refer to.
    """
    prefixes = set(kept)
    for run_id in run_ids:
        for folder in (data.objects / "runs" / run_id).glob("*"):
            if f"runs/{run_id}/{folder.name}/" not in prefixes:
                shutil.rmtree(folder, ignore_errors=True)
