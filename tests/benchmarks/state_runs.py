"""What a run takes over papermill alone, with the same notebook, on the platform of one machine.

As a program it prints its figures, and measures an older version too, from a checkout of that:
``cd OLDER && PYTHONPATH=. .venv/bin/python PATH/state_runs.py PROGRAM``, where PROGRAM is a
papermill in an environment of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.integration.production.stage import Stage, make_notebook
from tests.platform_process import start_platform, wait_until

PARTS = ["gateway", "api", "worker", "hub"]
RUNS = int(os.environ.get("RUNS") or 20)
ALLOWED_S = 0.5
REST_S = 3
"""After a run the platform clears up and prepares the next; neither side is measured meanwhile."""
NOTEBOOK = make_notebook(("number: int = 0", "print(number + 1)"), parameters=0)
JOB = "overhead"


def measure_runs(papermill: Path) -> tuple[list[float], list[float]]:
    """Return seconds of runs, from the request to the recorded end, and of papermill; in turns."""
    with tempfile.TemporaryDirectory(prefix="skerry-bench-") as folder:
        top = Path(folder)
        notebook = top / "notebook.ipynb"
        notebook.write_text(json.dumps(NOTEBOOK))
        platform = start_platform(top / "data", parts=PARTS)
        try:
            stage = Stage(platform)
            stage.create_job(JOB, stage.release_notebook(JOB, NOTEBOOK))
            pairs = [
                (_run(stage, number), _run_bare(papermill, notebook, number))
                for number in range(RUNS + 1)
            ]
            stage.close()
        finally:
            platform.stop()
    runs, bare = zip(*pairs[1:], strict=True)  # the first turn warms caches
    return list(runs), list(bare)


def _run(stage: Stage, number: int) -> float:
    time.sleep(REST_S)
    began = time.perf_counter()
    run = stage.start(JOB, number=number)
    wait_until(lambda: stage.show(run)["status"] == "succeeded", 120, f"{run} has succeeded")
    return time.perf_counter() - began


def _run_bare(papermill: Path, notebook: Path, number: int) -> float:
    time.sleep(REST_S)
    began = time.perf_counter()
    output = notebook.with_name("output.ipynb")
    command = [papermill, notebook, output, "-p", "number", str(number), "--no-progress-bar"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    own, alone = measure_runs(Path(sys.argv[1]).absolute())
    print(f"run {median(own):.2f} s, papermill {median(alone):.2f} s, of {RUNS} each")
