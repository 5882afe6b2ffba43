"""Dask Gateway on Kubernetes: who gets in, in which images clusters run, and what they may take.

The gateway's chart keeps its own configuration, which sets addresses and the API of Kubernetes; at
its end it calls `configure_gateway`.
"""

import math
from typing import Any
from urllib.parse import urlsplit

from dask_gateway_server.options import Float, Integer, Options, Select

from skerry.core.cluster_hub_settings import ClusterHubSettings, DaskRules
from skerry.core.errors import InvalidInputError
from skerry.core.hub_profiles import count_bytes
from skerry.core.logs import LOG_FORMAT
from skerry.core.pod_variables import escape_references
from skerry.core.settings import GATEWAY_PREFIX, read_variables
from skerry.hub.kubernetes.budget_desk import BudgetDesk
from skerry.hub.kubernetes.pods import CONTAINER_SECURITY, POD_SECURITY

_SERVICE = "dask-gateway"
_REMEMBERED_S = 5
_DASK = ["python", "-m", "dask"]
_CHECKED = ["--preload", "skerry.hub.dask_hosts"]
_GIB = 1 << 30
_TEMPORARY = "skerry-tmp"


def configure_gateway(config: Any, settings: ClusterHubSettings | None = None) -> None:
    """Set everything that is Skerry's.

    Parameters
    ----------
    config
        The gateway's configuration.
    settings
        The hub's settings; read from the file that `SKERRY_HUB_SETTINGS` names if None.

    Raises
    ------
    InvalidInputError
        If the settings have no limits for Dask clusters.
    """
    settings = settings or ClusterHubSettings.from_environment()
    if settings.dask is None:
        raise InvalidInputError(
            "The settings have no limits for Dask clusters: dask is missing.",
            remedy="Add it to the chart's values, or switch the gateway off.",
        )
    _set_authentication(config, settings)
    _set_clusters(config, settings, settings.dask)
    _set_limits(config, settings.dask)
    _set_budgets(config, settings)
    config.LimitedBackend.start_s = settings.start_minutes * 60
    config.LimitedBackend.cluster_options = offer_options(settings, settings.dask)


def _set_authentication(config: Any, settings: ClusterHubSettings) -> None:
    """Let the hub identify tokens; the chart has said where the hub is, and who this service is."""
    config.DaskGateway.authenticator_class = "skerry.hub.gateway_auth.HubTokenAuthenticator"
    login = config.HubTokenAuthenticator
    login.public_prefix = GATEWAY_PREFIX
    login.public_url = settings.public_url
    login.inner_hosts = _name_inner_hosts(settings)
    login.cache_max_age = _REMEMBERED_S


def _name_inner_hosts(settings: ClusterHubSettings) -> list[str]:
    """Return the names by which pods call the gateway: its own, and that of the inner door."""
    own = [service.url for service in settings.services if service.name == _SERVICE]
    hosts = [urlsplit(url).hostname for url in (settings.inside_url, *own) if url]
    return [host for host in hosts if host]


def _set_clusters(config: Any, settings: ClusterHubSettings, rules: DaskRules) -> None:
    """Start schedulers and workers in pods of the restricted standard."""
    config.DaskGateway.backend_class = "skerry.hub.kubernetes.gateway_backend.LimitedBackend"
    clusters = config.KubeClusterConfig
    clusters.image = settings.images[0].image
    clusters.scheduler_cmd = [*_DASK, "scheduler", *_CHECKED]
    clusters.worker_cmd = [*_DASK, "worker", *_CHECKED]
    inside = {"SKERRY_INTERNAL_URL": settings.internal_url} if settings.internal_url else {}
    clusters.environment = {
        **inside,
        "SKERRY_ALLOWED_HOSTS": ",".join(_name_page_hosts(settings, rules)),
        "DASK_DISTRIBUTED__ADMIN__LOG_FORMAT": LOG_FORMAT,
        "DASK_TEMPORARY_DIRECTORY": "/tmp",  # noqa: S108  (the pod's own)
        "HOME": "/tmp",  # noqa: S108
        "SKERRY_PUBLIC_URL": settings.public_url,
        "SKERRY_URL": settings.public_url,
        **{name: escape_references(value) for name, value in settings.environment.items()},
    }
    pod, container = describe_pod(settings.priority_class), describe_container()
    clusters.scheduler_extra_pod_config = clusters.worker_extra_pod_config = pod
    clusters.scheduler_extra_container_config = clusters.worker_extra_container_config = container


