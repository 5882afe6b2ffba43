"""The hub's API as the worker asks it, with the worker's own token."""

from collections.abc import Mapping
from typing import Any

import httpx

from skerry.core.errors import UnavailableError

_TIMEOUT_S = 15.0


class HubApi:
    """The hub's API.

    Parameters
    ----------
    url
        Its internal address.
    token
        The worker's own service token.
    """

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"token {token}"},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        """Return the hub's answer, whatever its status.

        Raises
        ------
        UnavailableError
            If the hub does not answer.
        """
        try:
            return self._client.request(method, path, headers=headers, **content)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"The hub does not answer ({type(error).__name__}).", remedy="It is tried again."
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
