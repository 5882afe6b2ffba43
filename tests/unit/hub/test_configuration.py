from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets.config import Config

from skerry.core.errors import InvalidInputError
from skerry.core.hub_settings import GatewaySettings, HubService, HubSettings
from skerry.core.scopes import ADMIN, RUN, Scope
from skerry.hub.accounts import set_accounts
from skerry.hub.gateway import set_addresses as set_gateway_addresses
from skerry.hub.gateway import set_authentication, set_clusters, set_limits, worker_memory
from skerry.hub.home import seed_home
from skerry.hub.proxy import set_addresses, set_proxy
from skerry.hub.roles import notebook_scopes, set_roles, viewer_scopes
from skerry.hub.services import set_services
from skerry.hub.state import set_state
from skerry.hub.user_servers import set_user_servers

GIB = 1024**3


@pytest.fixture
def settings(tmp_path: Path) -> HubSettings:
    return HubSettings(
        public_url="http://127.0.0.1:8000",
        hub_url="http://127.0.0.1:20001",
        proxy_api_url="http://127.0.0.1:20002",
        proxy_command=["node", "proxy.js"],
        proxy_token="proxy-token",
        proxy_pid_file=tmp_path / "proxy.pid",
        database=tmp_path / "hub.sqlite",
        cookie_secret=tmp_path / "cookie",
        users=tmp_path / "users",
        notebooks=tmp_path / "notebooks",
        owner="ann",
        password="a long password",
        password_file=tmp_path / "password",
        project="project-main",
        services=[
            HubService(name="api", token="t1", url="http://127.0.0.1:20003"),
            HubService(name="worker", token="t2"),
        ],
        gateway_dashboards_port=20004,
        user_environment={"SKERRY_URL": "http://127.0.0.1:8000"},
    )


@pytest.fixture
def config() -> Any:
    return Config()


def test_addresses_are_those_given(config: Any, settings: HubSettings) -> None:
    set_addresses(config, settings)
    set_proxy(config, settings)
    assert config.JupyterHub.bind_url == "http://127.0.0.1:8000/"
    assert config.JupyterHub.hub_bind_url == settings.hub_url
    assert config.ConfigurableHTTPProxy.command == ["node", "proxy.js"]
    assert config.ConfigurableHTTPProxy.api_url == settings.proxy_api_url


def test_state_ends_with_the_hub(config: Any, settings: HubSettings) -> None:
    set_state(config, settings)
    assert config.JupyterHub.cleanup_servers
    assert config.JupyterHub.cleanup_proxy
    assert str(settings.database) in config.JupyterHub.db_url
    assert config.JupyterHub.upgrade_db


def test_only_the_owner_may_log_in(config: Any, settings: HubSettings) -> None:
    set_accounts(config, settings)
    assert config.Authenticator.allowed_users == {"ann"}
    assert not config.Authenticator.allow_all
    assert not config.Authenticator.allow_existing_users
    assert not config.Authenticator.admin_users
    assert config.JupyterHub.load_groups == {"projects": {"users": ["project-main"]}}


def test_roles_give_each_what_it_needs(config: Any, settings: HubSettings) -> None:
    set_roles(config, settings)
    roles = {role["name"]: role for role in config.JupyterHub.load_roles}
    assert set(config.JupyterHub.custom_scopes) == {str(scope) for scope in Scope}
    assert roles["skerry-admin"]["users"] == ["ann"]
    assert {scope for scope in roles["skerry-admin"]["scopes"] if "custom" in scope} == {
        str(scope) for scope in ADMIN
    }
    assert roles["skerry-run"]["groups"] == ["projects"]
    assert {scope for scope in roles["skerry-run"]["scopes"] if "custom" in scope} == {
        str(scope) for scope in RUN
    }
    everything = [scope for role in roles.values() for scope in role["scopes"]]
    assert "tokens" not in everything
    assert not any(scope.startswith("admin") for scope in everything)
    assert "tokens!group=projects" in roles["skerry-worker"]["scopes"]
    assert "tokens!user=ann" in roles["skerry-supervisor"]["scopes"]


def test_nobody_publishes_as_a_run() -> None:
    assert str(Scope.RUN_PUBLISH) not in notebook_scopes()


@pytest.mark.parametrize("service", ["api", "maps", "dashboards"])
def test_pages_and_notebooks_do_not_decide(service: str) -> None:
    reading = {
        Scope.CATALOG_READ, Scope.CATALOG_WITHDRAWN, Scope.PRODUCTION_READ, Scope.PLATFORM_ADMIN,
    }  # fmt: skip
    if service == "dashboards":
        # runs are started from its pages, and owners of projects decide there
        reading |= {Scope.PRODUCTION_OPERATE, Scope.PROJECTS_DECIDE}
    if service != "maps":
        reading |= {Scope.BUDGETS_READ, Scope.PROJECTS_READ}
    changing = {str(scope) for scope in Scope if scope not in reading}
    assert changing.isdisjoint(viewer_scopes(service))
    # nobody works with withdrawn data in a notebook unawares
    for scope in (
        Scope.PRODUCTION_APPROVE, Scope.PRODUCTION_OPERATE, Scope.PLATFORM_ADMIN,
        Scope.CATALOG_WITHDRAWN, Scope.PROJECTS_DECIDE,
    ):  # fmt: skip
        assert str(scope) not in notebook_scopes()


