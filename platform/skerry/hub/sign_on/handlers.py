"""The three addresses of sign-on: away to the provider, back from it, and out again.

Each sign-on has a state of its own in a cookie of its own, so that several may be under way in one
browser. The cookie is signed, lasts ten minutes, and over https no other subdomain can set it
(``__Host-``): a page of another person's server cannot finish their sign-on in this browser.

Sources: RFC 6749, section 10.12 (state); OpenID Connect Core 1.0, section 3.1.2.1 (nonce);
RFC 9207 (issuer of the answer); OpenID Connect RP-Initiated Logout 1.0.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode
from typing import Any, NoReturn

from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler
from tornado import web
from tornado.httputil import url_concat

from skerry.core.errors import SkerryError
from skerry.hub.sign_on.membership import apply_groups
from skerry.hub.signing_off import SignOffHandler

_COOKIE = "skerry-sign-on-"
_FLOW_S = 600
_PENDING_FLOWS = 8
_STATE = re.compile(r"[0-9a-f]{32}")
_NOT_SIGNED_ON = "You are not signed on"
_BEGIN_AGAIN = "This sign-on was not begun in this browser, or took over ten minutes. Begin again."


def derive_nonce(state: str) -> str:
    """Return the nonce of a sign-on, which its ID token must repeat."""
    return hashlib.sha256(f"nonce {state}".encode()).hexdigest()


def refuse(error: SkerryError) -> NoReturn:
    """Answer a browser with an error of ours, in words."""
    raise web.HTTPError(error.status, "%s", str(error), reason=error.title) from None


def name_cookie(handler: Any, state: str) -> str:
    """Return the name of a sign-on's cookie, which over https no other subdomain can set."""
    public = handler.settings.get("public_url")
    scheme = public.scheme if public else handler.request.protocol
    return f"{'__Host-' if scheme == 'https' else ''}{_COOKIE}{state}"


class SignOnHandler(OAuthLoginHandler):  # type: ignore[misc]
    """Sends a browser to the provider."""

    async def get(self) -> None:
        """Redirect, with a new state and nonce."""
        try:
            await self.authenticator.prepare()
        except SkerryError as error:
            refuse(error)
        super().get()

    def _generate_state_id(self) -> str:
        self._state_id = str(super()._generate_state_id())
        return self._state_id

    def set_state_cookie(self, state_cookie_value: str) -> None:
        """Keep the state in a cookie of its own; too many that were never finished go."""
        pending = [name for name in self.request.cookies if _COOKIE in name]
        if len(pending) >= _PENDING_FLOWS:
            for name in pending:
                self.clear_cookie(name)
        self._set_cookie(
            name_cookie(self, self._state_id), state_cookie_value, max_age=_FLOW_S,
            expires_days=None, httponly=True, samesite="Lax",
        )  # fmt: skip

    def authorize_redirect(self, **options: Any) -> None:
        """Redirect; the provider signs the nonce into the ID token."""
        nonce = derive_nonce(self._state_id)
        options["extra_params"] = {**options["extra_params"], "nonce": nonce}
        super().authorize_redirect(**options)


class CallbackHandler(OAuthCallbackHandler):  # type: ignore[misc]
    """Takes a browser back from the provider."""

    _names_issuer = True
    _state_cookie: str | None = None

    @property
    def nonce(self) -> str:
        """The nonce that the ID token must repeat."""
        return derive_nonce(self._read_state_id())

    def _read_state_id(self) -> str:
        """Return the state in the address; it is not believed before the cookie says the same."""
        try:
            state = json.loads(urlsafe_b64decode(self.get_argument("state", "").encode()))
            name = state["state_id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            name = None
        if not isinstance(name, str) or _STATE.fullmatch(name) is None:
            raise web.HTTPError(400, _BEGIN_AGAIN, reason=_NOT_SIGNED_ON)
        return name

    def get_state_cookie(self) -> str:
        """Return the state that this browser was given, and forget it: it is good once."""
        if self._state_cookie is None:
            cookie = name_cookie(self, self._read_state_id())
            kept = self.get_secure_cookie(cookie, max_age_days=_FLOW_S / 86_400)
            self._state_cookie = (kept or b"").decode("utf-8", "replace")
            self.clear_cookie(cookie)
        return self._state_cookie

    def check_arguments(self) -> None:
        """Refuse an answer that this browser did not ask for, then what is wrong with the answer.

        Nothing of the address is shown before: otherwise a link could put words on our page.
        """
        self.check_state()
        self.check_error()
        self.check_code()
        self._check_issuer()

    def check_state(self) -> None:
        """Compare the state in the address with the cookie."""
        state = self._read_state_id()
        try:
            kept = json.loads(urlsafe_b64decode(self.get_state_cookie().encode()))
        except ValueError:
            kept = {}
        if kept.get("state_id") != state:
            raise web.HTTPError(400, _BEGIN_AGAIN, reason=_NOT_SIGNED_ON)

    def _check_issuer(self) -> None:
        """Refuse the answer of another provider, where providers say who they are."""
        named = self.get_argument("iss", "")
        if (named or self._names_issuer) and named != self.authenticator.sign_on.issuer:
            raise web.HTTPError(
                403, "The answer comes from another provider than was asked.",
                reason=_NOT_SIGNED_ON,
            )  # fmt: skip

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """Write a failure into the log without the address, in which a code stands."""
        if isinstance(error, web.HTTPError):
            self.log.warning("A sign-on ends with status %s", error.status_code)
        else:
            self.log.error("A sign-on fails", exc_info=(kind, error, trace))

    async def get(self) -> None:
        """Finish the sign-on, and send the browser to where it wanted to go."""
        try:
            document = await self.authenticator.prepare()
        except SkerryError as error:
            refuse(error)
        self._names_issuer = document.authorization_response_iss_parameter_supported
        await super().get()

    async def auth_to_user(self, authenticated: dict[str, Any], user: Any = None) -> Any:
        """Put the person into their groups as well."""
        user = await super().auth_to_user(authenticated, user)
        apply_groups(user, authenticated["groups"])
        return user


class ProviderSignOffHandler(SignOffHandler):
    """Ends the sessions here, then leads to the end of the one at the provider."""

    async def render_logout_page(self) -> None:
        """Send the browser on to the provider, which asks whether its session is to end too.

        It would not ask if it were shown the ID token, but then that token stood in an address, or
        came in a form, with which browsers send no cookies of another site.
        """
        try:
            end = (await self.authenticator.prepare()).end_session_endpoint
        except SkerryError:  # the session here has ended all the same
            end = None
        if end is None:
            await super().render_logout_page()
            return
        back = {
            "client_id": self.authenticator.client_id,
            "post_logout_redirect_uri": self.authenticator.after_logout,
        }
        self.redirect(url_concat(end, back))
