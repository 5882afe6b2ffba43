"""What the hub remembers and for how long, and what it leaves behind when it stops."""

from typing import Any

from skerry.core.hub_settings import HubSettings
from skerry.core.logs import LOG_FORMAT

_VISIT_S = 12 * 3600
_LONGEST_S = 30 * 24 * 3600


def set_token_lives(config: Any) -> None:
    """Let the tokens of visits end after 12 hours, and those that a person asks for after 30 days.

    A browser whose token has ended gets another through the hub, without a word while the login
    there is good. The token of a user server ends with the server, the hub knows no other end.
    """
    config.JupyterHub.oauth_token_expires_in = _VISIT_S
    config.JupyterHub.token_expires_in_max_seconds = _LONGEST_S


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
