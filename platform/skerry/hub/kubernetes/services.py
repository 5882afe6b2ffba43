"""The platform's other parts, as external services of a hub on Kubernetes."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings, read_token
from skerry.core.hub_settings import HubService
from skerry.hub.services import describe_service


def set_services(config: Any, settings: ClusterHubSettings) -> None:
    """Tell the hub about each part; services that the chart's values add stay.

    Raises
    ------
    InvalidInputError
        If the token of a part is missing.
    """
    ours = [
        HubService(name=service.name, url=service.url, token=read_token(service.name))
        for service in settings.services
    ]
    names = {service.name for service in ours}
    others = [one for one in config.JupyterHub.get("services", []) if one["name"] not in names]
    config.JupyterHub.services = [*others, *map(_describe_on_one_host, ours)]


def _describe_on_one_host(service: HubService) -> dict[str, Any]:
    """Return a part that the hub sends browsers back to by a path, as on one machine.

    With a host for each person JupyterHub would expect a full address there, and refuse a path.
    """
    spec = describe_service(service)
    if "oauth_client_allowed_scopes" in spec:
        spec["oauth_redirect_uri"] = f"/services/{service.name}/oauth_callback"
    return spec
