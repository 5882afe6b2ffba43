"""Each person's JupyterLab on Kubernetes: how it starts, its environment, what its token may do."""

from typing import Any

from skerry.core.cluster_hub_settings import ClusterHubSettings, IdleRules
from skerry.core.pod_variables import escape_references
from skerry.core.settings import GATEWAY_PREFIX
from skerry.hub.user_servers import DASK_VARIABLES, server_scopes

_LONGEST_INTERVAL_S = 300
_MESSAGES = 5
DASHBOARDS_VARIABLE = "SKERRY_DASK_DASHBOARDS"
"""``host:port`` of the gateway's proxy, where the dashboards of all clusters are."""

DASHBOARDS_PLACE = "skerry/dask"
"""Where a person's server shows the dashboards of their clusters, below its own address."""


def set_user_servers(config: Any, settings: ClusterHubSettings) -> None:
    """Start `skerry.hub.kubernetes.user_server` in the image that the person chose.

    z2jh sets KubeSpawner's own values, also where nothing was asked for: only those of our class
    go before them. Variables that the chart's values add stay.
    """
    config.JupyterHub.spawner_class = "skerry.hub.kubernetes.spawner.PersonSpawner"
    servers = config.PersonSpawner
    servers.settings = settings
    servers.cmd = ["python", "-m", "skerry.hub.kubernetes.user_server"]
    servers.args = []
    servers.ip = "0.0.0.0"  # noqa: S104  (in a pod: its NetworkPolicy says who gets there)
    servers.port = 8888
    servers.default_url = "/lab"
    added = config.KubeSpawner.get("environment", {})
    servers.environment = {**added, **user_environment(settings)}
    servers.server_token_scopes = server_scopes()
    servers.start_timeout = settings.start_minutes * 60
    servers.http_timeout = 120
    # z2jh lets the hub end itself after five starts in a row that failed: any person could cause
    # that, by a profile that no node has room for
    servers.consecutive_failure_limit = 0
    config.JupyterHub.cleanup_servers = False  # a hub that starts again finds them


def user_environment(settings: ClusterHubSettings) -> dict[str, Any]:
    """Return the environment in which `skerry` and Dask work in a notebook without settings."""
    inside = {"SKERRY_INTERNAL_URL": settings.internal_url} if settings.internal_url else {}
    idle = settings.idle
    return {
        "SKERRY_URL": settings.public_url,
        **inside,
        **_dask_environment(settings),
        "JUPYTERHUB_ACTIVITY_INTERVAL": str(choose_interval(idle)),
        "SKERRY_END_AFTER_MINUTES": str(idle.end_after_minutes),
        "SKERRY_WARN_MINUTES": str(idle.warn_minutes),
        "HOME": settings.home.mount,
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        **{
            name: escape_braces(escape_references(value))
            for name, value in settings.environment.items()
        },
    }


def choose_interval(idle: IdleRules) -> int:
    """Return every how many seconds a server tells the hub when it was used last.

    Several times before the hub would end it: a message may be late, or lost.
    """
    return min(_LONGEST_INTERVAL_S, idle.end_after_minutes * 60 // _MESSAGES)


def _dask_environment(settings: ClusterHubSettings) -> dict[str, Any]:
    if settings.dask is None:
        return {}

    def name_dashboards(spawner: Any) -> str:
        """Dashboards answer without credentials, so they are reached through the user's server."""
        return f"{spawner.public_url.rstrip('/')}/{DASHBOARDS_PLACE}"

    return {
        "DASK_GATEWAY__ADDRESS": f"{settings.inside_url}{GATEWAY_PREFIX}",
        "DASK_GATEWAY__PROXY_ADDRESS": settings.dask.proxy_address,
        "DASK_GATEWAY__PUBLIC_ADDRESS": name_dashboards,
        # Dask fills in the variable: workers get the image that the notebook runs in.
        "DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE": escape_braces("{JUPYTER_IMAGE_SPEC}"),
        DASHBOARDS_VARIABLE: settings.dask.dashboards,
        **DASK_VARIABLES,
    }


def escape_braces(text: str) -> str:
    """Return a text that KubeSpawner, which fills in names in braces, leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
