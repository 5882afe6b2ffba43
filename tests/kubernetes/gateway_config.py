"""Dask Gateway reads this file in tests: what its chart's configuration sets, and then ours."""

import json
import os

from skerry.hub.kubernetes.gateway import configure_gateway

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - the gateway defines it here
given = json.loads(os.environ["GATEWAY"])

config.DaskGateway.address = given["address"]
config.DaskGateway.backend_class = "dask_gateway_server.backends.kubernetes.KubeBackend"
config.DaskGateway.authenticator_class = "dask_gateway_server.auth.JupyterHubAuthenticator"
config.KubeBackend.api_url = f"http://{given['address']}/api"
config.KubeBackend.gateway_instance = "dask-gateway"
config.KubeClusterConfig.namespace = given["namespace"]
config.JupyterHubAuthenticator.jupyterhub_api_url = given["hub_api"]
configure_gateway(config)
