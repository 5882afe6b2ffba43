"""Checks JSON Web Tokens: signature by a named public key, issuer, audience, times.

Sources: RFC 7519; RFC 8725 (Best Current Practices), of which sections 3.1 to 3.3, 3.8 to 3.10 say
which tokens are refused.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jwt

from skerry.core.errors import UnauthenticatedError
from skerry.core.oidc.keys import Key, KeySet

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Signatures by a private key that only the provider has. Never ``none``, never a shared secret."""

_LARGEST = 16_384
_DOTS = 2
_REMEDY = "Ask the provider for a new token for this platform."


class RefusedTokenError(UnauthenticatedError):
    """A token that must not pass, and why; never the token itself."""


@dataclass(frozen=True)
class Expected:
    """What a token must say.

    Attributes
    ----------
    issuer, audience
        Who issued it, and for whom.
    algorithms
        How it may be signed.
    leeway_s
        By how many seconds the clocks may differ.
    """

    issuer: str
    audience: str
    algorithms: tuple[Algorithm, ...]
    leeway_s: int


def looks_like_jwt(token: str) -> bool:
    """Return whether a token is a JWT by its form; tokens of the hub have no dots."""
    return token.startswith("eyJ") and token.count(".") == _DOTS


async def verify_token(token: str, keys: KeySet, expected: Expected) -> Mapping[str, Any]:
    """Return the claims of a token that has passed every check.

    Raises
    ------
    RefusedTokenError
        If it has not; the error says at which check.
    ProviderAwayError
        If the provider's keys cannot be read.
    """
    name, algorithm = _read_header(token, expected.algorithms)
    key = await keys.find(name)
    if key is None:
        raise RefusedTokenError(
            "The token is signed with a key that its issuer does not have.", remedy=_REMEDY
        )
    try:
        return jwt.decode(
            token, _open_key(key, algorithm), algorithms=[algorithm], audience=expected.audience,
            issuer=expected.issuer, leeway=expected.leeway_s,
            options={"require": ["exp", "iat", "iss", "aud", "sub"],
                     "enforce_minimum_key_length": True},
        )  # fmt: skip
    except (jwt.PyJWTError, RecursionError, OverflowError) as error:
        raise RefusedTokenError(_explain(error), remedy=_REMEDY) from None


def read_unchecked(token: str) -> Mapping[str, Any]:
    """Return the claims of a token before any check; none if they cannot be read."""
    if len(token) > _LARGEST:
        return {}
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, RecursionError):
        return {}


def _read_header(token: str, algorithms: Collection[str]) -> tuple[str, str]:
    """Return the name of the key and the algorithm, before anything else of a token is believed."""
    try:
        if len(token) > _LARGEST:
            raise jwt.DecodeError
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError):
        raise RefusedTokenError("The token is not a JWT.", remedy=_REMEDY) from None
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in algorithms:
        raise RefusedTokenError(
            f"The token is signed with {str(algorithm)[:20]!r}, which this platform does not take.",
            remedy=f"It takes {', '.join(sorted(algorithms))}.",
        )
    if not isinstance(name, str) or not name:
        raise RefusedTokenError("The token does not name its key (kid).", remedy=_REMEDY)
    return name, str(algorithm)


def _open_key(key: Key, algorithm: str) -> jwt.PyJWK:
    """Return the key for an algorithm, which must be its own where it says so."""
    if key.get("alg", algorithm) != algorithm:
        raise jwt.InvalidAlgorithmError
    return jwt.PyJWK(dict(key), algorithm)


_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "The token has expired."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.InvalidIssuerError, "The token is of another issuer."),
    (jwt.InvalidAudienceError, "The token is for another audience than this platform."),
    (jwt.InvalidSignatureError, "The token's signature is wrong."),
    (jwt.InvalidAlgorithmError, "The token's key is not of the kind that its signature needs."),
    (jwt.InvalidKeyError, "The token's key is not of the kind that its signature needs."),
    (jwt.PyJWKError, "The token's key cannot be used."),
)


def _explain(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The token lacks the claim {error.claim!r}."
    return next(
        (reason for kind, reason in _REASONS if isinstance(error, kind)),
        "The token is malformed.",
    )
