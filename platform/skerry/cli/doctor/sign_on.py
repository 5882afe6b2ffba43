"""The checks of sign-on: the provider's description, its keys, and where it sends people back.

Sources: OpenID Connect Discovery 1.0, section 4; RFC 6749, section 3.1.2.
"""

import asyncio
import os
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

from skerry.cli.doctor.asking import SilentError, ask
from skerry.cli.doctor.findings import Finding, describe_error
from skerry.cli.doctor.parts import read_object
from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.errors import SkerryError
from skerry.core.oidc.provider import Provider, ProviderAwayError, ProviderDocument, fetch_json
from skerry.core.oidc.sign_on_settings import SIGN_ON_VARIABLE, SignOnSettings
from skerry.storage.layout import DataFolder

_CHECK = "sign-on"
_NEEDED = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
_CALLBACK = "/hub/oauth_callback"


def look_at_sign_on(_folder: DataFolder) -> Iterator[Finding]:
    """Check the provider that the settings of this place name; nothing where there are none."""
    settings, public_url = _read_settings()
    if settings is not None:
        yield from look_at_provider(settings, public_url)


def _read_settings() -> tuple[SignOnSettings | None, str]:
    if os.environ.get("SKERRY_HUB_SETTINGS"):
        chart = ClusterHubSettings.from_environment()
        return chart.sign_on, chart.public_url
    if os.environ.get(SIGN_ON_VARIABLE):
        return SignOnSettings.from_environment(), os.environ.get("SKERRY_PUBLIC_URL", "")
    return None, ""


def look_at_provider(settings: SignOnSettings, public_url: str) -> Iterator[Finding]:
    """Check a provider's own description, its keys, our client and our redirect address there."""
    try:
        document = asyncio.run(Provider(settings.issuer).describe())
        _check_endpoints(document)
        count = _count_keys(document)
    except SkerryError as error:
        yield describe_error(_CHECK, error)
        return
    yield Finding(
        check=_CHECK,
        detail=f"{settings.issuer} describes itself, and has {count} keys to sign with.",
    )
    if public_url:
        request = {
            "client_id": settings.client_id, "redirect_uri": f"{public_url.rstrip('/')}{_CALLBACK}",
            "response_type": "code", "scope": " ".join(settings.scopes), "state": "doctor",
            "nonce": "doctor", "code_challenge": "x" * 43, "code_challenge_method": "S256",
        }  # fmt: skip
        yield from look_at_redirect(f"{document.authorization_endpoint}?{urlencode(request)}")
    yield from _look_at_claims(settings)


def _check_endpoints(document: ProviderDocument) -> None:
    for name in _NEEDED:
        if getattr(document, name) is None:
            raise ProviderAwayError(
                f"The sign-on provider {document.issuer} names no {name}.",
                remedy="Choose a provider for OpenID Connect in signOn.settings.issuer.",
            )


def _count_keys(document: ProviderDocument) -> int:
    answer = asyncio.run(fetch_json(document.jwks_uri))
    keys = answer.get("keys") if isinstance(answer, dict) else None
    if not keys:
        raise ProviderAwayError(
            f"The sign-on provider has no keys at {document.jwks_uri}.",
            remedy="Its administrator gives it a key to sign with; until then nobody gets in.",
        )
    return len(keys)


def look_at_redirect(authorization: str) -> Iterator[Finding]:
    """Ask a provider as a browser does that begins to sign on: it refuses what it does not know.

    Parameters
    ----------
    authorization
        The address to which the platform sends browsers.
    """
    sent = parse_qs(urlsplit(authorization).query)
    client, back = sent.get("client_id", [""])[0], sent.get("redirect_uri", [""])[0]
    try:
        answer = ask(authorization, headers={"Accept": "text/html"})
    except SilentError as error:
        yield describe_error(_CHECK, error)
        return
    returned = answer.headers.get("location", "")
    fault = parse_qs(urlsplit(returned).query).get("error", [""])[0]
    if answer.status_code < HTTPStatus.BAD_REQUEST and not fault:
        yield Finding(
            check=_CHECK, detail=f"It knows the client {client}, and sends back to {back}."
        )
        return
    words = fault or f"status {answer.status_code}"
    yield Finding(
        check=_CHECK, state="broken",
        detail=f"The provider refuses the client {client!r} with the redirect address {back} "
        f"({words}).",
        remedy=f"Register exactly {back} for this client at the provider, and check client_id and "
        "scopes in signOn.settings.",
    )  # fmt: skip


def _look_at_claims(settings: SignOnSettings) -> Iterator[Finding]:
    """Say whether the provider announces the groups; some never say what they give."""
    claim = settings.groups_claim.partition(".")[0]
    url = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        given = read_object(ask(url)).get("claims_supported") or []
    except SilentError:
        return
    if claim in given:
        yield Finding(check=_CHECK, detail=f"It gives the claim {claim!r}, in which groups are.")
    else:
        yield Finding(
            check=_CHECK, detail=f"It does not say whether it gives the claim {claim!r}, in which "
            "groups are (Keycloak never does): 'skerry whoami' shows the roles of a person.",
        )  # fmt: skip
