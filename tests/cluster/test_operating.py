"""What an operator does with a platform on a node, as the page about operating says."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from tests.cluster.installation import NAMESPACE
from tests.cluster.manual import OPERATING, Manual, read_command
from tests.cluster.node import RealNode
from tests.cluster.person import Person
from tests.cluster.team_image import TeamImage
from tests.cluster.work import Work
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.platform_process import wait_until

pytestmark = [
    pytest.mark.cluster, pytest.mark.timeout(1800), pytest.mark.usefixtures("platform")
]  # fmt: skip

_LINE_LENGTH = 100
_LINES = 4_000
_LONG_LOG = (
    "import time",
    f"lines: int = {_LINES}",
    f"""\
for number in range(lines):
    print(f"{{number:06d}} ".ljust({_LINE_LENGTH - 1}, "."), flush=True)
    time.sleep(0.005)  # the worker reads it meanwhile, more than once
""",
)
_PAYER = "project:project-main"
"""Who pays for runs of a trial: their owner."""
_GAP = "The cluster has put the log into a new file here"


@contextmanager
def budget(person: Person, holder: str, core_hours: int) -> Iterator[None]:
    """Limit somebody while the block lasts."""
    person.ask("PUT", f"/budgets/{holder}", json={"core_hours": core_hours})
    try:
        yield
    finally:
        person.ask("DELETE", f"/budgets/{holder}")


def test_the_doctor_looks_from_the_pods(manual: Manual) -> None:
    for pod in ("deployment/skerry-api", "skerry-worker-0"):
        words = f"kubectl --namespace {NAMESPACE} exec {pod} -- skerry doctor"
        assert words in OPERATING.read_text()
        told = json.loads(manual.carry_out(f"{words} --json"))
        print(pod, json.dumps(told, indent=1))
        assert {"database", "objects", "grants", "clock"} <= {entry["check"] for entry in told}
        assert [entry for entry in told if entry["state"] != "well"] == []


def test_helm_test_carries_out_a_run_end_to_end(manual: Manual) -> None:
    told = manual.carry_out(read_command(OPERATING, "helm test "))
    print(told)
    for step in ("run", "search", "tile", "cluster", "clean-up"):
        assert re.search(rf"^ok\s+{step}\s", told, re.MULTILINE), step


def test_starts_are_refused_when_a_budget_is_spent(work: Work, owner: Person) -> None:
    owner.stop_server()
    wait_until(lambda: not owner.has_servers(), 120, "the server has ended", work.explain)
    person = f"person:{owner.name}"
    try:
        with budget(owner, person, 0), budget(owner, _PAYER, 0):
            order = {"parameters": {"minute": 1}}
            run = owner.send("POST", "/production/jobs/field/runs", json=order)
            assert run.status_code == 409, run.text
            assert f"The budget of {_PAYER} for" in run.json()["detail"]
            owner.send("POST", f"/hub/api/users/{owner.name}/server", json={})
            page = f"/hub/spawn-pending/{owner.name}"
            words = f"The budget of {person} for"
            wait_until(
                lambda: words in owner.browser.get(page).text, 60, "the page says why",
                work.explain,
            )  # fmt: skip
            assert work.platform.list_pods("--selector=component=singleuser-server") == []
    finally:
        owner.start_server()
    assert work.wait_for_end(work.start())["status"] == "succeeded"


def test_a_log_that_the_node_rotates_keeps_what_was_read_and_says_what_is_missing(
    work: Work, node: RealNode
) -> None:
    work.make_job("talkative", make_notebook(_LONG_LOG))
    run = work.start_job("talkative")
    assert work.wait_for_end(run)["status"] == "succeeded"
    log = work.log(run)
    numbers = [int(number) for number in re.findall(r"^(?:\S+ )?(\d{6}) \.+$", log, re.MULTILINE)]
    rotations = log.count(_GAP)
    holes = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
    print(f"{len(numbers)} of {_LINES} lines, {rotations} new files, holes {holes}")
    assert len(log) > node.log_limit, "the node has begun a new file"
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    ends_early = numbers[-1] != _LINES - 1
    assert len(holes) + ends_early <= rotations, "what is missing is said"
    assert not ends_early or _GAP in log.rpartition(f"{numbers[-1]:06d} ")[2]


def test_a_release_in_an_image_that_nobody_registered_waits(
    owner: Person, team_image: TeamImage, team_environment: str
) -> None:
    proposal = owner.ask("POST", "/production/releases", json=team_image.propose("waiting"))
    path = f"/production/releases/{proposal['id']}/approve"
    answer = owner.send("POST", path, json=approve_as_seen(proposal))
    assert answer.status_code == 409, answer.text
    told = str(answer.json())
    assert "which nobody has registered here" in told
    assert f"{team_environment}: {team_image.name}" in told
