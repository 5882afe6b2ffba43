"""The hub, its user servers and the gateway: configuration as small setters.

``jupyterhub_config.py`` and ``gateway_config.py`` call the setters of the other modules.
"""
