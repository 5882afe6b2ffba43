"""The log of an attempt: what is printed is capped, what Skerry says is not, and no colours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.production.run_log import RunLog


def open_log(path: Path, limit: int) -> RunLog:
    return RunLog(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), limit)


def test_output_ends_at_the_limit_with_one_notice_and_statements_go_on(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log.txt", 1000)
    for _ in range(50):
        log.write("x" * 100)
    log.say("Cell 3 raised ValueError")
    text = (tmp_path / "log.txt").read_text()
    assert text.count("x") < 1100
    assert text.count("SKERRY_RUN_LOG_MB") == 1
    assert text.endswith("Z Cell 3 raised ValueError\n")


def test_exactly_the_limit_is_not_an_overflow(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log.txt", 4)
    log.write("abcd")
    assert (tmp_path / "log.txt").read_text() == "abcd"


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ("\x1b[0;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b[2K\rdone", "\rdone"),
        ("\x1bMup", "up"),
        ("water: 12 °C", "water: 12 °C"),
    ],
)
def test_escapes_are_left_out(tmp_path: Path, printed: str, written: str) -> None:
    open_log(tmp_path / "log.txt", 1000).write(printed)
    assert (tmp_path / "log.txt").read_bytes().decode() == written


def test_children_write_through_the_log_and_everything_arrives(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
from skerry.production.run_log import RunLog
log = RunLog.take_over(3_000_000)
print("printed", flush=True)
subprocess.run([sys.executable, "-c", "print('\\x1b[31mchild ' + 'y' * 200_000)"], check=True)
os.write(2, b"cut \\x1b[3")
os.write(2, b"1mred")
log.close()
print("after", flush=True)
"""
    with (tmp_path / "log.txt").open("wb") as target:
        subprocess.run([sys.executable, "-c", code], stdout=target, stderr=target, check=True)
    text = (tmp_path / "log.txt").read_text()
    assert text.startswith("printed\nchild y")
    assert text.count("y") == 200_000
    assert "\x1b" not in text
    assert text.endswith("cut redafter\n")
