"""`skerry demo`: interrupted, taken up again, repeated, removed."""

import json
import os
import subprocess

import pytest
from tests.platform_process import SKERRY, RunningPlatform, wait_until

from skerry.cli.demo import NAME, SCENES
from skerry.client.session import Session

pytestmark = pytest.mark.long


def list_state(session: Session) -> dict[str, list[str]]:
    """Return what of the demo is there."""
    collections = session.request("GET", "stac/collections")["collections"]
    releases = session.request("GET", "production/releases")["releases"]
    jobs = session.request("GET", "production/jobs")["jobs"]
    runs = session.request("GET", "production/runs")["runs"]
    return {
        "collections": [
            collection["id"] for collection in collections if collection["id"] in (NAME, SCENES)
        ],
        "releases": [release["id"] for release in releases if release["name"] == NAME],
        "jobs": [job["name"] for job in jobs if job["name"] == NAME],
        "runs": [run["id"] for run in runs if run["job"] == NAME],
    }


def list_objects(platform: RunningPlatform) -> set[str]:
    """Return every file of the object store but the pinned environments."""
    root = platform.data / "objects"
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "environments"
    }


@pytest.mark.timeout(900)
def test_the_demo_survives_a_kill_and_is_made_once_and_removed(
    running_platform: RunningPlatform, session: Session
) -> None:
    running_platform.run("demo", "--remove")
    before = list_objects(running_platform)
    process = subprocess.Popen(
        [*SKERRY, "demo"], env=os.environ | running_platform.env, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: bool(list_state(session)["runs"]), 300, "the demo's run is started")
    finally:
        process.kill()
        process.wait()

    first = running_platform.run("demo").stdout.splitlines()[-1]
    state = list_state(session)
    assert {name: len(result) for name, result in state.items()} == {
        "collections": 2,
        "releases": 1,
        "jobs": 1,
        "runs": 1,
    }
    job = session.request("GET", f"production/jobs/{NAME}")
    assert job["parameters"]["item"].startswith(f"{SCENES}/"), "who starts it again has a scene"
    assert running_platform.run("demo").stdout.splitlines() == [first]
    assert list_state(session) == state
    item = first.partition("item=")[2].partition("&")[0]
    output = json.loads(running_platform.run("items", "show", item, "--json").stdout)
    assert output["properties"]["skerry:simulated"] is True
    assert "turbidity" in output["properties"]["skerry:variables"]
    assert first.startswith(f"{running_platform.url}/services/dashboards/map?item={NAME}/")

    running_platform.run("demo", "--remove")
    assert not any(list_state(session).values())
    assert list_objects(running_platform) == before
    running_platform.run("demo", "--remove")
