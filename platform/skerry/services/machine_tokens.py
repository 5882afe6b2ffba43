"""Tokens of machine clients: JWTs of trusted issuers, checked here without asking anybody.

Only the issuer's public keys are fetched, now and then. Tokens of the hub are no JWTs and go to
the hub, so neither depends on the other's provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skerry.core.oidc.keys import KeySet
from skerry.core.oidc.provider import Fetch, Provider, fetch_json
from skerry.core.oidc.tokens import (
    Expected,
    RefusedTokenError,
    looks_like_jwt,
    read_unchecked,
    verify_token,
)
from skerry.core.oidc.trusted_issuers import TrustedIssuer, TrustedIssuers
from skerry.services.hub_access import HubVerifier
from skerry.services.identity import Identity, Verifier

_OF_A_LOGIN = ("nonce", "at_hash", "c_hash", "sid_hash", "events")
"""Claims of ID tokens and logout tokens: they say who somebody is, not what a program may do."""

_OTHER_TYPES = ("ID", "Refresh", "Offline", "Logout")
"""What Keycloak calls tokens that are no access tokens (claim ``typ``)."""


@dataclass(frozen=True)
class _Trusted:
    settings: TrustedIssuer
    expected: Expected
    keys: KeySet


class MachineTokens:
    """Finds the machine client that holds a JWT.

    Parameters
    ----------
    settings
        The issuers, and who may come with their tokens.
    fetch
        Reads their metadata and keys; another for tests.
    """

    def __init__(self, settings: TrustedIssuers, *, fetch: Fetch = fetch_json) -> None:
        self._trusted = {
            entry.issuer: _Trusted(
                entry,
                Expected(entry.issuer, entry.audience, entry.algorithms, entry.leeway_s),
                KeySet(Provider(entry.issuer, fetch=fetch), fetch=fetch),
            )
            for entry in settings.issuers
        }

    async def verify(self, token: str) -> Identity:
        """Return the client that a token speaks for.

        Raises
        ------
        RefusedTokenError
            If it fails a check, or no client is meant.
        ProviderAwayError
            If the issuer's keys are not known and cannot be read.
        """
        trusted = self._trusted.get(_read_issuer(token))
        if trusted is None:
            raise RefusedTokenError(
                "The token is of an issuer that this platform does not trust.",
                remedy="Ask the administrator of the platform; a person takes a token of the hub.",
            )
        claims = await verify_token(token, trusted.keys, trusted.expected)
        _check_purpose(claims, trusted.settings)
        for client in trusted.settings.clients:
            if client.is_meant(claims):
                return Identity(
                    client.name,
                    client.all_scopes,
                    token,
                    kind="service",
                    groups=frozenset(client.projects),
                )
        raise RefusedTokenError(
            "The token is good, but none of the clients that this platform knows.",
            remedy="The administrator compares its claims with SKERRY_TRUSTED_ISSUERS.",
        )


class PlatformVerifier:
    """Finds the holder of any token: of the hub, or of a trusted issuer."""

    def __init__(self, hub: Verifier, machines: MachineTokens) -> None:
        self._hub = hub
        self._machines = machines

    async def verify(self, token: str) -> Identity | None:
        """Return the token's holder, or None; see `skerry.services.identity.Verifier`."""
        if looks_like_jwt(token):
            return await self._machines.verify(token)
        return await self._hub.verify(token)

    async def close(self) -> None:
        """Close the connections to the hub."""
        await self._hub.close()


def open_verifier(hub_api: str, data: Path) -> PlatformVerifier | HubVerifier:
    """Return what checks the tokens of a service's requests.

    Raises
    ------
    InvalidInputError
        If the settings of trusted issuers cannot be used.
    """
    hub = HubVerifier(hub_api, data=data)
    settings = TrustedIssuers.from_environment()
    return PlatformVerifier(hub, MachineTokens(settings)) if settings.issuers else hub


def _read_issuer(token: str) -> str:
    """Return the issuer that a token names; it is believed only after its signature."""
    issuer = read_unchecked(token).get("iss")
    return issuer if isinstance(issuer, str) else ""


def _check_purpose(claims: Mapping[str, Any], settings: TrustedIssuer) -> None:
    if any(name in claims for name in _OF_A_LOGIN) or claims.get("typ") in _OTHER_TYPES:
        raise RefusedTokenError(
            "The token is one of a login, not an access token.",
            remedy="Send the access token for this platform's audience.",
        )
    life = float(claims["exp"]) - float(claims["iat"])
    if life > settings.longest_s:
        raise RefusedTokenError(
            f"The token lives for {life:.0f} s; the platform takes {settings.longest_s} s at most.",
            remedy="Ask the provider for tokens that live shorter.",
        )
