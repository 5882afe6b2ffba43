"""What the hub asks the provider: tokens for a code, new tokens for old, facts about a person.

Sources: OpenID Connect Core 1.0, sections 3.1.3 (tokens), 3.1.3.7 (ID token), 5.3 (userinfo), 12
(refresh); RFC 7636 (PKCE).
"""

import base64
import hmac
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus

from skerry.core.errors import ForbiddenError, UnauthenticatedError
from skerry.core.oidc.keys import KeySet
from skerry.core.oidc.provider import Provider, ProviderAwayError, ProviderDocument, ask_json
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.oidc.tokens import Expected, verify_token

_AGAIN = "Sign on again; if that does not help, ask the administrator of the provider."
_OK = 200
_NEEDED = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")


class EndedError(UnauthenticatedError):
    """The provider refuses: a code was used, a session has ended, or a person is gone."""


class Exchange:
    """One provider and the platform's client there.

    Parameters
    ----------
    settings
        The settings of sign-on.
    secret
        The client's secret.
    """

    def __init__(self, settings: SignOnSettings, secret: str) -> None:
        self._settings = settings
        self._secret = secret
        self._provider = Provider(settings.issuer)

    @cached_property
    def _keys(self) -> KeySet:
        return KeySet(self._provider)

    async def describe(self) -> ProviderDocument:
        """Return the provider's metadata, with all addresses that sign-on needs.

        Raises
        ------
        ProviderAwayError
            If it does not answer, or lacks an address.
        """
        document = await self._provider.describe()
        for name in _NEEDED:
            if getattr(document, name) is None:
                raise ProviderAwayError(
                    f"The sign-on provider {document.issuer} names no {name}.",
                    remedy="The administrator chooses a provider for OpenID Connect.",
                )
        return document

    async def trade(
        self, code: str, code_verifier: str, callback: str, nonce: str
    ) -> tuple[Mapping[str, Any], str]:
        """Return the tokens for a code, and the identifier of the person who signed on.

        Raises
        ------
        SkerryError
            If the provider refuses the code, or its ID token fails a check.
        """
        tokens = await self._request(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": callback,
                "code_verifier": code_verifier,
            }
        )
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise EndedError("The provider gives no ID token.", remedy=_AGAIN)
        return tokens, await self._check_id_token(id_token, nonce)

    async def ask_again(
        self, state: Mapping[str, Any], subject: str
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the tokens and what the provider says of their holder now.

        Parameters
        ----------
        state
            The tokens of before; the access token may have expired, as it does after minutes.
        subject
            Their holder.

        Raises
        ------
        SkerryError
            If the provider has ended the session or forgotten the person, or is away.
        """
        try:
            return state, await self.read_userinfo(str(state["access_token"]), subject)
        except EndedError:
            if not state.get("refresh_token"):
                raise
        fresh = await self._request(
            {"grant_type": "refresh_token", "refresh_token": str(state["refresh_token"])}
        )
        tokens = {**state, **{name: value for name, value in fresh.items() if value}}
        return tokens, await self.read_userinfo(str(tokens["access_token"]), subject)

    async def read_userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        """Return what the provider says of a person.

        Raises
        ------
        SkerryError
            If it speaks of another person, of nobody, or not at all.
        """
        url = (await self.describe()).userinfo_endpoint or ""
        headers = {"Authorization": f"Bearer {access_token}"}
        status, facts = await ask_json("GET", url, headers=headers)
        if status != _OK or not isinstance(facts, dict):
            raise EndedError(
                f"The provider says nothing of this person (status {status}).", remedy=_AGAIN
            )
        if facts.get("sub") != subject:
            raise ForbiddenError(
                "The provider speaks of another person than the one who signed on.", remedy=_AGAIN
            )
        return facts

    async def _check_id_token(self, id_token: str, nonce: str) -> str:
        settings = self._settings
        expected = Expected(
            settings.issuer, settings.client_id, settings.algorithms, settings.leeway_s
        )
        claims = await verify_token(id_token, self._keys, expected)
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else settings.client_id) != settings.client_id:
            raise ForbiddenError("The ID token is for another client.", remedy=_AGAIN)
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
            raise ForbiddenError("The ID token is of another sign-on.", remedy=_AGAIN)
        return str(claims["sub"])

    async def _request(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the answer of the token endpoint, with an access token."""
        url = (await self.describe()).token_endpoint or ""
        client, headers = self._show_client()
        status, answer = await ask_json("POST", url, headers=headers, form={**form, **client})
        if status != _OK or not isinstance(answer, dict):
            raise EndedError(f"The provider refuses this sign-on (status {status}).", remedy=_AGAIN)
        if not isinstance(answer.get("access_token"), str):
            raise EndedError("The provider gives no access token.", remedy=_AGAIN)
        return answer

    def _show_client(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return fields and headers that show who asks (RFC 6749, section 2.3.1)."""
        name, secret = self._settings.client_id, self._secret
        if self._settings.client_authentication == "post":
            return {"client_id": name, "client_secret": secret}, {}
        pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
        return {}, {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
