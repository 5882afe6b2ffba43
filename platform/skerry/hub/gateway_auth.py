"""Who may use the gateway: only holders of a hub token that grants access to it.

Each attempt of a run is a user of its own here, so that runs cannot see or end each other's
clusters, and so that the platform knows which clusters end with which attempt.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientConnectionResetError, web
from dask_gateway_server.auth import JupyterHubAuthenticator, unauthorized
from dask_gateway_server.models import User
from dask_gateway_server.routes import default_routes
from traitlets import List, Unicode

from skerry.core.gateway import CLUSTERS_PATH, name_attempt
from skerry.core.hosts import UnknownHostError, allowed_hosts, check_host
from skerry.core.scopes import PROJECTS_GROUP
from skerry.hub.gateway_clusters import list_clusters

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VERSION = "/api/version"
"""Public by default in dask-gateway; Skerry requires a token. Only ``/health`` stays public."""

_KEEPERS = frozenset({"service:api", "service:worker"})
"""The parts of the platform that look after all clusters."""


class _WithoutPolls(logging.Filter):
    """Leaves out the lines about the list of clusters, for which the worker asks without end."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        return CLUSTERS_PATH not in arguments


class Keeper(User):  # type: ignore[misc]
    """A part of the platform that may see and end every cluster."""

    def has_permissions(self, cluster: Any) -> bool:  # noqa: ARG002
        """Return True."""
        return True


def _is_person(request: web.Request) -> bool:
    """Return whether a person uses a browser: programs that use the gateway send a token."""
    return (
        request.method == "GET"
        and "Authorization" not in request.headers
        and "text/html" in request.headers.get("Accept", "")
    )


@cache
def _read_page() -> str:
    """Return the page that explains the purpose of this address."""
    from jinja2 import Environment, FileSystemLoader

    folders = [str(Path(__file__).parent / "templates"), str(files("skerry.core.look"))]
    return (
        Environment(loader=FileSystemLoader(folders), autoescape=True)
        .get_template("gateway.html")
        .render()
    )


def refuse_unknown_hosts(allowed: Collection[str]) -> Any:
    """Return the middleware that refuses requests that name another host."""

    @web.middleware
    async def refuse_unknown(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            check_host(request.headers.get("Host"), allowed)
        except UnknownHostError as error:
            return web.Response(status=error.status, text=f"{error}\n")
        return await handler(request)

    return refuse_unknown


class HubTokenAuthenticator(JupyterHubAuthenticator):  # type: ignore[misc]
    """JupyterHub's authenticator, but it answers 401 wherever credentials are missing or wrong.

    The hub's proxy routes to the gateway's API itself, not to the gateway's own HTTP proxy: that
    one would show the Dask dashboards to anybody. The API therefore answers below its public path
    too.
    """

    public_url = Unicode("", help="The platform's address.", config=True)
    public_prefix = Unicode("", help="The API's public path, no trailing slash.", config=True)
    inner_hosts = List(Unicode(), help="Names that other parts call it by.", config=True)
    _hub_is_away = False

    async def setup(self, app: web.Application) -> None:
        """Add the public paths, the list of all clusters, and a guard before every path."""
        await super().setup(app)
        for route in default_routes:
            app.router.add_route(route.method, f"{self.public_prefix}{route.path}", route.handler)
        app.router.add_get(CLUSTERS_PATH, list_clusters)
        app.middlewares.append(self._guard)
        self.log.addFilter(_WithoutPolls())
        hosts = allowed_hosts(self.public_url).union(self.inner_hosts)
        app.middlewares.insert(0, refuse_unknown_hosts(hosts))

    async def authenticate(self, request: web.Request) -> Any:
        """Return the token's user; for a run's token a user of its attempt alone.

        Raises
        ------
        aiohttp.web.HTTPUnauthorized
            If there is no token, or the hub does not know it (the parent class answers 500 then).
        aiohttp.web.HTTPServiceUnavailable
            If the hub does not answer; the log says so once, until it is back.
        """
        try:
            user = await super().authenticate(request)
        except web.HTTPInternalServerError as error:
            raise unauthorized("jupyterhub") from error
        except (ClientConnectionError, TimeoutError):
            self._note_hub(is_away=True)
            raise web.HTTPServiceUnavailable(reason="The hub does not answer") from None
        self._note_hub(is_away=False)
        if user.name in _KEEPERS:
            return Keeper(user.name)
        if PROJECTS_GROUP in user.groups:
            return User(name_attempt(user.name, self.get_token(request)))
        return user

    def _note_hub(self, *, is_away: bool) -> None:
        if is_away and not self._hub_is_away:
            self.log.warning("The hub does not answer: nobody can use the gateway meanwhile.")
        elif self._hub_is_away and not is_away:
            self.log.info("The hub answers again.")
        self._hub_is_away = is_away

    @property
    def _guard(self) -> Any:
        """Return the middleware that requires credentials where no handler does.

        These are the version, the list of all clusters, and every path without a handler, so
        that nobody else can learn whether a cluster of some name exists.
        """

        @web.middleware
        async def refuse_anonymous(request: web.Request, handler: _Handler) -> web.StreamResponse:
            path = request.path.removeprefix(self.public_prefix)
            if " " not in request.headers.get("Authorization", " "):  # the library's code fails
                raise unauthorized("jupyterhub")
            if _is_person(request):
                return web.Response(status=401, text=_read_page(), content_type="text/html")
            if path == VERSION or request.match_info.http_exception is not None:
                await self.authenticate(request)
            if request.path == CLUSTERS_PATH and not isinstance(
                await self.authenticate(request), Keeper
            ):
                raise web.HTTPForbidden(reason="Only the platform's own parts see all clusters")
            try:
                return await handler(request)
            except ClientConnectionResetError:  # whoever waited for changes has gone
                return web.Response()

        return refuse_anonymous
