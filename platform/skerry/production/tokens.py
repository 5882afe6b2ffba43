"""Run tokens: the hub issues one for each attempt, for the project account; its end revokes it."""

from dataclasses import dataclass, field

from skerry.core.errors import UnavailableError
from skerry.core.scopes import RUN
from skerry.core.settings import DEFAULT_PROJECT, read_variables
from skerry.production.hub_api import HubApi

GRACE_S = 600
"""Seconds that a token lives beyond its attempt's timeout: publishing may have to wait."""

_GONE = frozenset({403, 404})


@dataclass(frozen=True)
class RunToken:
    """A token and the hub's name for it."""

    id: str
    token: str = field(repr=False)


class TokenMinter:
    """Mints and revokes tokens of the project account.

    Parameters
    ----------
    hub_api
        The hub's internal API address.
    token
        The worker's own service token.
    project
        The account on whose behalf runs act.

    Attributes
    ----------
    project
        That account.
    """

    def __init__(self, hub_api: str, token: str, project: str = DEFAULT_PROJECT) -> None:
        self._hub = HubApi(hub_api, token)
        self.project = project

    @classmethod
    def from_environment(cls) -> "TokenMinter":
        """Read `JUPYTERHUB_API_URL` and `JUPYTERHUB_API_TOKEN`."""
        return cls(*read_variables("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"))

    def mint(self, *, note: str, life_s: int) -> RunToken:
        """Return a new token with the scopes that runs need, and no other.

        Raises
        ------
        UnavailableError
            If the hub does not answer or refuses.
        """
        body = {
            "expires_in": life_s,
            "note": note,
            "scopes": [*sorted(RUN), "access:services!service=dask-gateway"],
        }
        answer = self._hub.ask("POST", f"/users/{self.project}/tokens", json=body)
        if not answer.is_success:
            raise UnavailableError(
                f"The hub refused a run token ({answer.status_code}): {answer.text[:200]}",
                remedy="See that the worker's hub role holds tokens!group=projects.",
            )
        token = answer.json()
        return RunToken(id=token["id"], token=token["token"])

    def revoke(self, token_id: str) -> None:
        """Revoke a token; it is not an error when the token is gone already.

        Raises
        ------
        UnavailableError
            If the hub does not answer.
        """
        answer = self._hub.ask("DELETE", f"/users/{self.project}/tokens/{token_id}")
        if not answer.is_success and answer.status_code not in _GONE:
            raise UnavailableError(
                f"The hub did not revoke a run token ({answer.status_code}).",
                remedy="It is tried again; it expires by itself in any case.",
            )

    def close(self) -> None:
        """Close the connections to the hub."""
        self._hub.close()
