"""README's chapter about Kubernetes, carried out word for word on an empty node.

Its first two commands install the platform that all tests of this folder share; its undo is the
last test of `test_team`.
"""

import json
import sys

import pytest
from tests.cluster.installation import NAMESPACE, RELEASE, Installation
from tests.cluster.manual import README, Manual, read_block, read_command
from tests.cluster.network import ENTER, run
from tests.platform_process import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_READ = "import urllib.request; print(urllib.request.urlopen({url!r}, timeout=20).read().decode())"


def test_four_commands_lead_to_a_login_page(manual: Manual, platform: Installation) -> None:
    *_, password, door = read_block(README, "helm repo add")
    assert manual.carry_out(password) == platform.read_secret("skerry-tokens", "password")
    assert door.endswith("8000:80")
    with manual.started(door):
        wait_until(lambda: "password" in _read_page(), 60, "the login page", platform.explain)
        page = _read_page()
    assert '<form action="/hub/login' in page
    assert 'name="username"' in page


def _read_page() -> str:
    """Return the login page as a browser on the machine of the port-forward gets it."""
    read = _READ.format(url="http://localhost:8000/hub/login")
    try:
        return run(*ENTER, sys.executable, "-c", read)
    except RuntimeError:
        return ""


def test_an_upgrade_with_the_same_values_replaces_none_of_our_pods(
    manual: Manual, platform: Installation
) -> None:
    """The hub's chart replaces hub and proxy at its first upgrade: their tokens are kept then."""
    before, earlier = _list_own_pods(platform), _read_revision(manual)
    manual.carry_out(read_command(README, "helm upgrade "))
    platform.wait_until_ready()
    platform.open_door()
    assert _list_own_pods(platform) == before
    assert _read_revision(manual) == earlier + 1


def _read_revision(manual: Manual) -> int:
    """Return the number of what is installed."""
    words = f"helm history {RELEASE} --namespace {NAMESPACE} --output json"
    [number] = [
        entry["revision"] for entry in json.loads(manual.carry_out(words))
        if entry["status"] == "deployed"
    ]  # fmt: skip
    return int(number)


def _list_own_pods(platform: Installation) -> set[str]:
    """Return the pods of the chart's own parts that stay: no Job's."""
    running = platform.list_pods("--field-selector=status.phase=Running")
    return {
        pod["metadata"]["name"] for pod in running
        if pod["metadata"]["name"].startswith("skerry-")
        and pod["metadata"]["ownerReferences"][0]["kind"] != "Job"
    }  # fmt: skip
