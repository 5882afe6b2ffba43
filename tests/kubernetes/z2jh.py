"""What the configuration of the z2jh chart sets of a hub, and how it reads ours."""

from pathlib import Path
from typing import Any

import skerry.hub.kubernetes


def set_chart(config: Any, team: dict[str, Any]) -> None:
    """Set what the chart sets, and people who all have one password.

    Parameters
    ----------
    config
        The hub's configuration.
    team
        Addresses, the folder of the hub, the namespace of servers, people and their groups.
    """
    folder = team["folder"]
    config.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
    config.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    config.JupyterHub.bind_url = team["url"]
    config.JupyterHub.hub_bind_url = config.JupyterHub.hub_connect_url = team["hub_url"]
    config.JupyterHub.db_url = team.get("database", f"sqlite:///{folder}/hub.sqlite")
    config.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"
    config.ConfigurableHTTPProxy.command = team["proxy_command"]
    config.ConfigurableHTTPProxy.api_url = team["proxy_url"]
    config.ConfigurableHTTPProxy.auth_token = "token-between-hub-and-proxy"
    config.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"
    config.Spawner.consecutive_failure_limit = 5
    config.KubeSpawner.namespace = team["namespace"]
    config.KubeSpawner.pod_name_template = "jupyter-{user_server}"
    config.JupyterHub.authenticator_class = "shared-password"
    config.SharedPasswordAuthenticator.user_password = team["password"]
    config.Authenticator.allowed_users = {*team["people"]}
    config.JupyterHub.load_groups = {
        group: {"users": members} for group, members in team["groups"].items()
    }
    config.JupyterHub.services = [{"name": "desk", "api_token": team["desk"]}]
    scopes = ["tokens", "read:users", "servers", "read:services", "read:roles"]
    config.JupyterHub.load_roles = [{"name": "desk", "scopes": scopes, "services": ["desk"]}]


def read_ours(config: Any) -> None:
    """Read our configuration as the chart does: by its text, where `get_config` is another."""
    path = Path(skerry.hub.kubernetes.__file__).with_name("jupyterhub_config.py")
    exec(compile(path.read_text(), path.name, "exec"), {"c": config, "get_config": None})  # noqa: S102
