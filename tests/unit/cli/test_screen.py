"""The parts' states while the platform starts and runs."""

import io
import re

from rich.console import Console

from skerry.cli.supervisor.screen import Screen

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def test_each_change_has_its_time_and_is_printed_once() -> None:
    written = io.StringIO()
    screen = Screen(Console(file=written, width=60), ["api"])
    with screen:
        screen.show("api", "starting")
    for state in ("died", "died", "restarted"):
        screen.show("api", state, f"see /a/[path]/as/long/as/paths/of/{'logs' * 20} are")
    lines = written.getvalue().splitlines()
    assert [re.sub(f"^{TIME} ", "", line)[:20].split() for line in lines] == [
        ["api", "starting"], ["api", "died"], ["api", "restarted"],
    ]  # fmt: skip
    assert all(re.match(TIME, line) for line in lines)
    assert "/a/[path]/as" in lines[1]


def test_a_terminal_too_shows_the_time_of_what_happens_after_the_start() -> None:
    written = io.StringIO()
    screen = Screen(Console(file=written, force_terminal=True), ["api"])
    with screen:
        screen.show("api", "ready")
    screen.show("api", "died", "exit code -9")
    assert re.search(rf"{TIME} api +died +exit code -9", written.getvalue())
