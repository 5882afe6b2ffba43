"""An issuer of tokens whose keys are made in the test; no server, but what one would answer."""

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from skerry.core.oidc.provider import ProviderAwayError

ISSUER = "https://login.example.org/realms/lab"
AUDIENCE = "skerry-api"


@cache
def make_rsa(name: str) -> rsa.RSAPrivateKey:
    """Return the private key of a name."""
    return rsa.generate_private_key(65537, 2048)


@cache
def make_ec(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the private key of a name."""
    return ec.generate_private_key(ec.SECP256R1())


def describe_key(key: Any, name: str, **facts: Any) -> dict[str, Any]:
    """Return the public key as its issuer shows it."""
    kind = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    algorithm = jwt.get_algorithm_by_name(kind)
    shown = json.loads(algorithm.to_jwk(key.public_key()))
    return {**shown, "kid": name, "use": "sig", "alg": kind, **facts}


@dataclass
class Issuer:
    """What a provider answers, and tokens that it signs.

    Attributes
    ----------
    keys
        The public keys that it shows.
    is_away
        Whether it answers nothing.
    asked
        Which addresses were asked.
    """

    issuer: str = ISSUER
    keys: list[dict[str, Any]] = field(default_factory=list)
    is_away: bool = False
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = self.keys or [describe_key(make_rsa("first"), "first")]

    async def fetch(self, url: str) -> Any:
        """Answer as the provider's server would."""
        self.asked.append(url)
        if self.is_away:
            raise ProviderAwayError("The provider is away.", remedy="Wait.")
        if url.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        return {"keys": self.keys}

    @property
    def asked_for_keys(self) -> int:
        """How often its keys were asked for."""
        return sum(url.endswith("/keys") for url in self.asked)

    def sign(
        self,
        *,
        key: Any = None,
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """Return a token that is good unless the arguments say otherwise.

        Parameters
        ----------
        key
            A private key, or the name of such a key.
        """
        now = int(time.time())
        content = {
            "iss": self.issuer, "aud": AUDIENCE, "sub": "machine-7", "azp": "harvester",
            "iat": now, "exp": now + 300, **claims,
        }  # fmt: skip
        content = {name: value for name, value in content.items() if name not in without}
        shown = {"kid": "first", **(headers or {})}
        return jwt.encode(
            content, _find_key(key or "first", algorithm), algorithm,
            headers={name: value for name, value in shown.items() if value is not None},
        )  # fmt: skip


def _find_key(key: Any, algorithm: str) -> Any:
    if not isinstance(key, str) or algorithm == "HS256":
        return key
    return make_ec(key) if algorithm == "ES256" else make_rsa(key)


def forge_with_public_key(token: str) -> str:
    """Return a token signed by HS256 with the public key as the secret, as attackers do."""
    import hashlib
    import hmac

    public = make_rsa("first").public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = _encode({"alg": "HS256", "typ": "JWT", "kid": "first"})
    signed = f"{header}.{token.split('.')[1]}"
    digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_strip(base64.urlsafe_b64encode(digest))}"


def forge_unsigned(token: str) -> str:
    """Return a token that says that it needs no signature."""
    return f"{_encode({'alg': 'none', 'kid': 'first'})}.{token.split('.')[1]}."


def change_claims(token: str, **claims: Any) -> str:
    """Return a token with other claims under the old signature."""
    header, content, signature = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(content + "=="))
    return f"{header}.{_encode({**known, **claims})}.{signature}"


def _encode(content: dict[str, Any]) -> str:
    return _strip(base64.urlsafe_b64encode(json.dumps(content).encode()))


def _strip(encoded: bytes) -> str:
    return encoded.decode().rstrip("=")
