"""The logs of a running platform: one clock, one form, for their owner's eyes."""

import re
import stat

import pytest
from tests.platform_process import RunningPlatform

pytestmark = pytest.mark.long

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z \S|[ \t]|$")
SECOND_CLOCK = re.compile(r"\S+Z (\[?[A-Z] ?)?\d{4}-\d\d-\d\d")


def test_every_line_of_every_part_begins_with_the_one_clock(
    running_platform: RunningPlatform,
) -> None:
    logs = sorted((running_platform.data / "logs").glob("*.log"))
    assert {path.stem for path in logs} >= {"hub", "gateway"}
    for path in logs:
        lines = path.read_text(errors="replace").splitlines()
        assert [line for line in lines if not STAMPED.match(line)] == [], path.name
        assert [line for line in lines if SECOND_CLOCK.match(line)] == [], path.name
        assert not any("\x1b" in line for line in lines), path.name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert " INFO Hub: " in running_platform.log_text("hub")
    assert " INFO DaskGateway: " in running_platform.log_text("gateway")
