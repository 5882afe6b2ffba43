"""What a run says of how it ended: cell, traceback, page; capped outputs; what it may know."""

import json
import re
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.production.stage import LIMIT_S, Stage, kill, make_notebook
from tests.platform_process import wait_until

pytestmark = pytest.mark.long

_PARAMETERS = 'what: str = ""\nday: date = date(2026, 5, 1)'
_WORK = """\
import json, os, signal, sys, time
import skerry

if what == "raise":
    raise ValueError("no water here")
if what == "die":
    os._exit(9)
if what == "be killed":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "stop":
    sys.exit()
if what == "stop badly":
    sys.exit("no input today")
if what == "install":
    get_ipython().run_cell("%pip install nothing-of-this-name").raise_error()
if what == "flood":
    for _ in range(2000):
        print("\\x1b[31m" + "z" * 50_000)
if what == "tell":
    run = skerry.run
    print("known:", json.dumps([run.job, run.id, run.attempt, str(run.data_day), str(day)]))
if what == "leave temporary files":
    import multiprocessing, tempfile
    with multiprocessing.Manager() as manager:  # its socket stands in the temporary folder
        print("shared:", list(manager.list([1])))
    print("temporary:", tempfile.mkdtemp())
if what == "wait":
    time.sleep(3600)
"""
_CELLS = ("from datetime import date", _PARAMETERS, _WORK, "print('the last cell')")


@pytest.fixture(scope="module")
def job(stage: Stage) -> str:
    release = stage.release_notebook("various", make_notebook(_CELLS, parameters=1))
    stage.create_job("various", release, parameters={"day": "{{ day - 1d }}"})
    return "various"


def end(stage: Stage, job: str, what: str) -> dict[str, Any]:
    run = stage.start(job, what=what)
    return stage.wait_for(run, "succeeded", "failed")


def fetch_page(stage: Stage, run: str, epoch: int = 1) -> str:
    return stage.fetch(f"/production/runs/{run}/files/executed.html?epoch={epoch}").text


@pytest.mark.parametrize(
    ("what", "detail"),
    [
        ("raise", "Cell 3 raised ValueError: no water here"),
        ("die", "Cell 3 ended its Python process with exit code 9."),
        ("be killed", "was ended from outside in Cell 3 (signal 9)."),
        ("stop badly", "Cell 3 raised SystemExit: no input today"),
        ("install", "Packages cannot be installed inside of a run."),
    ],
)
def test_a_failure_names_the_authors_cell_in_run_log_and_page(
    stage: Stage, job: str, what: str, detail: str
) -> None:
    run = end(stage, job, what)
    assert run["status"] == "failed"
    assert detail in run["detail"], stage.explain(run["id"])
    log = stage.log(run["id"], 1)
    assert detail in log
    if what == "raise":
        assert "Traceback (most recent call last)" in log
        assert 'raise ValueError("no water here")' in log
    assert "\x1b" not in log
    assert re.search(r" begins \(request [0-9a-f]{32}\)\.$", log.splitlines()[0])
    for noise in ("without encryption", "NotebookNode"):
        assert noise not in log
    page = fetch_page(stage, run["id"])
    for part in ("various", run["id"], "Attempt", run["data_day"], "Failed."):
        assert part in page


def test_a_notebook_that_ends_itself_early_succeeds_and_says_so(stage: Stage, job: str) -> None:
    run = end(stage, job, "stop")
    assert run["status"] == "succeeded", stage.explain(run["id"])
    assert run["detail"] == "Stopped early: cell 3 of 4 ended the notebook (sys.exit)."
    assert run["progress"]["done"] == 4  # of 5, with the cell that sets the parameters
    assert run["detail"] in fetch_page(stage, run["id"])


