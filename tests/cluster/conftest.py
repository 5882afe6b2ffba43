"""The node, the platform on it and the person there that the tests in this folder share.

With KUBECONFIG and SKERRY_CLUSTER_VALUES the platform is installed on that cluster, with that file
of values, which name images that the cluster can have. Tests of the node itself are left out then.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.cluster.installation import Installation
from tests.cluster.manual import README, Manual, open_manual, read_block
from tests.cluster.node import RealNode, run_node
from tests.cluster.person import Person, log_in
from tests.cluster.preparation import copy_whole_chart, prepare
from tests.cluster.team_image import TeamImage, bring_team_image
from tests.cluster.work import Work
from tests.platform_process import free_port

CONFIG = os.environ.get("KUBECONFIG", "")
VALUES = os.environ.get("SKERRY_CLUSTER_VALUES", "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests of the node itself where another cluster is named."""
    if CONFIG and not VALUES:
        raise pytest.UsageError(
            "KUBECONFIG is set: name a file of values in SKERRY_CLUSTER_VALUES, or unset it"
        )
    own = [item for item in items if CONFIG and "node" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in own]
    config.hook.pytest_deselected(items=own)


@pytest.fixture(scope="session")
def node() -> Iterator[RealNode]:
    """Return a cluster of one real node."""
    with run_node() as node:
        yield node


@pytest.fixture(scope="session")
def manual(node: RealNode) -> Iterator[Manual]:
    """Return a shell for commands of the documentation."""
    with open_manual(node.folder / "manual", node.config) as manual:
        yield manual


@pytest.fixture(scope="session")
def platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Return the whole chart on a cluster, open on this machine."""
    if CONFIG:
        port = free_port()
        values = yaml.safe_load(Path(VALUES).read_text())
        values["publicUrl"] = f"http://localhost:{port}"
        chart = copy_whole_chart(tmp_path_factory.mktemp("chart"))
        installation = Installation(Path(CONFIG), chart, values, port)
        print(installation.install())
    else:
        manual = request.getfixturevalue("manual")
        installation = prepare(request.getfixturevalue("node"), manual.chart)
        manual.write_values(installation.values)
        for command in read_block(README, "helm repo add")[:2]:
            print(manual.carry_out(command))
        installation.wait_until_ready()
    with installation.opened():
        yield installation
    installation.uninstall()


@pytest.fixture(scope="session")
def owner(platform: Installation) -> Iterator[Person]:
    """Return the one person of the trial, logged in at the page, with a server."""
    password = platform.read_secret("skerry-tokens", "password")
    person = log_in(platform.url, platform.owner, password)
    person.start_server()
    yield person
    person.stop_server()
    person.browser.close()


@pytest.fixture(scope="session")
def work(platform: Installation, owner: Person) -> Work:
    """Return the owner's job, of which tests start runs."""
    return Work(platform, owner)


@pytest.fixture(scope="session")
def team_image(node: RealNode) -> TeamImage:
    """Return an image with a team's own package."""
    return bring_team_image(node.containerd, node.folder)


@pytest.fixture(scope="session")
def team_environment(owner: Person, team_image: TeamImage) -> str:
    """Return the digest of that image's environment, as a proposal shows it."""
    proposal = owner.ask("POST", "/production/releases", json=team_image.propose("lakes"))
    return str(proposal["environment_digest"])
