"""A short soak of both platforms; ``make soak`` is the long one.

A run that fails here is repeated with ``make soak ONLY=... RUNS=... SEED=...``: the first line of
the output names them.
"""

import pytest
from tests.soak.run import PLATFORMS, soak_once

RUNS = 8
SEED = 20261129


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        name if name == "alone" else pytest.param(name, marks=pytest.mark.postgresql)
        for name in PLATFORMS
    ],
)
def test_no_run_is_lost_doubled_or_half_done_while_processes_are_killed(name: str) -> None:
    soak_once(name, RUNS, SEED)
