"""The services' access to the hub: its address, and the holder of a token."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from skerry.core.digests import hash_secret
from skerry.core.disk import find_full_disk
from skerry.core.errors import UnavailableError
from skerry.core.measurements import is_metrics_token
from skerry.core.scopes import Scope
from skerry.core.settings import read_variables
from skerry.services.identity import Identity

_GOOD_FOR_S = 5.0
_CACHED_TOKENS = 4096
_TIMEOUT_S = 5.0
_WATCHED_S = 1.0


class HubAccess(BaseModel):
    """What JupyterHub tells a service about itself, by its standard environment variables.

    Attributes
    ----------
    service
        The service's name in the hub.
    api_url
        The hub's internal API address.
    api_token
        The service's own token.
    base_url
        Path below which the hub and its services stand, with both slashes.
    client_id
        The service's OAuth client.
    callback
        Where the hub sends the browser back to after login: a path or a full address.
    """

    model_config = ConfigDict(frozen=True)

    service: str
    api_url: str
    api_token: SecretStr
    base_url: str = "/"
    client_id: str
    callback: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "HubAccess":
        """Read ``JUPYTERHUB_SERVICE_NAME``, ``_API_URL``, ``_API_TOKEN`` and their companions.

        Raises
        ------
        InvalidInputError
            If one of the three is missing.
        """
        service, api_url, api_token = read_variables(
            "JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN",
            environment=environment,
        )  # fmt: skip
        prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX") or f"/services/{service}/"
        return cls(
            service=service,
            api_url=api_url.rstrip("/"),
            api_token=SecretStr(api_token),
            base_url=environment.get("JUPYTERHUB_BASE_URL") or "/",
            client_id=environment.get("JUPYTERHUB_CLIENT_ID") or f"service-{service}",
            callback=environment.get("JUPYTERHUB_OAUTH_CALLBACK_URL")
            or f"{prefix.rstrip('/')}/oauth_callback",
        )


async def check_hub(api_url: str) -> str | None:
    """Return why logins and tokens cannot be checked now; None when the hub answers."""
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"{api_url}/")
    except httpx.HTTPError:
        return "The hub does not answer."
    return None if answer.is_success else f"The hub answers with status {answer.status_code}."


class HubWatch:
    """Says whether the hub answers; each answer is kept for a second, because everybody may ask.

    Parameters
    ----------
    api_url
        The hub's internal API address.
    """

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._fault: str | None = None
        self._asked_at = -_WATCHED_S
        self._lock = asyncio.Lock()

    async def find_fault(self) -> str | None:
        """Return why nobody can log in now; None when the hub answers."""
        async with self._lock:  # who waited takes the answer of who asked
            if time.monotonic() - self._asked_at >= _WATCHED_S:
                self._fault = await check_hub(self._api_url)
                self._asked_at = time.monotonic()
        return self._fault


class HubVerifier:
    """Asks the hub for a token's holder, at most once in five seconds for each token.

    Five seconds keep a flood of tiles from becoming a flood on the hub, and a revoked token is
    still refused well within ten. Only good answers are remembered, under a hash of the token.

    Parameters
    ----------
    api_url
        The hub's internal API address.
    good_for_s
        How long an answer is valid, in seconds.
    data
        The data folder: a hub with a full disk knows no token, and then the error says so.
    """

    def __init__(
        self, api_url: str, *, good_for_s: float = _GOOD_FOR_S, data: Path | None = None
    ) -> None:
        self._url = f"{api_url.rstrip('/')}/user"
        self._data = data
        self._good_for_s = good_for_s
        self._holders: dict[str, tuple[float, Identity]] = {}
        self._asking: dict[str, asyncio.Task[Identity | None]] = {}
        self._client: httpx.AsyncClient | None = None

    async def verify(self, token: str) -> Identity | None:
        """Return the token's holder, or None; see `skerry.services.identity.Verifier`."""
        if is_metrics_token(token):
            return Identity(
                "prometheus", frozenset({Scope.PLATFORM_MEASURE}), token, kind="service"
            )
        key = hash_secret(token)
        entry = self._holders.get(key)
        if entry and entry[0] > time.monotonic():
            return entry[1]
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, token))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Close the connections to the hub."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _settle(self, key: str, task: asyncio.Task[Identity | None]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()

    async def _ask(self, key: str, token: str) -> Identity | None:
        start = time.monotonic()
        response = await self._get(token)
        full = find_full_disk(self._data) if response.is_error and self._data else None
        if full is not None:
            raise full
        if response.status_code in (401, 403, 404):
            self._holders.pop(key, None)
            return None
        if response.status_code != httpx.codes.OK:
            raise UnavailableError(
                f"The hub answered {response.status_code} when asked about a token.",
                remedy="Try again shortly; 'skerry status' shows whether the hub is up.",
            )
        identity = _read_model(response.json(), token)
        self._remember(key, start + self._good_for_s, identity)
        return identity

    async def _get(self, token: str) -> httpx.Response:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)
        try:
            return await self._client.get(self._url, headers={"Authorization": f"token {token}"})
        except httpx.HTTPError:
            raise UnavailableError(
                "The hub does not answer, so nobody's token can be checked.",
                remedy="Try again shortly; 'skerry status' shows whether the hub is up.",
            ) from None

    def _remember(self, key: str, until: float, identity: Identity) -> None:
        if len(self._holders) >= _CACHED_TOKENS:
            now = time.monotonic()
            self._holders = {k: v for k, v in self._holders.items() if v[0] > now}
            if len(self._holders) >= _CACHED_TOKENS:
                self._holders.clear()
        self._holders[key] = (until, identity)


def _read_model(model: Mapping[str, object], token: str) -> Identity:
    scopes = model.get("scopes")
    token_id, groups = model.get("token_id"), model.get("groups")
    return Identity(
        name=str(model["name"]),
        scopes=frozenset(map(str, scopes)) if isinstance(scopes, list) else frozenset(),
        token=token,
        token_id=str(token_id) if token_id else None,
        kind=str(model.get("kind", "user")),
        groups=frozenset(map(str, groups)) if isinstance(groups, list) else frozenset(),
    )
