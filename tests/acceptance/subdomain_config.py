"""JupyterHub reads this file in tests: Skerry's configuration of Kubernetes, but without pods.

Servers are processes of this machine. One person has made their own program of their server.
"""

import json
import os
import sys
from pathlib import Path

import skerry.hub.kubernetes

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
team = json.loads(os.environ["TEAM"])
folder = Path(team["folder"])

config.JupyterHub.bind_url = team["bind_url"]
config.JupyterHub.hub_bind_url = team["hub_url"]
config.JupyterHub.ssl_key = str(folder / "tls.key")
config.JupyterHub.ssl_cert = str(folder / "tls.crt")
config.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
config.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
config.ConfigurableHTTPProxy.command = team["proxy_command"]
config.ConfigurableHTTPProxy.api_url = team["proxy_url"]
config.ConfigurableHTTPProxy.auth_token = "token-between-hub-and-proxy"
config.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")
config.JupyterHub.authenticator_class = "shared-password"
config.SharedPasswordAuthenticator.user_password = team["password"]
config.Authenticator.allowed_users = {*team["people"]}
config.JupyterHub.load_groups = {"role:scientist": {"users": team["people"]}}
config.JupyterHub.services = [{"name": "desk", "api_token": team["desk"]}]
config.JupyterHub.load_roles = [
    {"name": "desk", "scopes": ["tokens", "read:users", "servers"], "services": ["desk"]}
]

# as z2jh does: by the text of the file, where this name is another function
c, get_config = config, None
path = Path(skerry.hub.kubernetes.__file__).with_name("jupyterhub_config.py")
exec(compile(path.read_text(), path.name, "exec"))  # noqa: S102


def choose_program(spawner):  # type: ignore[no-untyped-def]
    """Start JupyterLab, or for one person the program that they have put in its place."""
    home = folder / "homes" / spawner.user.name
    home.mkdir(parents=True, exist_ok=True)
    spawner.environment = {
        "HOME": str(home), "SKERRY_END_AFTER_MINUTES": "60", "SKERRY_WARN_MINUTES": "10",
    }  # fmt: skip
    if spawner.user.name == team["stranger"]:
        spawner.cmd = [
            sys.executable,
            str(Path(os.environ["TEAM_CONFIG"]).with_name("own_server.py")),
        ]
    elif os.geteuid() == 0:
        spawner.args = ["--allow-root"]


config.JupyterHub.spawner_class = "simple"
config.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/homes/{{username}}"
config.Spawner.cmd = [sys.executable, "-m", "skerry.hub.kubernetes.user_server"]
config.Spawner.ip = "127.0.0.1"
config.Spawner.port = 0
config.Spawner.pre_spawn_hook = choose_program
config.JupyterHub.cleanup_servers = True
