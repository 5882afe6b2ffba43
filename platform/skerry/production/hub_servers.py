"""The hub's list of the user servers that live or are starting."""

from typing import Any

import httpx

from skerry.core.errors import UnavailableError
from skerry.core.settings import read_variables

_TIMEOUT_S = 15.0
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
        self._url = f"{hub_api.rstrip('/')}/users"
        self._headers = {"Authorization": f"token {token}", "Accept": _PAGES}

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
        with httpx.Client(timeout=_TIMEOUT_S, trust_env=False, headers=self._headers) as client:
            while offset is not None:
                page = self._ask(client, offset)
                for user in page["items"]:
                    found |= {f"server/{user['name']}/{name}" for name in user.get("servers", {})}
                following = page["_pagination"]["next"]
                offset = following["offset"] if following else None
        return found

    def _ask(self, client: httpx.Client, offset: int) -> dict[str, Any]:
        wanted: dict[str, str | int] = {"state": "active", "offset": offset, "limit": _PAGE}
        try:
            answer = client.get(self._url, params=wanted)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"The hub does not answer ({type(error).__name__}).", remedy="It is tried again."
            ) from None
        if not answer.is_success:
            raise UnavailableError(
                f"The hub does not list servers ({answer.status_code}).",
                remedy="See that the worker's hub role holds list:users and read:servers.",
            )
        page: dict[str, Any] = answer.json()
        return page
