"""Signing off: all logins of a person in browsers end, whoever checked who they are."""

import uuid
from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
from jupyterhub.handlers.login import LogoutHandler
from tornado import web


def end_visits(user: Any) -> None:
    """End a person's logins in browsers: at the hub, and at the parts that it let them visit.

    Tokens that they asked for stay; where a provider says who they are, each request that shows
    such a token asks for the membership again.
    """
    user.orm_user.cookie_id = uuid.uuid4().hex
    for token in list(user.orm_user.api_tokens):
        if token.session_id:
            user.db.delete(token)
    user.db.commit()


class SignOffHandler(LogoutHandler):  # type: ignore[misc]
    """Ends all logins of whoever goes here."""

    async def get(self) -> None:
        """End the session for a person who goes here; not for a page that loads this as a part."""
        if self.request.headers.get("Sec-Fetch-Dest", "document") != "document":
            raise web.HTTPError(403, "A page of another address asked to sign you off.")
        await super().get()

    async def handle_logout(self) -> None:
        """End all logins of the person: a copy of a browser's cookie is good for nothing then."""
        if self.current_user is not None:
            end_visits(self.current_user)


class PasswordAuthenticator(SharedPasswordAuthenticator):  # type: ignore[misc]
    """The one person's password."""

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        """Return the addresses that are not JupyterHub's own."""
        return [*super().get_handlers(app), ("/logout", SignOffHandler)]
