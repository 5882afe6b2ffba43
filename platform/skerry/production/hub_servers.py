"""The hub's list of the user servers that live or are starting."""

from typing import Any

from skerry.core.errors import UnavailableError
from skerry.core.settings import read_variables
from skerry.production.hub_api import HubApi

_PAGE = 200
_PAGES = "application/jupyterhub-pagination+json"


class HubServers:
    """What the hub says of user servers.

    Parameters
    ----------
    hub_api
        The hub's internal API address.
    token
        The worker's own service token.
    """

    def __init__(self, hub_api: str, token: str) -> None:
        self._hub = HubApi(hub_api, token)

    @classmethod
    def from_environment(cls) -> "HubServers":
        """Read `JUPYTERHUB_API_URL` and `JUPYTERHUB_API_TOKEN`."""
        return cls(*read_variables("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"))

    def list_servers(self) -> set[str]:
        """Return ``server/<account>/<name>`` of every server that lives, starts or ends.

        Raises
        ------
        UnavailableError
            If the hub does not answer, or not to this.
        """
        found: set[str] = set()
        offset: int | None = 0
        while offset is not None:
            page = self._ask(offset)
            for user in page["items"]:
                found |= {f"server/{user['name']}/{name}" for name in user.get("servers", {})}
            following = page["_pagination"]["next"]
            offset = following["offset"] if following else None
        return found

    def close(self) -> None:
        """Close the connections."""
        self._hub.close()

    def _ask(self, offset: int) -> dict[str, Any]:
        wanted = {"state": "active", "offset": offset, "limit": _PAGE}
        answer = self._hub.ask("GET", "/users", params=wanted, headers={"Accept": _PAGES})
        if not answer.is_success:
            raise UnavailableError(
                f"The hub does not list servers ({answer.status_code}).",
                remedy="See that the worker's hub role holds list:users and read:servers.",
            )
        page: dict[str, Any] = answer.json()
        return page
