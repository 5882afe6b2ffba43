"""Servers that nobody uses end: jupyterhub-idle-culler as a service that the hub starts."""

import signal
import sys
from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings, IdleRules

NAME = "idle-culler"
_SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
"""What it needs to find servers and to end them: it can neither start any, nor read a name more."""


def set_idle_culling(config: Any, settings: ClusterHubSettings) -> None:
    """Start the culler with the hub, and give it the scopes that it needs."""
    config.JupyterHub.services.append({"name": NAME, "command": _command(settings.idle)})
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So a shell starts programs in the background, and they their own. The hub ends its culler
        # by SIGINT and waits for 30 s, which is all the time that Kubernetes gives it to end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.JupyterHub.load_roles.append(
        {
            "name": "skerry-idle-culler",
            "description": "Skerry: end servers that nobody uses",
            "scopes": _SCOPES,
            "services": [NAME],
        }
    )


def _command(rules: IdleRules) -> list[str]:
    longest = [f"--max-age={rules.longest_hours * 3600}"] if rules.longest_hours else []
    return [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        f"--timeout={rules.end_after_minutes * 60}",
        f"--cull-every={rules.check_minutes * 60}",
        *longest,
    ]
