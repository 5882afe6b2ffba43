"""JupyterHub reads this file: what z2jh's configuration sets, ours, and spawners without pods."""

import json
import os

from tests.kubernetes.z2jh import read_ours, set_chart

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
set_chart(config, json.loads(os.environ["TEAM"]))
config.JupyterHub.concurrent_spawn_limit = 64
config.JupyterHub.last_activity_interval = 60
config.JupyterHub.authenticate_prometheus = False
read_ours(config)
config.JupyterHub.spawner_class = "tests.scale.spawner.SimulatedSpawner"
config.JupyterHub.cleanup_servers = False