def test_services_are_external_and_log_in_without_asking(
    config: Any, settings: HubSettings
) -> None:
    set_services(config, settings)
    api, worker = config.JupyterHub.services
    assert api["url"] == "http://127.0.0.1:20003"
    assert api["oauth_no_confirm"]
    assert api["oauth_client_allowed_scopes"] == viewer_scopes("api")
    assert "command" not in api
    assert worker == {"name": "worker", "api_token": "t2", "display": False}


def test_user_servers_know_the_platform(config: Any, settings: HubSettings) -> None:
    set_user_servers(config, settings)
    environment = config.Spawner.environment
    assert environment["SKERRY_URL"] == settings.public_url
    assert environment["DASK_GATEWAY__PUBLIC_ADDRESS"].endswith("/user/ann/proxy/20004")
    assert Path(environment["PYTHONSTARTUP"]).is_file()
    assert (Path(environment["JUPYTER_CONFIG_PATH"]) / "jupyter_server_config.json").is_file()
    assert "access:services" in config.Spawner.server_token_scopes
    hook = config.Spawner.pre_spawn_hook
    hook(SimpleNamespace(user=SimpleNamespace(name="ann")))
    assert (settings.users / "ann").is_dir()


def test_home_receives_each_notebook_once(tmp_path: Path) -> None:
    notebooks, home = tmp_path / "notebooks", tmp_path / "users" / "ann"
    (notebooks / "tutorials").mkdir(parents=True)
    (notebooks / "tutorials" / "first.ipynb").write_text("first")
    seed_home(home, notebooks)
    copied = home / "tutorials" / "first.ipynb"
    assert copied.read_text() == "first"

    copied.write_text("changed by the person")
    (notebooks / "tutorials" / "second.ipynb").write_text("second")
    seed_home(home, notebooks)
    assert copied.read_text() == "changed by the person"
    assert (home / "tutorials" / "second.ipynb").read_text() == "second"

    copied.unlink()
    seed_home(home, notebooks)
    assert not copied.exists()


def test_home_keeps_a_file_that_was_there_first(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.ipynb").write_text("ours")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a.ipynb").write_text("theirs")
    seed_home(tmp_path / "home", tmp_path / "notebooks")
    assert (tmp_path / "home" / "a.ipynb").read_text() == "theirs"


def test_gateway_listens_where_it_is_told(config: Any, tmp_path: Path) -> None:
    gateway = GatewaySettings(
        api_address="127.0.0.1:20001",
        dashboards_address="127.0.0.1:20002",
        scheduler_address="127.0.0.1:20003",
        public_url="http://127.0.0.1:8000",
        prefix="/services/dask-gateway",
        clusters=tmp_path,
        cluster_environment={"SKERRY_PART": "gateway"},
    )
    set_gateway_addresses(config, gateway)
    set_authentication(config, gateway)
    set_clusters(config, gateway)
    set_limits(config)
    assert config.DaskGateway.address == gateway.api_address
    assert config.Proxy.address == gateway.dashboards_address
    assert config.HubTokenAuthenticator.cache_max_age <= 10  # a revoked token ends within 10 s
    assert config.ClusterConfig.scheduler_cmd[1:4] == ["-m", "dask", "scheduler"]
    assert config.ClusterConfig.worker_cmd[1:4] == ["-m", "dask", "worker"]
    assert config.ClusterConfig.worker_cmd[-2:] == ["--host", "127.0.0.1"]
    assert config.ClusterConfig.idle_timeout > 0
    assert config.ClusterConfig.cluster_max_workers >= 2


@pytest.mark.parametrize(
    ("total", "workers", "expected"),
    [(4 * GIB, 2, GIB), (2 * GIB, 4, GIB), (64 * GIB, 8, 2 * GIB), (6 * GIB, 2, 3 * GIB // 2)],
)
def test_worker_memory_is_one_to_two_gib(total: int, workers: int, expected: int) -> None:
    assert worker_memory(total, workers) == expected


def test_settings_without_a_file_say_who_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKERRY_HUB_SETTINGS", raising=False)
    with pytest.raises(InvalidInputError, match="SKERRY_HUB_SETTINGS"):
        HubSettings.from_environment("SKERRY_HUB_SETTINGS")
