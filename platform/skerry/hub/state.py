"""The hub's state: how long tokens live, where its database is, and what ends when it stops."""

from typing import Any

from skerry.core.hub_settings import HubSettings
from skerry.core.logs import LOG_FORMAT

_VISIT_S = 12 * 3600
_LONGEST_S = 30 * 24 * 3600


def set_token_lives(config: Any) -> None:
    """Limit tokens of browser visits to 12 hours, and tokens that a person requests to 30 days.

    A browser whose token has ended gets another through the hub, without a question while the
    login there is valid. The token of a user server ends only with the server.
    """
    config.JupyterHub.oauth_token_expires_in = _VISIT_S
    config.JupyterHub.token_expires_in_max_seconds = _LONGEST_S


def set_state(config: Any, settings: HubSettings) -> None:
    """Put database and cookie secret into the data folder; stop everything at the end."""
    config.JupyterHub.db_url = f"sqlite:///{settings.database}"
    # After an upgrade of JupyterHub: it copies the database first, then brings it up to date.
    config.JupyterHub.upgrade_db = True
    config.JupyterHub.cookie_secret_file = str(settings.cookie_secret)
    config.JupyterHub.cleanup_proxy = True
    config.JupyterHub.cleanup_servers = True
    config.JupyterHub.log_level = "INFO"
    config.JupyterHub.log_format = LOG_FORMAT
