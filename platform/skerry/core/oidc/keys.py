"""The public keys of a provider: remembered, and read again when a key is new.

Source: RFC 7517; OpenID Connect Core 1.0, section 10.1.1 (rotation of keys).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from skerry.core.oidc.provider import Fetch, Provider, ProviderAwayError, fetch_json

_FRESH_S = 600.0
_STALE_S = 3600.0
_PAUSE_S = 10.0
_MOST_KEYS = 100

Key = Mapping[str, Any]
"""A public key as its provider writes it (a JWK)."""


class KeySet:
    """The keys of one provider.

    They are read again after ten minutes, and at once for a key that is not among them, but at
    most every ten seconds: tokens with made-up names of keys must not become requests. While the
    provider is away its keys are good for an hour; after that nobody's token passes.

    Parameters
    ----------
    provider
        The provider, whose metadata say where its keys are.
    fetch, clock
        Others for tests.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        fetch: Fetch = fetch_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._trouble: ProviderAwayError | None = None
        self._reading = asyncio.Lock()

    async def find(self, name: str) -> Key | None:
        """Return the key of a name (``kid``); None if the provider has none of this name.

        Raises
        ------
        ProviderAwayError
            If the provider cannot be asked, and what is remembered does not answer it.
        """
        if self._age() > _FRESH_S or name not in self._keys:
            async with self._reading:  # many may wait for the same answer
                await self._read_again(name)
        if self._age() > _STALE_S:
            raise self._trouble or ProviderAwayError(
                f"The keys of {self._provider.issuer} are not known yet.", remedy="Try again."
            )
        if name not in self._keys and self._trouble is not None:
            raise self._trouble
        return self._keys.get(name)

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._clock() - self._read_at

    async def _read_again(self, name: str) -> None:
        if self._age() <= _FRESH_S and name in self._keys:
            return  # who waited before us has read them
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < _PAUSE_S:
            return
        self._tried_at = now
        try:
            document = await self._provider.describe()
            self._keys = _read_keys(await self._fetch(document.jwks_uri), document.jwks_uri)
        except ProviderAwayError as error:
            self._trouble = error
        else:
            self._trouble, self._read_at = None, self._clock()


def _read_keys(answer: Any, url: str) -> dict[str, Key]:
    """Return the keys for signatures that have a name; a secret shared by two is no such key."""
    entries = answer.get("keys") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise ProviderAwayError(
            f"The sign-on provider's keys at {url} are not a set of keys.",
            remedy="An administrator checks the address of the issuer in the settings.",
        )
    keys: dict[str, Key] = {}
    for entry in entries[:_MOST_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        name, kind = entry.get("kid"), entry.get("kty")
        if isinstance(name, str) and name and kind in ("RSA", "EC", "OKP"):
            keys.setdefault(name, entry)
    return keys
