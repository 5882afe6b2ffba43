"""The whole configuration of the hub on Kubernetes: each setter does one thing."""

import os
from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.hub.kubernetes.accounts import set_accounts
from skerry.hub.kubernetes.addresses import set_addresses
from skerry.hub.kubernetes.budgets import set_budgets
from skerry.hub.kubernetes.idle import set_idle_culling
from skerry.hub.kubernetes.pages import set_pages
from skerry.hub.kubernetes.pods import set_pods
from skerry.hub.kubernetes.profiles import set_profiles
from skerry.hub.kubernetes.roles import set_roles
from skerry.hub.kubernetes.services import set_services
from skerry.hub.kubernetes.user_servers import set_user_servers
from skerry.hub.kubernetes.volumes import set_volumes
from skerry.hub.state import set_token_lives


def configure_hub(config: Any, settings: ClusterHubSettings) -> None:
    """Set everything that is Skerry's; what z2jh has set elsewhere stays.

    Raises
    ------
    SkerryError
        If a secret is missing, or the settings contradict what is there.
    """
    _set_authorities(settings)
    set_addresses(config, settings)
    set_services(config, settings)
    set_roles(config, settings)
    set_token_lives(config)
    set_accounts(config, settings)
    set_user_servers(config, settings)
    set_pods(config, settings)
    set_volumes(config, settings)
    set_profiles(config, settings)
    set_budgets(config, settings)
    set_idle_culling(config, settings)
    set_pages(config, settings)


def _set_authorities(settings: ClusterHubSettings) -> None:
    """Let all that this process asks, such as the provider, be trusted by these authorities too."""
    if settings.authorities is not None:
        os.environ["SSL_CERT_FILE"] = settings.authorities