def test_a_flood_of_output_is_capped_everywhere(stage: Stage, job: str) -> None:
    run = stage.start(job, what="flood")
    attempt = psutil.Process(stage.attempt_pid(run, 1))
    peaks = [0]

    def ended() -> bool:
        try:
            status = Path(f"/proc/{attempt.pid}/status").read_text()
            peaks.append(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024)
        except (OSError, IndexError):
            pass
        return stage.show(run)["status"] in {"succeeded", "failed"}

    wait_until(ended, LIMIT_S, "the run ends", lambda: stage.explain(run)[:3000])
    assert stage.show(run)["status"] == "succeeded"
    folder = stage.platform.data / "objects" / "runs" / run / "1"
    assert (folder / "log.txt").stat().st_size < 11e6
    assert (folder / "executed.ipynb").stat().st_size < 10e6
    assert (folder / "executed.html").stat().st_size < 12e6
    assert "SKERRY_RUN_LOG_MB" in (folder / "log.txt").read_text()
    notebook = json.loads((folder / "executed.ipynb").read_text())
    assert "SKERRY_RUN_CELL_MB" in json.dumps(notebook["cells"][3]["outputs"])
    assert "the last cell" in json.dumps(notebook["cells"][4]["outputs"])
    assert "SKERRY_RUN_CELL_MB" in (folder / "executed.html").read_text()
    assert max(peaks) < 700e6


def test_temporary_files_go_with_the_attempt(stage: Stage, job: str) -> None:
    run = end(stage, job, "leave temporary files")["id"]
    assert "shared: [1]" in stage.log(run, 1)
    left = Path(re.findall(r"temporary: (.*)", stage.log(run, 1))[0])
    assert left.parent.parent == stage.state / "tmp"
    assert not left.parent.exists()


def test_a_notebook_knows_its_run_and_its_day(stage: Stage, job: str) -> None:
    order = {"parameters": {"what": "tell"}, "data_day": "2026-03-01"}
    run = stage.ask("POST", f"/production/jobs/{job}/runs", json=order)["id"]
    stage.wait_for(run, "succeeded")
    known = re.findall(r"known: (.*)", stage.log(run, 1))[0]
    assert json.loads(known) == [job, run, 1, "2026-03-01", "2026-02-28"]


def test_kernels_speak_through_files_and_earlier_attempts_stay_readable(
    stage: Stage, job: str
) -> None:
    run = stage.start(job, what="wait")
    stage.wait_for_epoch(run, 1)
    family = [process := psutil.Process(stage.attempt_pid(run, 1))]
    wait_until(lambda: len(process.children()) == 1, LIMIT_S, "the kernel is there")
    family += process.children(recursive=True)
    wait_until(lambda: stage.show(run)["progress"]["done"] == 3, LIMIT_S, "the kernel works")
    connection = next(word for word in family[1].cmdline() if word.endswith(".json"))
    folder = Path(connection).parent
    assert folder.parent == stage.state / "attempts"
    assert json.loads(Path(connection).read_text())["transport"] == "ipc"
    assert len(list(folder.glob("kernel-*"))) == 5
    # ipykernel's own pipe for prints of forked children, which asks for a secret, is not a channel
    ports = [entry for item in family for entry in item.net_connections() if not entry.raddr]
    assert len(ports) <= 1
    assert all(entry.laddr.ip == "127.0.0.1" for entry in ports)
    kill(process.pid)
    stage.wait_for_epoch(run, 2)
    stage.ask("POST", f"/production/runs/{run}/cancel")
    shown = stage.wait_for(run, "cancelled")
    assert "Attempt 1 of the run" in stage.log(run, 1)
    assert "Attempt 2 of the run" in stage.log(run, 2)
    assert "Failed. " in fetch_page(stage, run, 2)
    first, second = shown["attempts"]
    assert [address.rpartition("/")[2] for address in first["files"]] == ["log.txt?epoch=1"]
    assert {address.rpartition("/")[2] for address in second["files"]} == {
        "log.txt?epoch=2", "executed.ipynb?epoch=2", "executed.html?epoch=2",
    }  # fmt: skip
