"""The viewer of a page, as the hub knows them: for Panel's handlers and websockets, and for ours.

Every page acts with the viewer's own hub token; `skerry.dashboards.login` gets it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bokeh.server.auth_provider import AuthProvider
from bokeh.util.token import get_session_id
from jupyterhub.services.auth import HubOAuth
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.disk import find_full_disk
from skerry.core.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from skerry.core.scopes import Scope
from skerry.dashboards.login import LoginHandler
from skerry.dashboards.readiness import HubCheck
from skerry.dashboards.templating import answer_error

_NO_ACCESS = ForbiddenError(
    "This account may not use the dashboards.",
    remedy="Ask the platform's administrator for a role that includes them.",
)
_NOT_LOGGED_IN = UnauthenticatedError(
    "Nobody is logged in, or the token is no longer good.",
    remedy="Log in at the hub, or send a token.",
)

_LATER = "Try again in a minute. Maps and the catalogue still show what is public."


@dataclass(frozen=True)
class Viewer:
    """The person, or the account of a script, that requests a page.

    Attributes
    ----------
    name
        The hub's name of the account.
    token
        The viewer's hub token; never in a page, never in `repr`.
    scopes
        The scopes of the token.
    """

    name: str
    token: str = field(repr=False)
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Return whether the viewer's token has `scope`."""
        return scope.value in self.scopes

    def open_session(self, url: str) -> Session:
        """Return a session with the platform at `url` that acts as this viewer."""
        return Session(self.log_in(url))

    def log_in(self, url: str) -> Login:
        """Return this viewer's login at the platform at `url`."""
        return Login(url=url, token=self.token, user=self.name)


class ViewerAuth(AuthProvider):  # type: ignore[misc]
    """Bokeh's authentication: asks the hub, and stores the viewer in the request.

    Browsers that are not logged in are sent to the hub, other programs are refused: 401 without
    a valid token, 403 with a token that may not use the dashboards.

    Parameters
    ----------
    hub
        The hub's OAuth client of this service.
    check
        Says whether the hub answers.
    data
        The data folder: a hub with a full disk knows no token, and then the error says so.
    """

    def __init__(self, hub: HubOAuth, check: HubCheck, data: Path | None = None) -> None:
        self.hub = hub
        self._check = check
        self._data = data
        super().__init__()

    @property
    def get_user(self) -> None:
        """Return None: `get_user_async` asks the hub without blocking."""
        return

    @property
    def get_user_async(self) -> Callable[[RequestHandler], Awaitable[str | None]]:
        """The function that Bokeh's handlers await before they do anything."""
        return self.identify

    @property
    def login_url(self) -> str:
        """The address to which Bokeh would redirect; `identify` does so first."""
        return "/login"

    @property
    def get_login_url(self) -> None:
        """None: `login_url` is fixed."""
        return

    @property
    def login_handler(self) -> type[RequestHandler]:
        """The handler that begins the hub's OAuth flow."""
        return LoginHandler

    @property
    def logout_url(self) -> None:
        """None: people log out at the hub."""
        return

    @property
    def logout_handler(self) -> None:
        """None: people log out at the hub."""
        return

    async def identify(self, handler: RequestHandler) -> str | None:
        """Return the viewer's name, or answer the request with a redirect or a refusal.

        A websocket's handshake is not answered here: Panel refuses it with 403 when this
        returns None.
        """
        try:
            model = await self.ask_hub(handler)
        except HTTPError:
            if isinstance(handler, WebSocketHandler) or not await self._is_hub_away(handler):
                raise
            return None
        if isinstance(handler, WebSocketHandler):
            return self._admit_socket(handler, model)
        if not model:
            full = find_full_disk(self._data) if self._data is not None else None
            if full is not None:
                answer_error(handler, full)
            elif not await self._is_hub_away(handler):
                refuse_stranger(handler)
            return None
        if not self.hub.check_scopes(self.hub.access_scopes, model):
            answer_error(handler, _NO_ACCESS)
            return None
        return self._remember(handler, model)

    async def _is_hub_away(self, handler: Any) -> bool:
        """Return whether the hub is away; then the request has been answered with that."""
        fault = await self._check.find_fault()
        if fault is not None:
            answer_error(
                handler, UnavailableError(f"These pages need a login. {fault}", remedy=_LATER)
            )
        return fault is not None

    async def ask_hub(self, handler: Any) -> dict[str, Any] | None:
        """Return the hub's facts about who sent the request; None also on a full disk.

        The request keeps the name for the header of a page that only shows an error.
        """
        try:
            model: dict[str, Any] | None = await self.hub.get_user(handler, sync=False)
        except HTTPError:
            if self._data is None or find_full_disk(self._data) is None:
                raise
            return None
        handler.request.viewer_name = model["name"] if model else ""
        return model

    def _admit_socket(self, handler: Any, model: dict[str, Any] | None) -> str | None:
        """Accept a websocket only from the person for whom its page was made."""
        if not model or not self.hub.check_scopes(self.hub.access_scopes, model):
            return None
        maker = _find_page_maker(handler)
        if maker is not None and maker.name != model["name"]:
            return None
        return self._remember(handler, model)

    def _remember(self, handler: Any, model: dict[str, Any]) -> str:
        handler.request.viewer = Viewer(
            name=model["name"],
            token=self.hub.get_token(handler),
            scopes=frozenset(model["scopes"]),
        )
        return str(model["name"])


def refuse_stranger(handler: Any) -> None:
    """Send a browser to the login, and refuse other programs, when nobody is known to ask."""
    request = handler.request
    browser = (
        request.method == "GET"
        and "text/html" in request.headers.get("Accept", "")
        and "Authorization" not in request.headers
    )
    if not browser:
        answer_error(handler, _NOT_LOGGED_IN)
        return
    handler.redirect(f"{handler.application.prefix}/login?{urlencode({'next': request.uri})}")


def _find_page_maker(handler: Any) -> Viewer | None:
    """Return who opened the page of this websocket's session, if the session still exists."""
    protocols = handler.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    try:
        session_id = get_session_id(protocols[-1].strip())
        session = handler.application_context.get_session(session_id)
    except Exception:  # noqa: BLE001 - whatever a stranger sent; Bokeh judges the token next
        return None
    return find_viewer(session.document)


def find_viewer(document: Any) -> Viewer | None:
    """Return the viewer of a Bokeh document, None outside of a request."""
    context = document.session_context if document is not None else None
    viewer = getattr(context.request, "viewer", None) if context is not None else None
    return viewer if isinstance(viewer, Viewer) else None


class ViewerHandler(RequestHandler):
    """A handler of ours that answers only viewers; `viewer` is the person."""

    application: Any
    request: Any
    viewer: Viewer

    async def prepare(self) -> None:
        """Use the same authentication as the pages."""
        self.current_user = await self.application.auth_provider.identify(self)
        if self.current_user:
            self.viewer = self.request.viewer
