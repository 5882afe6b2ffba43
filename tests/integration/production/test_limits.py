"""A worker's settings hold: runs at once, and the memory of one."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.integration.production.stage import Stage, make_notebook, serve_stage

pytestmark = pytest.mark.long

_GROW = """\
held = [b"x" * 50_000_000 for _ in range(20)]
import time
time.sleep(3600)
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return a platform whose worker carries out one run at a time, in 700 MB."""
    with serve_stage(
        tmp_path_factory.mktemp("small") / "data",
        parts=["api", "worker", "hub"],
        settings={"SKERRY_WORKER_RUNS": "1", "SKERRY_RUN_MEMORY_MB": "700"},
    ) as stage:
        yield stage


def test_a_worker_carries_out_as_many_runs_at_once_as_it_is_told(small: Stage) -> None:
    runs = [small.start() for _ in range(3)]
    ended = [small.wait_for(run, "succeeded", "failed") for run in runs]
    assert {run["status"] for run in ended} == {"succeeded"}, small.explain(runs[0])
    times = sorted((run["started"], run["ended"]) for run in ended)
    for earlier, later in pairwise(times):
        assert earlier[1] <= later[0]


def test_a_run_that_takes_too_much_memory_is_ended_and_says_so(small: Stage) -> None:
    notebook = make_notebook(("minute: int = 0", _GROW), parameters=0)
    small.create_job("large", small.release_notebook("large", notebook))
    run = small.wait_for(small.start("large"), "succeeded", "failed")
    assert (run["status"], len(run["attempts"])) == ("failed", 1), small.explain(run["id"])
    assert "took more than 700 MB of memory" in run["detail"]
    page = small.fetch(f"/production/runs/{run['id']}/files/executed.html").text
    assert run["detail"] in page
