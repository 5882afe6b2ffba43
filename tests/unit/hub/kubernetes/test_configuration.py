import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cluster_hub import make_hub
from tests.kubespawners import configure
from traitlets.config import Config

from skerry.core.cluster_hub_settings import TOKENS_VARIABLE, IdleRules
from skerry.core.errors import InvalidInputError
from skerry.core.scopes import ADMIN, REVIEWER, RUN, SCIENTIST
from skerry.hub.kubernetes.addresses import name_hosts
from skerry.hub.kubernetes.configuration import configure_hub
from skerry.hub.kubernetes.ends import explain_idleness, explain_pod
from skerry.hub.roles import viewer_scopes

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Any:
    return configure(make_hub(), tmp_path)


def custom(role: dict[str, Any]) -> set[str]:
    return {scope for scope in role["scopes"] if scope.startswith("custom:")}


def test_groups_give_the_roles_of_one_machine_and_nothing_else_does(config: Any) -> None:
    roles = {role["name"]: role for role in config.JupyterHub.load_roles}
    for name, scopes in (("scientist", SCIENTIST), ("reviewer", REVIEWER), ("admin", ADMIN)):
        role = roles[f"skerry-{name}"]
        assert custom(role) == set(map(str, scopes))
        assert (role["groups"], role["users"]) == ([f"role:{name}"], [])
    assert custom(roles["skerry-run"]) == set(map(str, RUN))
    assert roles["skerry-run"]["groups"] == ["projects"]
    assert "skerry-supervisor" not in roles
    everything = [scope for role in roles.values() for scope in role["scopes"]]
    assert not any(scope.startswith("admin") or scope == "tokens" for scope in everything)
    assert config.JupyterHub.load_groups == {"projects": {"users": ["project-main"]}}
    assert config.Authenticator.admin_users == set()


def test_roles_name_no_service_that_the_hub_does_not_know(tmp_path: Path) -> None:
    config = configure(make_hub(services=[{"name": "worker"}]), tmp_path)
    known = {service["name"] for service in config.JupyterHub.services}
    named = {name for role in config.JupyterHub.load_roles for name in role.get("services", [])}
    assert named == known == {"worker", "idle-culler"}


def test_services_are_those_of_one_machine_with_tokens_from_files(config: Any) -> None:
    services = {service["name"]: service for service in config.JupyterHub.services}
    api = services["api"]
    assert (api["url"], api["api_token"]) == ("http://skerry-api:8000", "token-of-api")
    assert api["oauth_client_allowed_scopes"] == viewer_scopes("api")
    assert api["oauth_redirect_uri"] == "/services/api/oauth_callback"
    assert "url" not in services["worker"]
    assert services["dask-gateway"]["url"] == "http://api-dask-gateway:8000", "never its proxy"


def test_what_values_of_the_other_chart_add_stays(tmp_path: Path) -> None:
    before = Config()
    before.JupyterHub.services = [
        {"name": "others", "api_token": "a-token"}, {"name": "api", "api_token": "not-ours"}
    ]  # fmt: skip
    before.JupyterHub.load_roles = [{"name": "others", "scopes": ["read:users"]}]
    before.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    config = configure(make_hub(), tmp_path, before)
    services = {
        service["name"]: service["api_token"] for service in config.JupyterHub.services[:-1]
    }
    assert services["others"] == "a-token"
    assert services["api"] == "token-of-api"
    assert "others" in [role["name"] for role in config.JupyterHub.load_roles]
    assert config.JupyterHub.tornado_settings["slow_spawn_timeout"] == 0


def test_the_culler_ends_servers_and_may_do_nothing_else(config: Any) -> None:
    [culler] = [one for one in config.JupyterHub.services if one["name"] == "idle-culler"]
    assert "--timeout=3600" in culler["command"]
    assert "api_token" not in culler, "the hub makes it"
    [role] = [
        one for one in config.JupyterHub.load_roles if "idle-culler" in one.get("services", [])
    ]
    assert set(role["scopes"]) == {
        "list:users", "read:users:activity", "read:servers", "delete:servers"
    }  # fmt: skip


def test_each_person_has_a_host_and_the_platform_has_one(config: Any) -> None:
    assert config.JupyterHub.subdomain_host == "https://skerry.example"
    assert config.JupyterHub.cookie_host_prefix_enabled
    hook = config.JupyterHub.subdomain_hook
    assert hook("api", "skerry.example", "service") == "skerry.example"
    names = ["ann", "a.nn", "a-nn", "ann@a.org", "ann@b.org", "hub", "www", "ånn", "api--service"]
    hosts = [hook(name, "skerry.example", "user") for name in names]
    assert hosts[0] == "ann.people.skerry.example"
    assert all(host.endswith(".people.skerry.example") for host in hosts)
    assert all(host.count(".") == 3 for host in hosts), "one certificate for all"
    assert len({host.lower() for host in hosts}) == len(names)


