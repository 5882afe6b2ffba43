"""Several people on a real node: they sign on through OpenID, each with a host of their own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.foreign_images import PAUSE
from tests.cluster.front import DOMAIN, open_front
from tests.cluster.installation import Installation
from tests.cluster.network import HOST, METADATA
from tests.cluster.node import RealNode
from tests.cluster.person import Person
from tests.cluster.team import OPERATIONS, Team, invite_team
from tests.integration.production.stage import make_notebook
from tests.platform_process import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_TICK_S = 300.0
OPEN = [("hub", 8081), ("traefik-dask-gateway", 80), ("skerry-objects", 9000)]
CLOSED = [
    ("skerry-database", 5432), ("skerry-api", 8000), ("skerry-worker", 8000),
    ("api-dask-gateway", 8000), ("10.96.0.1", 443), (METADATA, 80), (HOST, 6443),
]  # fmt: skip
_KNOCK = """\
import json, socket

def reaches(place):
    try:
        socket.create_connection(place, timeout=4).close()
    except OSError:
        return False
    return True

print(json.dumps([place for place in {places} if reaches(place)]))
"""
_HELLO = "import skerry, os; print(skerry.__version__, os.environ['JUPYTERHUB_USER'])"


@pytest.fixture(scope="module")
def team(node: RealNode, platform: Installation) -> Iterator[Team]:
    """Return the platform after an upgrade to many people, which is undone after the tests."""
    with invite_team(node, platform, open_front(node, platform)) as team:
        yield team


@pytest.fixture(scope="module")
def ann(team: Team) -> Iterator[Person]:
    """Return a scientist and reviewer."""
    person = team.sign_on("sub-ann", "ann")
    yield person
    person.browser.close()


@pytest.fixture(scope="module")
def bob(team: Team) -> Iterator[Person]:
    """Return a scientist with a server."""
    person = team.sign_on("sub-bob", "bob")
    person.start_server()
    yield person
    person.browser.close()


@pytest.fixture(scope="module")
def proposal(ann: Person) -> dict[str, Any]:
    """Return what Ann proposes for her project."""
    body = {"name": "team-field", "notebook": make_notebook(), "owner": "project:lakes"}
    result: dict[str, Any] = ann.ask("POST", "/production/releases", json=body)
    return result


def test_who_is_in_no_named_group_is_refused(team: Team) -> None:
    browser = team.open_browser()
    answer = browser.sign_on("sub-eve")
    assert answer.status_code == 403
    assert "None of this person&#39;s groups at the provider has access" in answer.text
    browser.close()


def test_a_person_has_roles_and_projects_of_their_groups(ann: Person, bob: Person) -> None:
    assert ann.ask("GET", "/me")["account"] == "ann"
    groups = {person.name: person.ask("GET", "/hub/api/user")["groups"] for person in (ann, bob)}
    assert set(groups["ann"]) == {"lakes", "role:reviewer", "role:scientist"}
    assert set(groups["bob"]) == {"role:scientist"}


def test_a_server_has_a_host_of_its_own(ann: Person, bob: Person) -> None:
    place = "/user/bob/api/status"
    assert bob.send_home("GET", place).is_success
    with bob.door.client() as client:
        headers = {"Authorization": f"token {ann.token}"}
        other = client.get(f"{bob.home}{place}", headers=headers)
        nobody = client.get(f"{bob.home}{place}")
        wrong_host = client.get(f"https://ann.{DOMAIN}{place}", headers=headers)
    assert other.status_code == 403
    assert nobody.status_code == 403
    assert wrong_host.status_code != 200, "one person's host never shows another's server"
    assert bob.run_code(_HELLO).split()[1] == "bob"


def test_one_person_s_code_reaches_the_platform_s_doors_and_nothing_else(
    team: Team, ann: Person, bob: Person, node: RealNode
) -> None:
    ann.start_server()
    try:
        [other] = team.platform.list_pods("--selector=hub.jupyter.org/username=ann")
        places = [(other["status"]["podIP"], 8888), *CLOSED]
        reached = json.loads(bob.run_code(_KNOCK.format(places=[*OPEN, *places])))
    finally:
        ann.stop_server()
    assert {tuple(place) for place in reached} == set(OPEN)
    # what no policy closes is there: the refusals above are no accident
    assert _reads_metadata(node)


def _reads_metadata(node: RealNode) -> bool:
    """Return whether a pod that no policy chooses reaches the metadata address."""
    container = {
        "name": "work", "image": PAUSE, "imagePullPolicy": "Never",
        "command": ["/bin/busybox", "wget", "-q", "-O", "-", f"http://{METADATA}/"],
    }  # fmt: skip
    node.server.create("/api/v1/namespaces/default/pods", {
        "metadata": {"name": "stranger"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    })  # fmt: skip

    def phase() -> str:
        with node.server.log_in() as owner:
            answer = owner.get("/api/v1/namespaces/default/pods/stranger")
        return str(answer.json()["status"]["phase"])

    wait_until(lambda: phase() in ("Succeeded", "Failed"), 60, "the stranger has asked")
    return phase() == "Succeeded"


def test_nobody_approves_what_they_proposed(ann: Person, proposal: dict[str, Any]) -> None:
    plain = ann.send("POST", _name_approval(proposal), json=_name_digests(proposal))
    assert plain.status_code == 409, plain.text
    assert "was proposed by ann too" in plain.json()["detail"]
    body = {"self": True, **_name_digests(proposal)}
    insisting = ann.send("POST", _name_approval(proposal), json=body)
    assert insisting.status_code in (403, 409), insisting.text
    assert ann.ask("GET", f"/production/releases/{proposal['id']}")["status"] == "proposed"


def test_who_is_no_reviewer_approves_nothing(bob: Person, proposal: dict[str, Any]) -> None:
    answer = bob.send("POST", _name_approval(proposal), json=_name_digests(proposal))
    assert answer.status_code in (403, 404), answer.text


def test_another_person_approves_and_a_clock_starts_the_run(
    team: Team, ann: Person, proposal: dict[str, Any]
) -> None:
    groups = ["/eo", "/eo/lakes", OPERATIONS]
    team.provider.change_person("sub-bob", groups=groups)  # he becomes a reviewer, and operator
    other = team.sign_on("sub-bob", "bob")
    other.ask("POST", _name_approval(proposal), json=_name_digests(proposal))
    order = {
        "name": "team-field", "release": proposal["id"], "policy": {"review": "none"},
        "trigger": {"kind": "clock", "cron": "* * * * *", "timezone": "UTC"},
    }  # fmt: skip
    other.ask("POST", "/production/jobs", json=order)
    listed = "/production/runs?job=team-field"
    wait_until(
        lambda: any(run["status"] == "succeeded" for run in ann.ask("GET", listed)["runs"]),
        _TICK_S, "a run of the clock has succeeded",
        lambda: f"{ann.ask('GET', listed)}\n{team.platform.explain()}",
    )  # fmt: skip
    first = ann.ask("GET", listed)["runs"][-1]
    assert first["occurrence"].startswith("clock/")
    assert first["created_by"] == "clock"
    other.ask("DELETE", "/production/jobs/team-field")
    other.stop_server()
    other.browser.close()


def test_an_undo_brings_the_trial_back(team: Team, platform: Installation) -> None:
    """The last of this file: what the upgrade changed is as it was before."""
    before = _find_hub(team.platform)
    team.platform.undo(1)
    wait_until(
        lambda: _find_hub(team.platform) not in (None, before), 300, "the hub started anew",
        team.platform.explain,
    )  # fmt: skip
    platform.open_door()  # what led there has ended with the proxy of before


def _find_hub(platform: Installation) -> str | None:
    """Return the name of the hub's pod, if it is ready."""
    for pod in platform.list_pods("--selector=app.kubernetes.io/component=hub"):
        if all(state["ready"] for state in pod["status"].get("containerStatuses", [])):
            return str(pod["metadata"]["name"])
    return None


def _name_approval(proposal: dict[str, Any]) -> str:
    return f"/production/releases/{proposal['id']}/approve"


def _name_digests(proposal: dict[str, Any]) -> dict[str, str]:
    return {name: proposal[name] for name in ("notebook_digest", "environment_digest")}
