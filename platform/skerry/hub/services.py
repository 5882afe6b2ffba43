"""The platform's other parts, as the hub's external services."""

from typing import Any

from skerry.core.hub_settings import HubService, HubSettings
from skerry.hub.roles import viewer_scopes

_WITH_LOGIN = frozenset({"api", "maps", "dashboards"})
_WAIT_SECONDS = 5  # they are up before the hub starts; a dead one must not hold the others


def set_services(config: Any, settings: HubSettings) -> None:
    """Tell the hub about each part: its token, its address, its scopes for a viewer."""
    config.JupyterHub.services = [describe_service(service) for service in settings.services]


def describe_service(service: HubService) -> dict[str, Any]:
    """Return a part as JupyterHub wants a service described."""
    spec: dict[str, Any] = {
        "name": service.name,
        "api_token": service.token,
        "display": service.name == "dashboards",
    }
    if service.url is not None:
        spec |= {"url": service.url, "timeout": _WAIT_SECONDS}
    if service.url is not None and service.name in _WITH_LOGIN:
        # They are parts of one platform: no page that asks whether they may know who you are.
        spec |= {
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": viewer_scopes(service.name),
        }
    return spec
