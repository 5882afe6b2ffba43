"""The owner's token for the command line: the hub creates it, and it is renewed in time."""

import json
import time
from typing import Any

import httpx

from skerry.cli.supervisor.plan import Plan
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.scopes import ROLES
from skerry.storage.writing import write_aside

_NOTE = "skerry command line on this machine"
_TIMEOUT_S = 10.0
_LIFE_S = 24 * 3600
_AGAIN_S = 60


class OwnerLogin:
    """Keeps a valid token in ``owner.json``.

    A token lives a day and is replaced after half a day; programs that have the earlier token
    (a shell, a client at work) can go on with it for another half day.

    Parameters
    ----------
    plan
        The plan, with the hub's address and the owner's name.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._due = 0.0

    def write(self) -> None:
        """Create a token; write address, name and token.

        Raises
        ------
        UnavailableError
            If the hub does not answer or refuses.
        """
        token = self._mint()
        login = {"url": self._plan.public_url, "user": self._plan.credentials.owner, "token": token}
        write_aside(self._plan.folder.owner, json.dumps(login, indent=1), private=True)
        self._due = time.time() + _LIFE_S / 2

    def advance(self) -> None:
        """Renew the token if it is old or the clock was set back; else do nothing."""
        if 0 < self._due - time.time() <= _LIFE_S / 2:
            return
        try:
            self.write()
        except (SkerryError, OSError):  # the hub is being started again, or the disk is full
            self._due = time.time() + _AGAIN_S

    def _mint(self) -> str:
        """Return a new token, and revoke tokens without an end from older versions."""
        credentials = self._plan.credentials
        path = f"/users/{credentials.owner}/tokens"
        headers = {"Authorization": f"token {credentials.service_tokens['supervisor']}"}
        request = {"note": _NOTE, "scopes": owner_token_scopes(), "expires_in": _LIFE_S}
        try:
            with httpx.Client(
                base_url=self._plan.hub_api, headers=headers, timeout=_TIMEOUT_S, trust_env=False
            ) as hub:
                for old in _check(hub.get(path))["api_tokens"]:
                    if _NOTE in old.get("note", "") and not old.get("expires_at"):
                        hub.delete(f"{path}/{old['id']}")
                return str(_check(hub.post(path, json=request))["token"])
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"The hub does not answer ({type(error).__name__}), so there is no new token.",
                remedy="See hub.log in the data folder's logs.",
            ) from None


def owner_token_scopes() -> list[str]:
    """Return the owner's scopes on the command line: all scopes of Skerry."""
    return ["access:services", *sorted(map(str, ROLES["admin"]))]


def _check(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise UnavailableError(
            f"The hub refused to make the owner's token ({response.status_code}).",
            remedy="See hub.log in the data folder's logs.",
        )
    body: dict[str, Any] = response.json()
    return body
