"""Writes the logs of all parts: ``python -m skerry.cli.supervisor.log_writer FOLDER NAME=FD...``.

Each part writes to a pipe; this process reads them all, so that logs have one clock and one
format for all writers, and a long log is replaced by a new log while the part runs. A line
begins with the UTC time at which it was written, ``2026-05-01T10:30:00.123Z``; lines that begin
with a space belong to the line before. On a full disk lines are lost, and the log says how many.

It ends when all writers have ended. It imports only the standard library, because it starts
first.
"""

import json
import os
import re
import selectors
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

LOG_LIMIT = 10_000_000
"""Bytes after which a new log begins; the log before is kept as ``<part>.log.1``."""

LINE_LIMIT = 16_384
"""Longer lines are cut."""

_STAMPED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z ")
_CONTINUED = re.compile(rb"[ \t]")
_JUPYTER = re.compile(rb"\[([DIWEC]) (?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d[.,]\d+ ([^\]]+)\] ?")
_NODE = re.compile(rb"\d\d:\d\d:\d\d\.\d+ \[(\w+)\] (\w+): ")
_LEVELS = {b"D": b"DEBUG", b"I": b"INFO", b"W": b"WARNING", b"E": b"ERROR", b"C": b"CRITICAL",
           b"WARN": b"WARNING"}  # fmt: skip
_TEXT = re.compile(r"([A-Z]+) (\S+): (.*)")
_AS_JSON = os.environ.get("SKERRY_LOG_FORMAT") == "json"
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class PartLog:
    """One part's log file.

    Parameters
    ----------
    path
        The file.
    limit
        Bytes after which a new file begins.
    """

    def __init__(self, path: Path, *, limit: int = LOG_LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._rest = b""
        self._lost = 0
        with suppress(OSError):  # so that a part without output has a log too
            path.touch(mode=0o600)

    def take(self, content: bytes) -> None:
        """Write the complete lines of a piece; the rest waits for its end."""
        lines = (self._rest + content).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        self._write([stamp_line(line) for line in lines])

    def close(self) -> None:
        """Write the last line, which has no end of line."""
        if self._rest:
            self.take(b"\n")

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        if self._lost:
            lines = [stamp_line(b"%d lines were lost: the disk was full" % self._lost), *lines]
        try:
            self._begin_anew_if_long()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as log:
                log.write(b"".join(lines))
        except OSError:
            self._lost += len(lines) - bool(self._lost)
        else:
            self._lost = 0

    def _begin_anew_if_long(self) -> None:
        try:
            if self._path.stat().st_size > self._limit:
                self._path.replace(self._path.with_suffix(".log.1"))
        except FileNotFoundError:
            return


def stamp_line(line: bytes) -> bytes:
    """Return a line after its time, unless it has a time or continues the line before.

    The clocks of programs whose form cannot be set are taken away: the
    gateway's proxy (``[W 2026-05-01 10:30:00.123 Proxy] text``) and the hub's
    (``10:30:00.123 [Proxy] warn: text``). Where logs are JSON, a line of text becomes an object.
    """
    plain = _COLOUR.sub(b"", line.rstrip(b"\r"))[:LINE_LIMIT]
    plain = _CONTROL.sub(b"?", plain)  # a terminal that shows the log would obey them
    if not _AS_JSON and (not plain or _STAMPED.match(plain) or _CONTINUED.match(plain)):
        return plain + b"\n"
    if jupyter := _JUPYTER.match(plain):
        plain = _LEVELS[jupyter[1]] + b" " + jupyter[2] + b": " + plain[jupyter.end() :]
    elif node := _NODE.match(plain):
        level = _LEVELS.get(node[2].upper(), node[2].upper())
        plain = level + b" " + node[1] + b": " + plain[node.end() :]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if _AS_JSON:
        return _write_object(now, plain)
    return now.encode() + b" " + plain + b"\n"


def _write_object(now: str, line: bytes) -> bytes:
    if _is_object(line):  # the program wrote it itself
        return line + b"\n"
    text = line.decode("utf-8", "replace")
    parts = _TEXT.fullmatch(text)
    level, logger, message = parts.groups() if parts else (None, None, text)
    fields = {"time": now, "level": level, "logger": logger, "message": message}
    return json.dumps(fields).encode() + b"\n"


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def copy_lines(folder: Path, pipes: dict[str, int]) -> None:
    """Copy every pipe into its part's log until all writers have ended.

    Parameters
    ----------
    pipes
        The parts' names and the reading ends of their pipes.
    """
    logs = {name: PartLog(folder / f"{name}.log") for name in pipes}
    with selectors.DefaultSelector() as selector:
        for name, descriptor in pipes.items():
            selector.register(descriptor, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                content = os.read(key.fd, 65_536)
                if content:
                    logs[key.data].take(content)
                else:
                    logs[key.data].close()
                    selector.unregister(key.fd)


def main(arguments: list[str]) -> None:
    """Copy until the writers have ended; signals that end the platform do not end this."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder, *names = arguments
    pipes = {name: int(fd) for name, _, fd in (entry.partition("=") for entry in names)}
    copy_lines(Path(folder), pipes)


if __name__ == "__main__":
    main(sys.argv[1:])
