"""Dask Gateway reads this file: what its chart sets, ours, and schedulers that are one program."""

import json
import os

from skerry.hub.kubernetes.gateway import configure_gateway

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - the gateway defines it here
given = json.loads(os.environ["GATEWAY"])

config.DaskGateway.address = given["address"]
config.KubeBackend.api_url = f"http://{given['address']}/api"
config.KubeBackend.gateway_instance = "dask-gateway"
config.KubeClusterConfig.namespace = given["namespace"]
config.JupyterHubAuthenticator.jupyterhub_api_url = given["hub_api"]
configure_gateway(config)
config.DaskGateway.backend_class = "tests.scale.near_backend.NearBackend"