def test_a_platform_of_one_person_needs_no_domain(tmp_path: Path) -> None:
    config = configure(make_hub(userDomain=None, onlyPerson="ann"), tmp_path)
    assert "subdomain_host" not in config.JupyterHub
    assert config.JupyterHub.authenticator_class.endswith(".PasswordAuthenticator")
    assert config.Authenticator.allowed_users == {"ann"}
    assert not config.Authenticator.allow_existing_users
    assert not config.Authenticator.allow_all
    [admin] = [one for one in config.JupyterHub.load_roles if one["name"] == "skerry-admin"]
    assert admin["users"] == ["ann"]


@pytest.mark.parametrize("kind", ["null", "dummy", "jupyterhub.auth.DummyAuthenticator"])
def test_a_hub_that_lets_anybody_in_does_not_start(tmp_path: Path, kind: str) -> None:
    before = Config()
    before.JupyterHub.authenticator_class = kind
    with pytest.raises(InvalidInputError, match="Nothing says how people log in"):
        configure(make_hub(), tmp_path, before)


def test_a_provider_lets_people_in_where_the_settings_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_SIGN_ON_SECRET", "the-secret-of-the-client")
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0" * 64)
    provider = {
        "issuer": "https://sso.example", "client_id": "skerry",
        "groups": [{"group": "/eo", "roles": ["scientist"], "projects": ["lakes"]}],
    }  # fmt: skip
    config = configure(make_hub(signOn=provider), tmp_path)
    assert config.JupyterHub.authenticator_class.__name__ == "ProviderAuthenticator"
    assert config.JupyterHub.load_groups == {"lakes": {}, "projects": {"users": ["project-main"]}}
    [role] = [one for one in config.JupyterHub.load_roles if one["name"] == "skerry-scientist"]
    assert role["groups"] == ["role:scientist"]
    with pytest.raises(ValueError, match="does not name onlyPerson"):
        make_hub(signOn=provider, onlyPerson="ann")


def test_hosts_below_another_domain_share_no_cookie_with_the_hub() -> None:
    hook = name_hosts("skerry-people.example")
    assert hook("ann", "skerry.example", "user") == "ann.skerry-people.example"


def pod(**status: Any) -> dict[str, Any]:
    return {"status": {"phase": "Failed", **status}}


def ended(**facts: Any) -> dict[str, Any]:
    return pod(containerStatuses=[{"name": "notebook", "state": {"terminated": facts}}])


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (ended(reason="OOMKilled", exitCode=137), "more memory than its limit of 4 GiB"),
        (ended(reason="Error", exitCode=137), "something killed it"),
        (ended(reason="Error", exitCode=1), "exit code 1"),
        (pod(reason="Evicted", message="The node was low on resource: memory."), "low on resource"),
        (
            pod(conditions=[
                {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
            ]),
            "work of higher priority",
        ),
        (
            pod(conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "New"}]),
            "needed its place (New)",
        ),
    ],
)  # fmt: skip
def test_the_end_of_a_pod_is_explained(seen: dict[str, Any], words: str) -> None:
    limits = {"limits": {"memory": str(4 << 30)}}
    told = explain_pod(
        {**seen, "spec": {"containers": [{"name": "notebook", "resources": limits}]}}
    )
    assert words in told
    assert "Your files are kept" in told


@pytest.mark.parametrize(
    "seen",
    [
        ended(reason="Completed", exitCode=0),
        pod(phase="Running", containerStatuses=[{"name": "notebook", "state": {"running": {}}}]),
        pod(conditions=[{"type": "Ready", "status": "False"}]),
        {},
    ],
)
def test_what_has_not_ended_badly_needs_no_explanation(seen: dict[str, Any]) -> None:
    assert explain_pod(seen) == ""


def test_idle_and_old_servers_are_told_apart_from_those_that_people_end() -> None:
    rules = IdleRules(end_after_minutes=60, longest_hours=24)

    def explain(idle_minutes: float, hours: float) -> str:
        used = NOW - timedelta(minutes=idle_minutes)
        started = (NOW - timedelta(hours=hours)).replace(tzinfo=None)  # as JupyterHub writes it
        return explain_idleness(used, started, rules, NOW)

    assert explain(5, 2) == ""
    assert "nobody used it for 60 minutes" in explain(60, 2)
    assert "end after 24 hours" in explain(5, 24)
    assert "nobody used it" in explain_idleness(None, NOW - timedelta(hours=2), rules, NOW)
    assert explain_idleness(None, None, rules, NOW) == ""


def test_authorities_of_the_settings_are_trusted_by_the_whole_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(make_hub(), tmp_path)
    monkeypatch.setenv(TOKENS_VARIABLE, str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", "/elsewhere.pem")
    configure_hub(config, make_hub())
    assert os.environ["SSL_CERT_FILE"] == "/elsewhere.pem"
    configure_hub(config, make_hub(authorities="/etc/skerry/authorities.pem"))
    assert os.environ["SSL_CERT_FILE"] == "/etc/skerry/authorities.pem"
