"""kill -9 at every step boundary: nothing is lost, nothing is done twice.

The processes are real: the worker that `skerry up` started and restarts, and a notebook in a run
process. Each stops itself at a named point (SIGSTOP) and is killed there from outside.
"""

import os
import signal
import sqlite3
from contextlib import closing

import pytest
from tests.integration.production.stage import (
    LIMIT_S,
    Stage,
    carry_on,
    history,
    is_gone,
    kill,
)
from tests.platform_process import wait_until

from skerry.production.pausing import ATTEMPT_POINTS, WORKER_POINTS
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.long

FIRST = [(1, "published", None)]
REDONE = [(1, "superseded", None), (2, "published", None)]
ADOPTED = [(1, "published", None), (2, "adopted", 1)]
CRASHED = [(1, "crashed", None), (2, "published", None)]

WORKER_KILLED = {
    # Nothing was claimed yet: the next worker's claim is the first.
    "before:claim": FIRST,
    "after:claim": REDONE,
    "before:execute": REDONE,
    # The attempt has ended, and can still say how.
    "after:execute": FIRST,
    "before:acknowledge": FIRST,
    # The run has ended: there is nothing left to supersede.
    "after:acknowledge": FIRST,
}
RUN_PROCESS_KILLED = {
    "before:notebook": CRASHED,
    "after:notebook": CRASHED,
    "before:write": CRASHED,
    "after:write": CRASHED,
    "before:publish": CRASHED,
    # The worker lives and finds the outputs published: the same attempt is acknowledged.
    "after:publish": FIRST,
}
BOTH_KILLED = {
    "before:notebook": REDONE,
    "after:notebook": REDONE,
    "before:write": REDONE,
    "after:write": REDONE,
    "before:publish": REDONE,
    # The outputs are published: the new epoch takes them over and acknowledges.
    "after:publish": ADOPTED,
}


def test_every_point_is_tried() -> None:
    assert set(WORKER_KILLED) == set(WORKER_POINTS)
    assert set(RUN_PROCESS_KILLED) == set(BOTH_KILLED) == set(ATTEMPT_POINTS)


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_worker_killed_at_its_own_points(stage: Stage, point: str) -> None:
    stage.arm(point)
    run = stage.start()
    stopped = stage.wait_until_stopped(point, run)
    assert stopped == stage.worker_pid()
    stage.kill_worker()
    ended = stage.wait_for(run, "succeeded", "failed")
    assert ended["status"] == "succeeded", stage.explain(run)
    assert history(ended) == WORKER_KILLED[point]
    stage.check_published_once(run)


@pytest.mark.parametrize("point", ATTEMPT_POINTS)
def test_a_new_worker_attaches_to_the_run_process(stage: Stage, point: str) -> None:
    stage.arm(point)
    run = stage.start()
    process = stage.wait_until_stopped(point, run)
    assert process == stage.attempt_pid(run, 1)
    stage.kill_worker()
    carry_on(process)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert ended["status"] == "succeeded", stage.explain(run)
    assert history(ended) == FIRST
    wait_until(lambda: is_gone(process), LIMIT_S, "the run process has ended")
    stage.check_published_once(run)


@pytest.mark.parametrize("point", ATTEMPT_POINTS)
def test_worker_and_run_process_killed(stage: Stage, point: str) -> None:
    stage.arm(point)
    run = stage.start()
    process = stage.wait_until_stopped(point, run)
    worker = stage.worker_pid()
    os.kill(worker, signal.SIGSTOP)  # so that it does not see the end of the run process
    kill(process)
    stage.kill_worker()
    ended = stage.wait_for(run, "succeeded", "failed")
    assert ended["status"] == "succeeded", stage.explain(run)
    assert history(ended) == BOTH_KILLED[point]
    stage.check_published_once(run)


@pytest.mark.parametrize("point", ATTEMPT_POINTS)
def test_run_process_killed(stage: Stage, point: str) -> None:
    stage.arm(point)
    run = stage.start()
    kill(stage.wait_until_stopped(point, run))
    ended = stage.wait_for(run, "succeeded", "failed")
    assert ended["status"] == "succeeded", stage.explain(run)
    assert history(ended) == RUN_PROCESS_KILLED[point]
    stage.check_published_once(run)


def test_late_publish_of_a_superseded_attempt_is_refused(stage: Stage) -> None:
    stage.arm("before:publish")
    run = stage.start()
    zombie = stage.wait_until_stopped("before:publish", run)
    worker = stage.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    stage.claim(run)  # as a worker does that cannot see the attempt
    assert history(stage.show(run)) == [(1, "superseded", None), (2, "claimed", None)]
    carry_on(zombie)
    wait_until(lambda: is_gone(zombie), LIMIT_S, "the superseded attempt ends")
    assert "publish was refused (409)" in stage.log(run, 1)
    assert stage.show(run)["outputs"] == []
    carry_on(worker)
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == [
        (1, "superseded", None), (2, "superseded", None), (3, "published", None),
    ]  # fmt: skip
    stage.check_published_once(run)


def stop_between_transactions(stage: Stage) -> None:
    """Stop the worker when it holds no lock of the database, for which the api would wait."""
    worker = stage.worker_pid()
    while True:
        os.kill(worker, signal.SIGSTOP)
        path = DataFolder(stage.platform.data).database
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                os.kill(worker, signal.SIGCONT)
            else:
                return


def test_run_that_no_worker_heard_of_is_not_lost(stage: Stage) -> None:
    stop_between_transactions(stage)
    run = stage.start()
    stage.kill_worker()
    ended = stage.wait_for(run, "succeeded", "failed")
    assert history(ended) == FIRST
    stage.check_published_once(run)
