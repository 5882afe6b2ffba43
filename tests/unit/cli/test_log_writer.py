"""The process that writes the parts' logs: one clock, one format, begun anew while they grow."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.platform_process import wait_until

from skerry.cli.supervisor import log_pipes, log_writer
from skerry.cli.supervisor.log_pipes import LogPipes
from skerry.cli.supervisor.log_writer import LINE_LIMIT, PartLog, stamp_line
from skerry.core.settings import DATABASE_SECRETS
from skerry.storage.layout import DataFolder

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


def test_a_line_gets_one_clock() -> None:
    assert STAMP.match(stamp_line(b"INFO worker: ready").decode())
    own = b"2026-05-01T10:30:00.5Z ready"
    assert stamp_line(own) == own + b"\n"
    assert stamp_line(b"  File 'x', line 3") == b"  File 'x', line 3\n"
    assert stamp_line(b"") == b"\n"
    assert stamp_line(b"\x1b[32mINFO\x1b[0m ready\r").endswith(b"Z INFO ready\n")
    assert len(stamp_line(b"x" * 10**6)) < LINE_LIMIT + 40


def test_a_line_cannot_command_the_terminal_that_shows_it() -> None:
    written = stamp_line(b"\x1b]0;title\x07 \x1b[2J over\rwritten \x08\x7f\ttab")
    assert written.endswith(b"Z ?]0;title? ?[2J over?written ??\ttab\n")


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (b"[W 2026-11-28 19:51:47.677 Proxy] no route", "WARNING Proxy: no route"),
        (b"[I 19:51:47.677 LabApp] ready", "INFO LabApp: ready"),
        (b"19:51:47.677 [ConfigProxy] warn: gone", "WARNING ConfigProxy: gone"),
        (b"19:51:47.677 [ConfigProxy] error: 503", "ERROR ConfigProxy: 503"),
        (b"[no clock] text", "[no clock] text"),
    ],
)
def test_another_program_s_clock_is_taken_away(line: bytes, written: str) -> None:
    stamped = stamp_line(line).decode()
    assert STAMP.match(stamped)
    assert stamped[25:] == f"{written}\n"


def test_pieces_become_lines_and_a_long_log_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    log = PartLog(path, limit=300)
    log.take(b"first li")
    assert path.read_bytes() == b""
    log.take(b"ne\nsecond")
    log.close()
    assert [line[25:] for line in path.read_text().splitlines()] == ["first line", "second"]
    for number in range(100):
        log.take(b"line %d\n" % number)
    assert path.stat().st_size <= 300 + 40
    assert (tmp_path / "api.log.1").stat().st_size <= 300 + 40
    assert path.read_text().splitlines()[-1].endswith("line 99")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_that_found_no_room_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PartLog(tmp_path / "api.log")
    opened = os.open
    monkeypatch.setattr(log_writer.os, "open", lambda *_a, **_k: opened("/dev/full", os.O_WRONLY))
    log.take(b"one\ntwo\n")
    log.take(b"three\n")
    monkeypatch.undo()
    log.take(b"four\n")
    text = [line[25:] for line in (tmp_path / "api.log").read_text().splitlines()]
    assert text == ["3 lines were lost: the disk was full", "four"]


def test_the_process_ends_with_its_writers(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    arguments = [str(tmp_path), f"api={reading}"]
    writer = subprocess.Popen(
        [sys.executable, "-m", "skerry.cli.supervisor.log_writer", *arguments], pass_fds=[reading]
    )
    os.close(reading)
    os.write(writing, b"last words")
    os.close(writing)
    assert writer.wait(30) == 0
    assert (tmp_path / "api.log").read_text().endswith("Z last words\n")


def test_lines_of_text_become_objects_where_logs_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "_AS_JSON", True)
    own = b'{"time": "2026-05-01T10:30:00Z", "message": "ready"}'
    assert stamp_line(own) == own + b"\n"
    for line, fields in {
        b"[W 2026-11-28 19:51:47.677 Proxy] no route": ("WARNING", "Proxy", "no route"),
        b"INFO skerry.worker: ready": ("INFO", "skerry.worker", "ready"),
        b'  File "x", line 3': (None, None, '  File "x", line 3'),
        b"\xff": (None, None, "\ufffd"),
        b'{"cut off': (None, None, '{"cut off'),
        b"{not JSON}": (None, None, "{not JSON}"),
        b'{"a": 1} {"b": 2}': (None, None, '{"a": 1} {"b": 2}'),
        b"2026-05-01T10:30:00Z forged": (None, None, "2026-05-01T10:30:00Z forged"),
        b"": (None, None, ""),
    }.items():
        entry = json.loads(stamp_line(line))
        assert STAMP.match(f"{entry.pop('time')} ")
        assert tuple(entry.values()) == fields


def test_logs_of_objects_that_are_begun_anew_hold_whole_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "_AS_JSON", True)
    log = PartLog(tmp_path / "worker.log", limit=2_000)
    long = json.dumps({"message": "x" * 2 * log_writer.LINE_LIMIT, "number": -1}).encode()
    log.take(long + b"\n")
    for number in range(100):
        line = json.dumps({"message": "a\nb", "number": number}).encode() + b"\n"
        log.take(line[:9])
        log.take(line[9:])
    older, newer = ((tmp_path / name).read_text() for name in ("worker.log.1", "worker.log"))
    entries = [json.loads(line) for line in (older + newer).splitlines()]
    numbers = [entry["number"] for entry in entries]
    assert numbers == list(range(numbers[0], 100))
    assert len(numbers) > 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_does_not_know_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in DATABASE_SECRETS:
        monkeypatch.setenv(name, "a-secret")
    data = DataFolder(tmp_path)
    data.create()
    started: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(log_pipes.subprocess, "Popen", Recorded)
    pipes = LogPipes(data, "test", ["api"])
    pipes.tend()
    (writer,) = started
    place = Path(f"/proc/{writer.pid}/environ")
    wait_until(lambda: b"SKERRY_" in place.read_bytes(), 30, "the process has its variables")
    known = place.read_bytes()
    pipes.close()
    assert writer.wait(30) == 0
    assert b"a-secret" not in known
