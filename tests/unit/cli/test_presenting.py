"""Progress on a terminal and elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import skerry.cli
from skerry.cli.main import run
from skerry.cli.presenting import print_table, say, say_bytes, show_progress
from skerry.core.errors import InvalidInputError

SHOWN = """
from skerry.cli.presenting import show_progress
with show_progress("scene") as progress:
    progress(0.25, "Writing: measurements/b02")
"""


def test_a_terminal_gets_a_bar_with_what_is_written_now() -> None:
    reader, writer = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", SHOWN], env=environment, stderr=writer, check=False
        )
        shown = os.read(reader, 1 << 16).decode()
    finally:
        os.close(writer)
        os.close(reader)
    assert done.returncode == 0
    assert "scene: Writing: measurements/b02" in shown
    assert "25%" in shown


def test_elsewhere_a_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("scene") as progress:
        for done, what in ((0.0, "Opening"), (0.1, "Writing: b02"), (0.2, "Writing: b03")):
            progress(done, what)
    assert capsys.readouterr().err == "scene: Opening\nscene: Writing\n"


def test_elsewhere_a_long_stage_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter((0.0, 4.0, 11.0, 12.0, 30.0))
    monkeypatch.setattr("skerry.cli.presenting.time.monotonic", lambda: next(seconds))
    with show_progress("scene") as progress:
        for done in (0.1, 0.2, 0.3, 0.4, 0.9):
            progress(done, "Writing: b02")
    assert capsys.readouterr().err.splitlines() == [
        "scene: Writing", "scene: Writing, 30%", "scene: Writing, 90%",
    ]  # fmt: skip


ORDERS = "\x1b]52;c;aGk=\x07 \x1b[2J\x9b1A \r\u202e\u2066"
"""Would fill a terminal's clipboard, clear it, write over a line, and turn the text around."""


def test_a_terminal_obeys_nothing_that_somebody_wrote(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators are shown a notebook's last error, titles and parameters."""
    say(f"a\tb {ORDERS}\nü")
    print_table(("ID",), [(f"first\n{ORDERS}",), ("second",)])
    say_bytes(f"log {ORDERS}\n".encode())

    def fail(*_: object, **__: object) -> None:
        raise InvalidInputError(f"what {ORDERS}", remedy=f"remedy {ORDERS}")

    monkeypatch.setattr("skerry.cli.main.skerry.main", fail)
    assert run([]) == 2
    printed, complained = capsys.readouterr()
    for text in (printed, complained):
        assert not set("\x07\x1b\x9b") & set(text)
    assert printed.startswith(
        "a\tb \\x1b]52;c;aGk=\\x07 \\x1b[2J\\x9b1A \\r\\u202e\\u2066\nü\nID\n"
    )
    assert "\nfirst\\n\\x1b]52" in printed  # no cell begins a row of its own
    assert complained.count("\n") == 2


def test_commands_print_by_this_module_alone() -> None:
    own = Path(skerry.cli.__file__).parent
    printing = {path.name for path in own.rglob("*.py") if "click.echo(" in path.read_text("utf-8")}
    assert printing == {"presenting.py"}
