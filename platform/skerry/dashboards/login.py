"""Logs browsers in through the hub, and keeps their tokens in sealed cookies.

This program's own token only finishes logins.
"""

import secrets
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import RequestHandler, authenticated

from skerry.core.sealing import open_text, seal_text

_VISIT_S = 12 * 3600

TOKEN_CACHE_SECONDS = 5
"""How long the hub's answer about a token is valid: a revoked token is refused soon after."""


class LoginHandler(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """`/login?next=...`: through the hub's OAuth flow and back to a page of ours."""

    application: Any

    def prepare(self) -> None:
        """Use the same client of the hub as the pages do."""
        self.hub_auth = self.application.auth_provider.hub

    @authenticated
    def get(self) -> None:
        """Redirect to the page that the viewer requested; only to pages of this program."""
        prefix = f"{self.application.prefix}/"
        target = self.get_argument("next", prefix)
        inside = target.startswith(prefix) and "\\" not in target and ".." not in target
        self.redirect(target if inside else prefix)


class CallbackHandler(HubOAuthCallbackHandler):  # type: ignore[misc]
    """`/oauth_callback`: the end of the hub's OAuth flow."""

    application: Any

    def prepare(self) -> None:
        """Use the same client of the hub as the pages do."""
        self.hub_auth = self.application.auth_provider.hub


class SealedHubOAuth(HubOAuth):  # type: ignore[misc]
    """The hub's OAuth client, with a cookie that hides the token from its readers.

    Its name carries the platform's port: browsers keep one jar for all ports of a host.
    """

    sealing_secret = ""
    port: int | None = None

    @property
    def cookie_name(self) -> str:
        """The name of the cookie with the viewer's token."""
        return f"{super().cookie_name}-{self.port or ''}"

    def set_cookie(self, handler: Any, access_token: str) -> None:
        """Store the viewer's token, encrypted, in the browser."""
        write = handler.set_secure_cookie

        def write_sealed(name: str, value: str, **options: Any) -> None:
            write(name, seal_text(value, secret=self.sealing_secret, purpose=name), **options)

        handler.set_secure_cookie = write_sealed
        try:
            super().set_cookie(handler, access_token)
        finally:
            handler.set_secure_cookie = write

    def _get_token_cookie(self, handler: Any) -> str | None:
        token: str | None = super()._get_token_cookie(handler)
        if not token or hasattr(handler, "_hub_auth_token_cookie"):  # just written, not read
            return token
        return open_text(
            token, secret=self.sealing_secret, purpose=self.cookie_name, max_age_s=_VISIT_S
        )


def open_hub(public_url: str, secret: str) -> HubOAuth:
    """Return the hub's OAuth client, with the settings in JupyterHub's environment.

    Parameters
    ----------
    public_url
        The platform's address.
    secret
        The key that encrypts the viewers' cookies.
    """
    hub = SealedHubOAuth(cache_max_age=TOKEN_CACHE_SECONDS)
    hub.sealing_secret = secret
    hub.port = urlsplit(public_url).port
    return hub


def new_cookie_secret() -> str:
    """Return a secret for this process's cookies: a restart only repeats the silent login."""
    return secrets.token_hex(32)
