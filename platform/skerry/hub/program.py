"""The hub's program: JupyterHub that answers to the platform's own names, apart from its siblings.

Start it with ``python -m skerry.hub.lean_start skerry.hub.program``; ``skerry up`` does.
"""

from urllib.parse import urlsplit

from jupyterhub.app import JupyterHub

from skerry.core.hosts import allowed_hosts
from skerry.core.tornado_hosts import refuse_unknown_hosts


class Hub(JupyterHub):  # type: ignore[misc]
    """JupyterHub with two cares that it has no settings for."""

    def init_hub(self) -> None:
        """Name the login's cookie by the port: browsers keep one jar for all ports of a host."""
        super().init_hub()
        self.hub.cookie_name += f"-{urlsplit(self.bind_url).port}"

    def init_tornado_application(self) -> None:
        """Refuse whoever names another host, before any handler."""
        super().init_tornado_application()
        refuse_unknown_hosts(self.tornado_application, allowed_hosts(self.public_url))


if __name__ == "__main__":
    Hub.launch_instance()
