"""JupyterHub reads this file in tests: Skerry's own configuration, and people of a provider."""

import os

from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.hub.sign_on import set_sign_on

config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here
load_subconfig(os.environ["SIGN_ON_BASE"])  # type: ignore[name-defined]  # noqa: F821

config.JupyterHub.subdomain_host = config.JupyterHub.public_url.rstrip("/")
config.JupyterHub.bind_url = f"http://127.0.0.1:{config.JupyterHub.bind_url.rpartition(':')[2]}"
set_sign_on(config, SignOnSettings.model_validate_json(os.environ["SIGN_ON_SETTINGS"]))
