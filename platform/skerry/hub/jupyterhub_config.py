"""JupyterHub reads this file; each setter does one thing."""

from skerry.core.hub_settings import HubSettings
from skerry.hub.accounts import set_accounts
from skerry.hub.pages import set_pages
from skerry.hub.proxy import set_addresses, set_proxy
from skerry.hub.roles import set_roles
from skerry.hub.services import set_services
from skerry.hub.sign_on import set_one_machine
from skerry.hub.state import set_state, set_token_lives
from skerry.hub.user_servers import set_user_servers

settings = HubSettings.from_environment("SKERRY_HUB_SETTINGS")
config = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it here

set_addresses(config, settings)
set_proxy(config, settings)
set_state(config, settings)
set_token_lives(config)
set_accounts(config, settings)
set_services(config, settings)
set_roles(config, settings)
set_user_servers(config, settings)
set_one_machine(config, settings)
set_pages(config, settings)
