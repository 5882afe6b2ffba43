"""The configuration of z2jh runs this file, which is ``jupyterhub_config.d/skerry.py`` there."""

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.hub.kubernetes.configuration import configure_hub

configure_hub(
    get_config(),  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
    ClusterHubSettings.from_environment(),
)
