"""Named points at which a test can stop a process, to kill it exactly there.

Nothing happens unless ``SKERRY_PAUSE_POINTS`` in the environment names a folder and the file
``pause`` in it names the point. The process then writes ``paused.json`` there and stops itself; the
test that wrote the file continues it or kills it from outside.
"""

import json
import os
import signal
import threading
from pathlib import Path

from skerry.storage.writing import write_aside

WORKER_POINTS = (
    "before:claim", "after:claim",
    "before:execute", "after:execute",
    "before:acknowledge", "after:acknowledge",
)  # fmt: skip
"""Points in the worker, around each transition that it makes."""

ATTEMPT_POINTS = (
    "before:notebook", "after:notebook",
    "before:write", "after:write",
    "before:publish", "after:publish",
)  # fmt: skip
"""Points in the run process: the notebook, the manifest that completes the staging, the insert."""

MOVE_POINTS = (
    "before:claim-store", "after:claim-store", "after:schema", "after:claim-database",
    "during:bytes", "after:bytes",
    "during:records", "before:commit", "after:commit", "after:release-store",
)  # fmt: skip
"""Points in `skerry move`: claim both targets, carry the bytes, then the records, let go."""


def pause_at(point: str) -> None:
    """Stop this process here if a test has asked for it.

    Parameters
    ----------
    point
        One of `WORKER_POINTS`, `ATTEMPT_POINTS` and `MOVE_POINTS`.
    """
    setting = os.environ.get("SKERRY_PAUSE_POINTS")
    if not setting:
        return
    folder = Path(setting)
    wish = folder / "pause"
    try:
        point_name = wish.read_text().strip()
    except FileNotFoundError:
        return
    if point_name != point:
        return
    wish.unlink()
    write_aside(folder / "paused.json", json.dumps({"point": point, "pid": os.getpid()}))
    # To this thread: a signal to the process may reach another thread first, and this thread would
    # go on past its point until that thread stops the process.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
