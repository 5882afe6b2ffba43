"""JupyterHub reads this file in tests: Skerry's own configuration, and people of a provider.

Servers are a small page in a process of this machine, which remembers as a pod's does why it ended.
"""

import os
import sys
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import Unicode

from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.hub.kubernetes.pages import find_last_end
from skerry.hub.sign_on import set_sign_on

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
load_subconfig(os.environ["SIGN_ON_BASE"])  # type: ignore[name-defined]  # noqa: F821

config.JupyterHub.subdomain_host = config.JupyterHub.public_url.rstrip("/")
config.JupyterHub.bind_url = f"http://127.0.0.1:{config.JupyterHub.bind_url.rpartition(':')[2]}"
set_sign_on(config, SignOnSettings.model_validate_json(os.environ["SIGN_ON_SETTINGS"]))


class RememberingSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]
    """A person's server, and why it ended."""

    last_end = Unicode("")

    def get_state(self):  # type: ignore[no-untyped-def]
        """Return what the hub's database keeps."""
        return {**super().get_state(), "last_end": self.last_end}

    def load_state(self, state):  # type: ignore[no-untyped-def]
        """Take back what the hub's database has kept."""
        super().load_state(state)
        self.last_end = state.get("last_end", "")


config.JupyterHub.spawner_class = RememberingSpawner
config.JupyterHub.template_vars["last_end"] = find_last_end
config.Spawner.args = []
config.Spawner.cmd = [sys.executable, os.environ["SIGN_ON_SERVER"]]
config.Spawner.pre_spawn_hook = lambda spawner: Path(
    spawner.home_dir_template.format(username=spawner.user.name)
).mkdir(parents=True, exist_ok=True)
