"""What the hub remembers, and what it leaves behind when it stops."""

from typing import Any

from skerry.core.hub_settings import HubSettings
from skerry.core.logs import LOG_FORMAT


def set_state(config: Any, settings: HubSettings) -> None:
    """Keep database and cookie secret beside the platform's own; stop everything at the end."""
    config.JupyterHub.db_url = f"sqlite:///{settings.database}"
    # After an upgrade of JupyterHub: it copies the database first, then brings it up to date.
    config.JupyterHub.upgrade_db = True
    config.JupyterHub.cookie_secret_file = str(settings.cookie_secret)
    config.JupyterHub.cleanup_proxy = True
    config.JupyterHub.cleanup_servers = True
    config.JupyterHub.log_level = "INFO"
    config.JupyterHub.log_format = LOG_FORMAT
