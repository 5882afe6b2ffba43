"""Each person's JupyterLab: how it starts, its environment, its home folder."""

import os
import sys
from pathlib import Path
from typing import Any

from skerry.core.hosts import allowed_hosts
from skerry.core.hub_settings import HubSettings
from skerry.core.settings import GATEWAY_PREFIX
from skerry.hub.home import seed_home
from skerry.hub.roles import notebook_scopes

_HERE = Path(__file__).parent
_LEAN_START = "skerry.hub.lean_start"


def set_user_servers(config: Any, settings: HubSettings) -> None:
    """Start JupyterLab as a process of this machine's user, below the users' folder."""
    config.JupyterHub.spawner_class = "simple"
    config.SimpleLocalProcessSpawner.home_dir_template = f"{settings.users}/{{username}}"
    config.Spawner.cmd = [sys.executable, "-m", _LEAN_START, "jupyterhub.singleuser"]
    config.Spawner.args = [
        *(["--allow-root"] if os.geteuid() == 0 else []),
        # the hub's server would answer to any name
        "--ServerApp.allow_remote_access=False",
        *(f"--ServerApp.local_hostnames={name}" for name in allowed_hosts(settings.public_url)),
    ]
    config.Spawner.ip = "127.0.0.1"
    config.Spawner.default_url = "/lab"
    config.Spawner.environment = user_environment(settings)
    config.Spawner.server_token_scopes = server_scopes()
    config.Spawner.pre_spawn_hook = lambda spawner: seed_home(
        settings.users / spawner.user.name, settings.notebooks
    )
    config.Spawner.start_timeout = 60
    config.Spawner.http_timeout = 60
    # `skerry down` promises an end within 10 s.
    config.LocalProcessSpawner.interrupt_timeout = 2
    config.LocalProcessSpawner.term_timeout = 2
    config.LocalProcessSpawner.kill_timeout = 1


def server_scopes() -> list[str]:
    """Return what the token of a user server may do, which all notebooks there have."""
    return ["users:activity!user", "access:servers!server", *notebook_scopes()]


def lab_environment() -> dict[str, str]:
    """Return the variables that give Lab our settings, and kernels their first line."""
    return {
        "JUPYTER_CONFIG_PATH": str(_HERE / "lab"),
        "PYTHONSTARTUP": str(_HERE / "kernel_startup.py"),
    }


DASK_VARIABLES = {
    "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
    "DASK_LABEXTENSION__FACTORY__MODULE": "dask_gateway",
    "DASK_LABEXTENSION__FACTORY__CLASS": "GatewayCluster",
}
"""How notebooks and Lab make Dask clusters."""


def user_environment(settings: HubSettings) -> dict[str, str]:
    """Return the environment in which `skerry` and Dask work in a notebook without settings."""
    address = f"{settings.public_url}{GATEWAY_PREFIX}"
    dashboards = (
        f"{settings.public_url}/user/{settings.owner}/proxy/{settings.gateway_dashboards_port}"
    )
    return {
        "DASK_GATEWAY__ADDRESS": address,
        # Dashboards answer without credentials, so they are reached through the user's server.
        "DASK_GATEWAY__PUBLIC_ADDRESS": dashboards,
        **DASK_VARIABLES,
        **lab_environment(),
        **settings.user_environment,
    }
