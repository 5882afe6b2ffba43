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
    config.Spawner.server_token_scopes = [
        "users:activity!user",
        "access:servers!server",
        *notebook_scopes(),
    ]
    config.Spawner.pre_spawn_hook = lambda spawner: seed_home(
        settings.users / spawner.user.name, settings.notebooks
    )
    config.Spawner.start_timeout = 60
    config.Spawner.http_timeout = 60
    # `skerry down` promises an end within 10 s.
    config.LocalProcessSpawner.interrupt_timeout = 2
    config.LocalProcessSpawner.term_timeout = 2
    config.LocalProcessSpawner.kill_timeout = 1


def user_environment(settings: HubSettings) -> dict[str, str]:
    """Return the environment in which `skerry` and Dask work in a notebook without settings."""
    address = f"{settings.public_url}{GATEWAY_PREFIX}"
    dashboards = (
        f"{settings.public_url}/user/{settings.owner}/proxy/{settings.gateway_dashboards_port}"
    )
    return {
        "DASK_GATEWAY__ADDRESS": address,
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
        # Dashboards answer without credentials, so they are reached through the user's server.
        "DASK_GATEWAY__PUBLIC_ADDRESS": dashboards,
        "DASK_LABEXTENSION__FACTORY__MODULE": "dask_gateway",
        "DASK_LABEXTENSION__FACTORY__CLASS": "GatewayCluster",
        # Settings of our own for Lab, and a line that each kernel runs first.
        "JUPYTER_CONFIG_PATH": str(_HERE / "lab"),
        "PYTHONSTARTUP": str(_HERE / "kernel_startup.py"),
        **settings.user_environment,
    }
