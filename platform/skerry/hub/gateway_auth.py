"""Who may use the gateway: whoever shows a hub token that may access it; nobody else, nowhere."""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import web
from dask_gateway_server.auth import JupyterHubAuthenticator, unauthorized
from dask_gateway_server.routes import default_routes
from traitlets import Unicode

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VERSION = "/api/version"
"""The path that the gateway would tell everybody; its health it may."""


def _is_person(request: web.Request) -> bool:
    """Return whether somebody looks with a browser: programs that use the gateway send a token."""
    return (
        request.method == "GET"
        and "Authorization" not in request.headers
        and "text/html" in request.headers.get("Accept", "")
    )


@cache
def _read_page() -> str:
    """Return the page that says what this address is for."""
    from jinja2 import Environment, FileSystemLoader

    folders = [str(Path(__file__).parent / "templates"), str(files("skerry.core.look"))]
    return (
        Environment(loader=FileSystemLoader(folders), autoescape=True)
        .get_template("gateway.html")
        .render()
    )


class HubTokenAuthenticator(JupyterHubAuthenticator):  # type: ignore[misc]
    """JupyterHub's authenticator, made to answer 401 wherever credentials lack or are wrong.

    The hub's proxy routes to the gateway's API itself, not to the gateway's own HTTP proxy: that
    one would show the Dask dashboards to anybody. The API therefore answers below its public path
    too.
    """

    public_prefix = Unicode("", help="The API's public path, no trailing slash.", config=True)

    async def setup(self, app: web.Application) -> None:
        """Add the public paths, and a guard before every path."""
        await super().setup(app)
        for route in default_routes:
            app.router.add_route(route.method, f"{self.public_prefix}{route.path}", route.handler)
        app.middlewares.append(self._guard)

    async def authenticate(self, request: web.Request) -> Any:
        """Return the token's user.

        Raises
        ------
        aiohttp.web.HTTPUnauthorized
            If there is no token, or the hub does not know it (the parent class answers 500 then).
        """
        try:
            return await super().authenticate(request)
        except web.HTTPInternalServerError as error:
            raise unauthorized("jupyterhub") from error

    @property
    def _guard(self) -> Any:
        """Return the middleware that asks for credentials where no handler does.

        That is the version, and every path that has no handler: whether a cluster of some name
        exists is nobody else's business.
        """

        @web.middleware
        async def refuse_anonymous(request: web.Request, handler: _Handler) -> web.StreamResponse:
            path = request.path.removeprefix(self.public_prefix)
            if _is_person(request):
                return web.Response(status=401, text=_read_page(), content_type="text/html")
            if path == VERSION or request.match_info.http_exception is not None:
                await self.authenticate(request)
            return await handler(request)

        return refuse_anonymous
