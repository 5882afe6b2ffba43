"""The hub, its user servers and the Dask gateway on Kubernetes: configuration as small setters.

`zero-to-jupyterhub` keeps its own ``jupyterhub_config.py``, which reads ours from the folder
``jupyterhub_config.d`` of the image; the gateway's chart calls `configure_gateway`. What a person
may choose, and what each choice gives, stands in `skerry.core.cluster_hub_settings` as data.
"""
