"""A real hub, a real Dask gateway and a served api: budgets refuse starts before a pod is made."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from sqlalchemy import Engine
from tests.acceptance.browsing import keep, launch
from tests.cluster_hub import describe_hub
from tests.conftest import find_chromium
from tests.kubernetes.gateway import ClusterGateway, serve_cluster_gateway
from tests.kubernetes.hub import PASSWORD, ClusterHub, serve_cluster_hub
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.test_hub import is_started, started
from tests.platform_process import free_port, wait_until
from tests.served_api import serve_api

from skerry.budgets.amounts import Size
from skerry.budgets.ledger import Reservation, Start, list_open, reserve
from skerry.budgets.limits import Budget, set_budget
from skerry.core.time import utc_now
from skerry.production.hub_servers import HubServers
from skerry.production.spending import SpendingUpkeep
from skerry.storage.database import database_url, using_database

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]


@dataclass
class Platform:
    """The hub, and the database of the api that it asks."""

    hub: ClusterHub
    engine: Engine

    def limit(self, holder: str, hours: int) -> None:
        """Set a budget."""
        with self.engine.begin() as connection:
            set_budget(connection, Budget(holder, core_hours=hours))

    def list_open(self) -> dict[str, Reservation]:
        """Return what is reserved, by thing."""
        with self.engine.begin() as connection:
            return {one.thing: one for one in list_open(connection)}


def list_services(api: str) -> list[dict[str, str]]:
    """Return the services of a hub whose api is at an address."""
    others = [each for each in describe_hub()["services"] if each["name"] != "api"]
    return [*others, {"name": "api", "url": api}, {"name": "spawner"}]


@pytest.fixture(scope="module")
def platform(
    kubernetes: KubernetesServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    port = free_port()  # nobody listens there before the hub has started: it would wait
    url = f"http://127.0.0.1:{port}"
    changes = {"services": list_services(url), "budgets": {"enabled": True, "holdHours": 2}}
    folder = tmp_path_factory.mktemp("hub")
    with (
        kubernetes.namespace() as namespace,
        serve_cluster_hub(kubernetes, namespace, folder, **changes) as hub,
        socket.create_server(("127.0.0.1", port)) as listening,
        serve_api(folder / "data", f"{hub.hub_url}/hub/api", place=(listening, url)) as api,
        using_database(database_url(api.data.database)) as engine,
    ):
        platform = Platform(hub, engine)
        platform.limit("project:lakes", 20)
        yield platform


@pytest.fixture(scope="module")
def gateway(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterGateway]:
    with serve_cluster_gateway(platform.hub, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def test_a_server_that_fits_reserves_and_one_that_does_not_makes_no_pod(
    platform: Platform,
) -> None:
    hub = platform.hub
    with started(hub, "ann", profile="large"):
        [held] = platform.list_open().values()
        assert (held.thing, held.person, held.project) == (
            "server/ann/", "person:ann", "project:lakes",
        )  # fmt: skip
        assert held.size == Size(8000, 64 << 10)
        before = hub.list_pods()
        answer = hub.ask("POST", "users/zoe/server", "zoe", json={"profile": "large"})
        # the hub of z2jh answers before it has asked the spawner
        assert answer.status_code in (202, 409), answer.text
        words = "has 4 of 20 core hours left, and 8 are needed for this server"
        wait_until(lambda: words in hub.log.read_text(), 30, words, hub.explain)
        assert "The budget of project:lakes for" in hub.log.read_text()
        wait_until(lambda: not is_started(hub, "zoe"), 30, "nothing starts", hub.explain)
        assert hub.list_pods() == before
        assert platform.list_open().keys() == {"server/ann/"}
    wait_until(lambda: not platform.list_open(), 30, "it is settled", hub.explain)


@pytest.mark.browser
def test_a_refused_start_says_so_on_its_page_and_leads_on(platform: Platform) -> None:
    hub, executable = platform.hub, find_chromium()
    assert executable is not None
    with started(hub, "ann", profile="large"), sync_playwright() as playwright:
        page = launch(playwright, executable).new_page()
        page.goto(f"{hub.url}/hub/login?next=/hub/spawn")
        page.get_by_label("Username").fill("zoe")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("radio", name="Much memory").check()
        page.get_by_role("button", name="Start").click()
        said = page.get_by_role("alert").filter(has_text="JupyterLab did not start")
        expect(said).to_be_visible(timeout=30_000)
        expect(page.locator("#progress-message")).to_contain_text("of 20 core hours left")
        expect(page.get_by_text("This page leads there")).to_be_hidden()
        expect(page.get_by_role("button", name="Stop Server")).to_be_hidden()
        keep(page, "spawn-refused")
        said.get_by_role("link", name="Choose again").click()
        expect(page.get_by_role("radio", name="Small")).to_be_visible()
    wait_until(lambda: not platform.list_open(), 30, "it is settled", hub.explain)


def test_the_worker_sees_in_the_hub_what_lives_and_releases_the_rest(platform: Platform) -> None:
    hub = platform.hub
    long_ago = utc_now() - timedelta(hours=1)
    with closing(HubServers(f"{hub.hub_url}/hub/api", "token-of-worker-x")) as servers:
        with started(hub, "ann", profile="small"):
            assert servers.list_servers() == {"server/ann/"}
            with platform.engine.begin() as connection:
                lost = Start("x", "server/bob/", "server", Size(1, 1), 60, 60, "person:bob")
                assert reserve(connection, lost, long_ago) is not None
            SpendingUpkeep(platform.engine, None, servers).look()
            [left] = platform.list_open().values()
            assert left.thing == "server/ann/"
            assert left.seen is not None
        assert servers.list_servers() == set()


def test_a_dask_cluster_reserves_all_that_it_may_grow_to_and_gives_back_at_its_end(
    platform: Platform, gateway: ClusterGateway
) -> None:
    answer = gateway.start("zoe", most_workers=4)
    assert answer.status_code == 201, (answer.text, gateway.log.read_text()[-3000:])
    name = answer.json()["name"]
    [held] = platform.list_open().values()
    assert (held.thing, held.person, held.project, held.size.cores) == (
        f"cluster/{name}", "person:zoe", "project:lakes", 5,
    )  # fmt: skip
    refused = gateway.start("ann", most_workers=11)
    assert refused.status_code == 422, refused.text
    assert "The budget of project:lakes for" in refused.text
    assert "12 are needed for this Dask cluster" in refused.text
    assert len(gateway.list_objects()) == 1
    assert gateway.ask("DELETE", f"clusters/{name}", "zoe").is_success
    assert platform.list_open() == {}


def test_while_the_api_is_away_nothing_starts(kubernetes: KubernetesServer, tmp_path: Path) -> None:
    services = list_services(f"http://127.0.0.1:{free_port()}")
    with (
        kubernetes.namespace() as namespace,
        serve_cluster_hub(
            kubernetes, namespace, tmp_path, services=services, budgets={"enabled": True}
        ) as hub,
    ):
        hub.ask("POST", "users/ann/server", "ann", json={"profile": "small"})
        words = "The api does not answer the hub"
        wait_until(lambda: words in hub.log.read_text(), 60, words, hub.explain)
        assert hub.list_pods() == []
