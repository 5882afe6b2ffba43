"""An attempt's log: what the notebook prints, up to a limit, and all that Skerry writes.

The standard outputs of the run process, its kernel and all their children go through a pipe, so
that no print reaches the disk past the limit. Colour codes are left out: the log is read in
browsers and files.
"""

import json
import os
import re
import threading
from pathlib import Path

from skerry.core.logs import writes_json
from skerry.core.request_ids import current_request, current_run
from skerry.core.time import format_time, utc_now

_ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    rb"|\x1b[ -/]*[0-Z\\^-~]"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,256}|[ -/]*)$")
_PIECE = 64 * 1024
_CLOSE_S = 2.0


def add_line(path: Path, text: str) -> None:
    """Add a line to an attempt's log before its run process has it."""
    with path.open("ab") as log:
        log.write(stamp(text))


def stamp(text: str) -> bytes:
    """Return a message of Skerry itself as a line of a log, with the time."""
    if not writes_json():
        return f"{format_time(utc_now())} {text}\n".encode(errors="replace")
    line = {
        "time": format_time(utc_now()), "level": "INFO", "logger": "skerry.attempt",
        "message": text, "request": current_request(), "run": current_run(),
    }  # fmt: skip
    return f"{json.dumps(line)}\n".encode()


class RunLog:
    """The log of the attempt that this process carries out.

    Parameters
    ----------
    descriptor
        The open log file.
    limit
        How many bytes the notebook's own output may take.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        self._file = descriptor
        self._limit = limit
        self._room = limit
        self._full = False
        self._turn = threading.Lock()
        self._readers: list[threading.Thread] = []

    @classmethod
    def take_over(cls, limit: int) -> "RunLog":
        """Put a log between this process's standard outputs and the file to which they lead now."""
        log = cls(os.dup(1), limit)
        source, target = os.pipe()
        for standard in (1, 2):
            os.dup2(target, standard)
        os.close(target)
        log.follow(source)
        return log

    def follow(self, source: int) -> None:
        """Write what comes out of a pipe as the notebook's output, until it ends."""
        reader = threading.Thread(target=self._copy, args=(source,), daemon=True)
        reader.start()
        self._readers.append(reader)

    def close(self) -> None:
        """Restore the standard outputs, after everything that was printed is written."""
        for standard in (1, 2):
            os.dup2(self._file, standard)
        for reader in self._readers:
            reader.join(_CLOSE_S)

    def say(self, text: str) -> None:
        """Write a message of Skerry itself, with its time, beyond any limit."""
        self._put(stamp(text))

    def write(self, text: str) -> None:
        """Write the notebook's output, as far as there is room for it."""
        self._write(text.encode(errors="replace"))

    def _copy(self, source: int) -> None:
        rest = b""
        with open(source, "rb", buffering=0) as stream:
            while piece := stream.read(_PIECE):
                content = rest + piece
                cut = _UNFINISHED.search(content)
                rest = content[cut.start() :] if cut else b""
                self._write(content[: cut.start()] if cut else content)
        self._write(rest)

    def _write(self, content: bytes) -> None:
        content = _ESCAPES.sub(b"", content)
        with self._turn:
            part = content[: self._room]
            self._room -= len(part)
            os.write(self._file, part)
            was_full, self._full = self._full, self._full or len(part) < len(content)
        if self._full and not was_full:
            self.say(
                f"The notebook's further output is left out: the log's limit of "
                f"{self._limit / 1e6:g} MB (SKERRY_RUN_LOG_MB) is reached."
            )

    def _put(self, content: bytes) -> None:
        with self._turn:
            os.write(self._file, _ESCAPES.sub(b"", content))
