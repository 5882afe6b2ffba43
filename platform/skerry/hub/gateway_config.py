"""Dask Gateway reads this file; each setter does one thing."""

from skerry.core.hub_settings import GatewaySettings
from skerry.hub.gateway import set_addresses, set_authentication, set_clusters, set_limits

settings = GatewaySettings.from_environment("SKERRY_GATEWAY_SETTINGS")
config = get_config()  # type: ignore[name-defined]  # noqa: F821 - the gateway defines it here

set_addresses(config, settings)
set_authentication(config, settings)
set_clusters(config, settings)
set_limits(config)
