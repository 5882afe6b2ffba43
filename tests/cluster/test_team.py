"""Several people on a real node: they sign on through OpenID, each with a host of their own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.foreign_images import PAUSE
from tests.cluster.front import DOMAIN, open_front
from tests.cluster.installation import Installation
from tests.cluster.laptop import Laptop
from tests.cluster.manual import README, Manual, read_command
from tests.cluster.network import HOST, METADATA
from tests.cluster.node import RealNode
from tests.cluster.person import Person, log_in
from tests.cluster.team import OPERATIONS, Team, invite_team
from tests.cluster.team_image import SHOWN, TeamImage
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
def team(
    node: RealNode, platform: Installation, team_image: TeamImage, team_environment: str
) -> Iterator[Team]:
    """Return the platform after an upgrade to many people, which the last test undoes."""
    more = team_image.register(team_environment)
    with invite_team(node, platform, open_front(node, platform), more) as team:
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
def operator(team: Team, bob: Person) -> Iterator[Person]:
    """Return Bob after the provider has made him a reviewer and an operator, too."""
    bob.stop_server()
    team.provider.change_person("sub-bob", groups=["/eo", "/eo/lakes", OPERATIONS])
    person = team.sign_on("sub-bob", "bob")
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
    team: Team, ann: Person, operator: Person, proposal: dict[str, Any]
) -> None:
    operator.ask("POST", _name_approval(proposal), json=_name_digests(proposal))
    order = {
        "name": "team-field", "release": proposal["id"], "policy": {"review": "none"},
        "trigger": {"kind": "clock", "cron": "* * * * *", "timezone": "UTC"},
    }  # fmt: skip
    operator.ask("POST", "/production/jobs", json=order)
    first = _wait_for_run(team, ann, "team-field")
    assert first["occurrence"].startswith("clock/")
    assert first["created_by"] == "clock"
    operator.ask("DELETE", "/production/jobs/team-field")


def test_a_release_runs_in_a_team_s_own_image(
    team: Team, ann: Person, operator: Person, team_image: TeamImage
) -> None:
    body = {**team_image.propose("team-lakes"), "owner": "project:lakes"}
    proposal = ann.ask("POST", "/production/releases", json=body)
    operator.ask("POST", _name_approval(proposal), json=_name_digests(proposal))
    order = {"name": "team-lakes", "release": proposal["id"], "policy": {"review": "none"}}
    operator.ask("POST", "/production/jobs", json=order)
    operator.ask("POST", "/production/jobs/team-lakes/runs", json={"parameters": {}})
    run = _wait_for_run(team, ann, "team-lakes")
    assert SHOWN in ann.send("GET", f"/production/runs/{run['id']}/log?epoch=1").text


def test_the_doctor_goes_end_to_end_from_outside(
    team: Team, operator: Person, tmp_path: Path
) -> None:
    laptop = Laptop(tmp_path, team.front.door)
    told = laptop.call("login", team.front.url, said=operator.token)
    assert f"Logged in as bob at {team.front.url}" in told
    told = laptop.call("doctor", "--platform", team.front.url, "--run", "--json")
    print(told)
    seen = json.loads(told)
    steps = {"address", "sign-on", "status page", "login", "run", "search", "tile", "cluster"}
    assert steps <= {entry["check"] for entry in seen}
    assert [entry for entry in seen if entry["state"] == "broken"] == []


def test_the_status_page_answers_while_the_hub_is_away(team: Team) -> None:
    assert _tell_hub(team) != "away"
    team.platform.kubectl("scale", "deployment/hub", "--replicas=0")
    try:
        wait_until(lambda: _tell_hub(team) == "away", 120, "it tells", team.platform.explain)
        page = team.ask_stranger("/services/status/")
        assert page.is_success
        assert "Login and notebook servers" in page.text
        assert team.ask_stranger("/hub/login").status_code == 503
        assert team.ask_stranger("/services/api/stac/").is_success
    finally:
        team.platform.kubectl("scale", "deployment/hub", "--replicas=1")
    wait_until(lambda: _tell_hub(team) != "away", 180, "it is back", team.platform.explain)


def _tell_hub(team: Team) -> str:
    """Return what the status page says of the hub."""
    told = team.ask_stranger("/services/status/status.json").json()
    [state] = [part["state"] for part in told["parts"] if part["name"] == "hub"]
    return str(state)


def test_an_undo_brings_the_trial_back(team: Team, platform: Installation, manual: Manual) -> None:
    """The last of this file: what the upgrade changed is as it was before."""
    before = _find_hub(team.platform)
    manual.carry_out(read_command(README, "helm rollback "))
    wait_until(
        lambda: _find_hub(team.platform) not in (None, before), 300, "the hub started anew",
        team.platform.explain,
    )  # fmt: skip
    platform.wait_until_ready()
    platform.open_door()  # what led there has ended with the proxy of before
    password = platform.read_secret("skerry-tokens", "password")
    log_in(platform.url, platform.owner, password).browser.close()


def _wait_for_run(team: Team, person: Person, job: str) -> dict[str, Any]:
    """Wait until the first run of a job has succeeded; return it."""
    listed = f"/production/runs?job={job}"

    def list_ended() -> list[dict[str, Any]]:
        runs = person.ask("GET", listed)["runs"]
        return [run for run in runs if run["status"] == "succeeded"]

    wait_until(
        lambda: bool(list_ended()), _TICK_S, f"a run of {job} has succeeded",
        lambda: f"{person.ask('GET', listed)}\n{team.platform.explain()}",
    )  # fmt: skip
    return list_ended()[-1]


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
