"""The configuration of z2jh runs this file, which is ``jupyterhub_config.d/skerry.py`` there.

It runs in the middle of that configuration: ``c`` is what z2jh calls JupyterHub's configuration,
and ``get_config`` is another function there.
"""

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.hub.kubernetes.configuration import configure_hub

configure_hub(
    c,  # type: ignore[name-defined]  # noqa: F821
    ClusterHubSettings.from_environment(),
)
