"""The one public port: configurable-http-proxy, and the hub behind it."""

from typing import Any

from skerry.core.hub_settings import HubSettings


def set_addresses(config: Any, settings: HubSettings) -> None:
    """Bind the public and the hub's internal address, both on loopback."""
    config.JupyterHub.bind_url = f"{settings.public_url}/"
    config.JupyterHub.hub_bind_url = settings.hub_url
    # The absolute address in links that leave the browser (JUPYTERHUB_PUBLIC_URL).
    config.JupyterHub.public_url = f"{settings.public_url}/"


def set_proxy(config: Any, settings: HubSettings) -> None:
    """Start configurable-http-proxy with our own Node, its routing table behind a token."""
    config.ConfigurableHTTPProxy.command = settings.proxy_command
    config.ConfigurableHTTPProxy.api_url = settings.proxy_api_url
    config.ConfigurableHTTPProxy.auth_token = settings.proxy_token
    config.ConfigurableHTTPProxy.pid_file = str(settings.proxy_pid_file)
    config.ConfigurableHTTPProxy.log_level = "warn"
