"""The hub's program: JupyterHub that answers only to the platform's own names.

Start it with ``python -m skerry.hub.lean_start skerry.hub.program``; ``skerry up`` does.
"""

from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub

from skerry.core.hidden_variables import hide_variables
from skerry.core.hosts import allowed_hosts
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE
from skerry.core.tornado_hosts import refuse_unknown_hosts


class Hub(JupyterHub):  # type: ignore[misc]
    """JupyterHub with two changes that it has no settings for."""

    def init_hub(self) -> None:
        """Put the port into the login cookie's name: browsers share cookies between all ports."""
        super().init_hub()
        self.hub.cookie_name += f"-{urlsplit(self.bind_url).port}"

    def init_tornado_application(self) -> None:
        """Refuse requests for another host, before any handler."""
        super().init_tornado_application()
        refuse_unknown_hosts(self.tornado_application, allowed_hosts(self.public_url))


if __name__ == "__main__":
    hide_variables({SECRET_VARIABLE})
    Hub.launch_instance()
