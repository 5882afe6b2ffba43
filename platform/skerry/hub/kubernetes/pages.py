"""The hub's pages on Kubernetes: the platform's look, and why a server has ended."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.hub.pages import set_look


def set_pages(config: Any, settings: ClusterHubSettings) -> None:
    """Put our templates before JupyterHub's; the values of a chart may add variables."""
    set_look(config)
    config.JupyterHub.template_vars = {
        "announcement": "",
        **config.JupyterHub.get("template_vars", {}),
        "owner": settings.only_person,
        "last_end": find_last_end,
    }


def find_last_end(user: Any) -> str:
    """Return why a person's server has ended; an empty text if it runs, or if they ended it."""
    if user is None:
        return ""
    spawner = user.spawner
    return "" if spawner.active else spawner.last_end
