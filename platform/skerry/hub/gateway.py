"""Dask Gateway on one machine: addresses, login, processes, limits."""

import os
import sys
from typing import Any

import psutil

from skerry.core.hub_settings import GatewaySettings
from skerry.core.logs import LOG_FORMAT

_DASK = [sys.executable, "-m", "dask"]
_CHECKED = ["--preload", "skerry.hub.dask_hosts"]
_LOOPBACK = "127.0.0.1"
_GIB = 1024**3
_MAX_WORKERS = 8
_IDLE_SECONDS = 900
_REMEMBERED_S = 5


def set_addresses(config: Any, settings: GatewaySettings) -> None:
    """Bind the API (public through the hub's proxy), dashboards and schedulers to loopback."""
    config.DaskGateway.address = settings.api_address
    config.DaskGateway.log_level = "INFO"
    config.DaskGateway.log_format = LOG_FORMAT
    config.Proxy.address = settings.dashboards_address
    config.Proxy.tcp_address = settings.scheduler_address
    config.Proxy.log_level = "warn"


def set_authentication(config: Any, settings: GatewaySettings) -> None:
    """Let the hub identify tokens; address and service name come from the environment."""
    config.DaskGateway.authenticator_class = "skerry.hub.gateway_auth.HubTokenAuthenticator"
    config.HubTokenAuthenticator.public_prefix = settings.prefix
    config.HubTokenAuthenticator.public_url = settings.public_url
    # the gateway's own cookie must not outlive a revoked token by its usual five minutes
    config.HubTokenAuthenticator.cache_max_age = _REMEMBERED_S


def set_clusters(config: Any, settings: GatewaySettings) -> None:
    """Start schedulers and workers as processes of this machine's user.

    distributed has no ``dask-scheduler`` and ``dask-worker`` scripts any more. Schedulers are told
    by the gateway to listen on loopback; workers and their nannies must be told here.
    """
    config.DaskGateway.backend_class = "skerry.hub.gateway_backend.FolderBackend"
    config.LocalBackend.clusters_directory = str(settings.clusters)
    config.LocalBackend.sigint_timeout = 2
    config.LocalBackend.sigterm_timeout = 2
    config.LocalBackend.sigkill_timeout = 1
    # The internal side of the API: schedulers report there.
    config.DBBackendBase.api_url = f"http://{settings.api_address}/api"
    config.ClusterConfig.scheduler_cmd = [*_DASK, "scheduler", *_CHECKED]
    config.ClusterConfig.worker_cmd = [*_DASK, "worker", *_CHECKED, "--host", _LOOPBACK]
    config.ClusterConfig.environment = settings.cluster_environment


def set_limits(config: Any) -> None:
    """Limit a cluster to this machine's cores and memory."""
    workers = count_workers()
    config.ClusterConfig.worker_cores = 1
    config.ClusterConfig.worker_memory = worker_memory(psutil.virtual_memory().total, workers)
    config.ClusterConfig.scheduler_memory = _GIB
    config.ClusterConfig.cluster_max_workers = workers
    config.ClusterConfig.idle_timeout = _IDLE_SECONDS
    config.ClusterConfig.adaptive_period = 1


def count_workers() -> int:
    """Return how many workers a cluster may have: one per core, at least 2 and at most 8."""
    return min(max(os.cpu_count() or 1, 2), _MAX_WORKERS)


def worker_memory(total: int, workers: int) -> int:
    """Return a worker's memory limit in bytes: half the machine shared, 1 to 2 GiB each.

    Parameters
    ----------
    total
        The machine's memory in bytes.
    workers
        How many workers share it.
    """
    return min(max(total // 2 // workers, _GIB), 2 * _GIB)