def _name_page_hosts(settings: ClusterHubSettings, rules: DaskRules) -> list[str]:
    """Return the names by which the gateway's proxy is asked for the pages of schedulers."""
    inside = urlsplit(settings.inside_url).hostname
    return [rules.dashboards.partition(":")[0], *([inside] if inside else [])]


def describe_pod(priority_class: str | None) -> dict[str, Any]:
    """Return what the pods of clusters have beside what the gateway writes."""
    priority = {"priorityClassName": priority_class} if priority_class else {}
    return {
        "securityContext": POD_SECURITY,
        "enableServiceLinks": False,
        "volumes": [{"name": _TEMPORARY, "emptyDir": {}}],
        **priority,
    }


def describe_container() -> dict[str, Any]:
    """Return what their containers have beside what the gateway writes."""
    return {
        "securityContext": CONTAINER_SECURITY,
        "workingDir": "/tmp",  # noqa: S108
        "volumeMounts": [{"name": _TEMPORARY, "mountPath": "/tmp"}],  # noqa: S108
    }


def _set_limits(config: Any, rules: DaskRules) -> None:
    clusters = config.KubeClusterConfig
    clusters.scheduler_cores = clusters.scheduler_cores_limit = rules.scheduler_cores
    memory = count_bytes(rules.scheduler_memory)
    clusters.scheduler_memory = clusters.scheduler_memory_limit = memory
    clusters.idle_timeout = rules.idle_minutes * 60
    config.LimitedBackend.rules = rules


def _set_budgets(config: Any, settings: ClusterHubSettings) -> None:
    """Let clusters reserve before they start, with the token that the gateway has at the hub."""
    if settings.budgets.enabled:
        [token] = read_variables("JUPYTERHUB_API_TOKEN")
        desk = BudgetDesk(settings.find_url("api"), token, settings.budgets.hold_hours)
        config.LimitedBackend.desk = desk


def offer_options(settings: ClusterHubSettings, rules: DaskRules) -> Options:
    """Return what somebody may choose for a cluster: an image of the settings, sizes, a number.

    The client sends the image of the server or run that it is in. Another image than those of the
    settings is refused here, whoever asks.
    """
    images = [image.image for image in settings.images]
    return Options(
        Select("image", images, default=images[0], label="Image"),
        Float(
            "worker_cores", rules.worker_cores, min=0.1, max=rules.largest_worker_cores,
            label="Processors of a worker",
        ),
        Float(
            "worker_memory", count_bytes(rules.worker_memory) / _GIB, min=0.25,
            max=count_bytes(rules.largest_worker_memory) / _GIB, label="Memory of a worker (GiB)",
        ),
        Integer(
            "most_workers", 0, min=0, max=10_000,
            label="Workers at most (0: an equal share of your limits)",
        ),
        Integer(
            "least_workers", 0, min=0, max=10_000,
            label="Workers for which there is to be room, where the share is smaller",
        ),
        handler=lambda options: choose_sizes(options, rules),
    )  # fmt: skip


def choose_sizes(options: Any, rules: DaskRules) -> dict[str, Any]:
    """Return the configuration of a cluster with these options; the backend checks its size."""
    cores, memory = options.worker_cores, int(options.worker_memory * _GIB)
    share = max(count_workers(rules, cores, memory), options.least_workers)
    most = options.most_workers or share
    return {
        "image": options.image,
        "worker_cores": cores,
        "worker_cores_limit": cores,
        "worker_threads": max(math.floor(cores), 1),
        "worker_memory": memory,
        "worker_memory_limit": memory,
        "cluster_max_workers": most,
    }


def count_workers(rules: DaskRules, cores: float, memory: int) -> int:
    """Return how many workers fit into an equal share of the limits, at least one.

    Parameters
    ----------
    rules
        The limits of all clusters of a user together.
    cores, memory
        Of one worker; the memory in bytes.
    """
    free_cores = rules.cores_per_user / rules.clusters_per_user - rules.scheduler_cores
    free_memory = count_bytes(rules.memory_per_user) // rules.clusters_per_user - count_bytes(
        rules.scheduler_memory
    )
    return max(1, min(math.floor(free_cores / cores), free_memory // memory))
