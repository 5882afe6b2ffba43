"""JupyterHub reads this file in tests: what z2jh's configuration sets, ours, and some people."""

import json
import os

from tests.kubernetes.z2jh import read_ours, set_chart

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
team = json.loads(os.environ["TEAM"])
set_chart(config, team)
read_ours(config)
config.PersonSpawner.port = team["server_port"]  # pods are processes of this machine
config.KubeSpawner.poll_interval = 1
config.JupyterHub.cleanup_servers = False
