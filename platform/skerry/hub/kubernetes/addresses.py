"""The public address, and a host of their own for each person.

On one host a page from one person's server acts as whoever visits it. With a host for each person
the browser itself keeps them apart: another origin reads no answers, and is sent no cookie that
the hub did not set for it.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.utils import subdomain_hook_idna

from skerry.core.cluster_hub_settings import ClusterHubSettings


def set_addresses(config: Any, settings: ClusterHubSettings) -> None:
    """Say where the hub is, and where each person is."""
    config.JupyterHub.public_url = f"{settings.public_url}/"
    if settings.user_domain is None:
        return
    config.JupyterHub.subdomain_host = settings.public_url
    config.JupyterHub.subdomain_hook = name_hosts(settings.user_domain)
    # A page of a person's host can set cookies for the domain above it. No browser takes a cookie
    # with this prefix from there.
    config.JupyterHub.cookie_host_prefix_enabled = True
    options = {"cookie_options": {"secure": True, "samesite": "Lax"}}
    config.JupyterHub.tornado_settings = {
        **config.JupyterHub.get("tornado_settings", {}),
        **options,
    }


def name_hosts(user_domain: str) -> Callable[[str, str, str], str]:
    """Return the function by which JupyterHub names hosts.

    The platform's parts stay on the hub's own host, below ``/services/``: they are one platform,
    and have the same addresses as on one machine.
    """

    def name_host(name: str, domain: str, kind: str) -> str:
        if kind == "service":
            return domain
        host: str = subdomain_hook_idna(name, user_domain, kind)
        return host

    return name_host


def find_host(public_url: str) -> str:
    """Return the name of the platform's host, without a port."""
    return urlsplit(public_url).hostname or ""
