"""Browser login through the hub: OAuth 2 with PKCE, a state cookie per flow, a session cookie.

Sources: RFC 6749 section 4.1, RFC 7636 (S256), JupyterHub's "Services" documentation.
"""

import base64
import hashlib
import json
import secrets
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import httpx
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from skerry.core.errors import ForbiddenError, UnavailableError
from skerry.core.sealing import open_text, seal_text
from skerry.services.guarded_route import create_router
from skerry.services.hub_access import HubAccess
from skerry.services.identity import anyone

_SESSION_S = 12 * 3600
_FLOW_S = 600
_PENDING_FLOWS = 8


class HubLogin:
    """Sends browsers to the hub to log in, and keeps their token in a cookie when they return.

    Parameters
    ----------
    hub
        The hub and this service's OAuth client.
    prefix
        The service's path, without a trailing slash; over plain HTTP the cookies' path.
    public_url
        The platform's address. Its port stands in the cookies' names: browsers keep one jar for
        all ports of a host, and another platform there has cookies too. Over https the names
        begin with ``__Host-``: no page of another subdomain, such as a person's own server, can put
        a cookie of its choice in their place. Such cookies have the path ``/``.
    """

    def __init__(self, hub: HubAccess, prefix: str, public_url: str) -> None:
        self._hub = hub
        self._prefix = prefix
        self._secure = public_url.startswith("https:")
        self._path = "/" if self._secure else prefix
        name = f"skerry-{hub.service}-{urlsplit(public_url).port or ''}"
        name = f"__Host-{name}" if self._secure else name
        self._session_cookie = f"{name}-session"
        self._flow_cookie = f"{name}-login-"

    @property
    def _secret(self) -> str:
        return self._hub.api_token.get_secret_value()

    def read_session(self, connection: HTTPConnection) -> str | None:
        """Return the hub token in the browser's session cookie, or None."""
        session = self._read(connection, self._session_cookie, _SESSION_S)
        return str(session["token"]) if session else None

    def begin(self, request: Request) -> Response:
        """Redirect a browser to the hub's login, from where it returns to the present address."""
        flow, code_verifier = secrets.token_urlsafe(12), secrets.token_urlsafe(48)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        query = urlencode(
            {
                "client_id": self._hub.client_id,
                "redirect_uri": self._hub.callback,
                "response_type": "code",
                "state": flow,
                "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
                "code_challenge_method": "S256",
            }
        )
        response = RedirectResponse(
            f"{self._hub.base_url}hub/api/oauth2/authorize?{query}", status_code=302
        )
        pending = [name for name in request.cookies if name.startswith(self._flow_cookie)]
        if len(pending) >= _PENDING_FLOWS:
            for name in pending:
                self._forget(response, name)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        self._write(
            response, self._flow_cookie + flow, {"next": path, "code": code_verifier}, _FLOW_S
        )
        return response

    async def finish(self, request: Request, code: str | None, state: str | None) -> Response:
        """Exchange the hub's code for a token and send the browser to its first address.

        Raises
        ------
        ForbiddenError
            If this browser did not begin the flow, or the hub refused it.
        UnavailableError
            If the hub does not answer.
        """
        cookie = self._flow_cookie + (state or "")
        flow = self._read(request, cookie, _FLOW_S) if state else None
        if flow is None or not code:
            raise ForbiddenError(
                "This login was not begun in this browser, was refused, or took over ten minutes.",
                remedy=f"Open {self._prefix} again.",
            )
        token = await self._trade(code, str(flow["code"]))
        response = RedirectResponse(self._own_path(str(flow["next"])), status_code=302)
        self._forget(response, cookie)
        self._write(response, self._session_cookie, {"token": token}, _SESSION_S)
        return response

    def _own_path(self, path: str) -> str:
        return path if path.startswith(f"{self._prefix}/") else self._prefix

    async def _trade(self, code: str, code_verifier: str) -> str:
        form = {
            "client_id": self._hub.client_id,
            "client_secret": self._hub.api_token.get_secret_value(),
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._hub.callback,
            "code_verifier": code_verifier,
        }
        try:
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                response = await client.post(f"{self._hub.api_url}/oauth2/token", data=form)
        except httpx.HTTPError:
            raise UnavailableError(
                "The hub does not answer, so the login cannot be finished.", remedy="Try again."
            ) from None
        if response.status_code != httpx.codes.OK:
            raise ForbiddenError("The hub refused this login.", remedy="Log in again.")
        return str(response.json()["access_token"])

    def _read(self, connection: HTTPConnection, name: str, max_age: int) -> dict[str, Any] | None:
        sealed = connection.cookies.get(name)
        if not sealed:
            return None
        text = open_text(sealed, secret=self._secret, purpose=name, max_age_s=max_age)
        return json.loads(text) if text is not None else None

    def _forget(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path=self._path, secure=self._secure, httponly=True)

    def _write(self, response: Response, name: str, value: dict[str, str], max_age: int) -> None:
        # sealed for its name: a flow's cookie must not pass for a session
        response.set_cookie(
            name,
            seal_text(json.dumps(value), secret=self._secret, purpose=name),
            max_age=max_age,
            path=self._path,
            httponly=True,
            samesite="lax",
            secure=self._secure,
        )


class _Answer(BaseModel):
    """The parameters of the hub's redirect: a code, or an error (RFC 6749, 4.1.2)."""

    code: str | None = None
    state: str | None = None
    error: str | None = None
    error_description: str | None = None
    error_uri: str | None = None


def create_login_router(login: HubLogin) -> APIRouter:
    """Return the route to which the hub sends browsers back."""
    router = create_router(tags=["login"])

    @router.get("/oauth_callback", dependencies=[Depends(anyone())], include_in_schema=False)
    async def finish_login(request: Request, answer: Annotated[_Answer, Query()]) -> Response:
        """Finish a browser's login."""
        return await login.finish(request, answer.code, answer.state)

    return router
