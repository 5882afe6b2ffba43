"""The Panel server: pages, our own handlers, and the hub's login before everything with data."""

import asyncio
import logging
import os
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import panel as pn
from asgi_correlation_id import correlation_id
from bokeh.server import urls
from jupyterhub.services.auth import HubOAuth
from panel.io.server import Server, WSHandler, build_applications

from skerry.core.hosts import allowed_hosts
from skerry.core.logs import configure_logs
from skerry.core.measurements import Measurements
from skerry.core.programs import run_program
from skerry.core.settings import DASHBOARDS_PREFIX, ServiceSettings, read_internal_url
from skerry.core.tornado_hosts import refuse_unknown_hosts
from skerry.dashboards.budgets import BudgetsPage
from skerry.dashboards.handlers import (
    AssetHandler,
    ExportHandler,
    Handler,
    HealthHandler,
    WrongAddressHandler,
    read_handlers,
)
from skerry.dashboards.headers import ErrorAnswers, SecurityHeaders
from skerry.dashboards.leaflet import WidgetFiles
from skerry.dashboards.login import CallbackHandler, new_cookie_secret, open_hub
from skerry.dashboards.map import MapPage
from skerry.dashboards.measuring import MetricsHandler, RequestNames, measure_requests
from skerry.dashboards.overview import OverviewPage
from skerry.dashboards.page_status import PageHandler
from skerry.dashboards.projects import ProjectsPage
from skerry.dashboards.readiness import HubCheck, ReadyHandler
from skerry.dashboards.run import RunPage
from skerry.dashboards.runs import RunsPage
from skerry.dashboards.viewer import ViewerAuth
from skerry.dashboards.visit import begin_visit

Page = Callable[[], pn.Template]

# Only pages and their websockets are needed: no other site embeds a page (autoload.js), and no
# program reads an application's metadata.
_APPLICATION_DOORS = [("/ws", WSHandler), ("/?", PageHandler)]
_TITLES = {
    "/": "Overview · Skerry",
    "/runs": "Runs · Skerry",
    "/run": "Run · Skerry",
    "/map": "Map · Skerry",
    "/budgets": "Budgets · Skerry",
    "/projects": "Projects · Skerry",
}


def build_server(
    public_url: str,
    *,
    port: int,
    hub: HubOAuth | None = None,
    address: str = "127.0.0.1",
    data: Path | None = None,
    inside_url: str | None = None,
) -> Server:
    """Return the program's server, bound but not started.

    Parameters
    ----------
    public_url
        The platform's public address: only pages that came from there may open a websocket.
    port
        The port to listen on, 0 for a free one.
    hub
        The hub's OAuth client; read from the environment when left out.
    address
        The interface.
    data
        The data folder, for the message when its disk is full.
    inside_url
        Where pages reach the api from here; the public address if None.

    Raises
    ------
    LookupError
        If a handler has no audience.
    """
    urls.per_app_patterns[:] = _APPLICATION_DOORS
    secret = new_cookie_secret()
    login = hub or open_hub(public_url, secret)
    check = HubCheck(login.api_url)
    inside_url = inside_url or public_url
    measurements = Measurements()
    server = Server(
        build_applications(_list_pages(inside_url), title=_TITLES),
        port=port,
        address=address,
        prefix=DASHBOARDS_PREFIX,
        use_index=False,
        ico_path="none",
        auth_provider=ViewerAuth(login, check, data),
        default_handler_class=WrongAddressHandler,
        allow_websocket_origin=_list_origins(public_url),
        # What stands in front says who asks and how; on other interfaces anybody could say it.
        use_xheaders=ip_address(address).is_loopback,
        cookie_secret=secret,
        # A page's own session cannot be guessed or made up, and its token holds no cookie:
        # the hub token in it must not reach the page's scripts.
        sign_sessions=True,
        secret_key=secret.encode(),
        include_cookies=[],
        include_headers=[],
        extra_patterns=_list_addresses(inside_url, measurements, check),
    )
    application = server._tornado  # noqa: SLF001 - Bokeh hides the application
    application.settings["inside_url"] = inside_url  # for PageHandler, which Bokeh makes
    measure_requests(application, measurements)
    application.add_transform(RequestNames)
    application.add_transform(SecurityHeaders)
    application.add_transform(ErrorAnswers)
    refuse_unknown_hosts(application, allowed_hosts(public_url))
    try:
        read_handlers(server)
    except LookupError:
        close_unstarted(server)
        raise
    return server


def _list_addresses(
    inside_url: str, measurements: Measurements, check: HubCheck
) -> list[tuple[Any, ...]]:
    """Return the addresses beside the pages, each with its handler."""
    return [
        ("/health", HealthHandler),
        ("/ready", ReadyHandler, {"check": check}),
        ("/metrics", MetricsHandler, {"measurements": measurements}),
        ("/oauth_callback", CallbackHandler),
        (r"/assets/([\w.-]+)", AssetHandler),
        (r"/widgets/([\w-]+)@[^/]+/dist/([\w./-]+)", WidgetFiles),
        (r"/export/([^/]+)/([^/]+)/([^/]+)\.tif", ExportHandler, {"inside_url": inside_url}),
    ]


def close_unstarted(server: Server) -> None:
    """Release the port of a server that was never started."""
    server._http.stop()  # noqa: SLF001 - Bokeh's own stop wants a loop that runs
    server._tornado._executor.shutdown()  # noqa: SLF001


def main() -> int:
    """Serve until a signal ends the process; return the exit code."""
    return run_program(_start)


def _start() -> None:
    settings = ServiceSettings.from_environment()
    os.environ.setdefault("BOKEH_RESOURCES", "server")
    asyncio.set_event_loop(asyncio.new_event_loop())
    configure_logs(logging.WARNING, read_request=correlation_id.get)
    server = build_server(
        settings.public_url, port=settings.port, address=settings.host, data=settings.data,
        inside_url=read_internal_url(settings.public_url),
    )  # fmt: skip
    server.start()
    server.io_loop.start()


def _list_pages(inside_url: str) -> dict[str, Page]:
    def show_overview() -> pn.Template:
        return OverviewPage(begin_visit(inside_url)).show()

    def show_runs() -> pn.Template:
        arguments = {name: _read_argument(name) for name in ("job", "status", "before")}
        return RunsPage(begin_visit(inside_url), **arguments).show()

    def show_run() -> pn.Template:
        return RunPage(begin_visit(inside_url), _read_argument("id")).show()

    def show_map() -> pn.Template:
        arguments = {name: _read_argument(name) for name in ("item", "variable")}
        return MapPage(begin_visit(inside_url), **arguments).show()

    def show_budgets() -> pn.Template:
        return BudgetsPage(begin_visit(inside_url), _read_argument("month")).show()

    def show_projects() -> pn.Template:
        return ProjectsPage(begin_visit(inside_url), _read_argument("name")).show()

    return {
        "/": show_overview,
        "/runs": show_runs,
        "/run": show_run,
        "/map": show_map,
        "/budgets": show_budgets,
        "/projects": show_projects,
    }


def _read_argument(name: str) -> str:
    values = (pn.state.session_args or {}).get(name) or [b""]
    return bytes(values[0]).decode("utf-8", "replace")


def _list_origins(public_url: str) -> list[str]:
    """Return the hosts whose pages may open websockets; this machine has two names."""
    parts = urlsplit(public_url)
    hosts = {parts.netloc}
    if parts.hostname in ("127.0.0.1", "localhost"):
        hosts |= {f"127.0.0.1:{parts.port}", f"localhost:{parts.port}"}
    return sorted(hosts)


def list_handlers() -> list[Handler]:
    """Return every handler of the program with its audience, enumerated from the server itself."""

    async def build() -> list[Handler]:
        hub = HubOAuth(oauth_client_id="service-dashboards", api_token="none")  # noqa: S106
        server = build_server("http://127.0.0.1:8000", port=0, hub=hub)
        try:
            return read_handlers(server)
        finally:
            close_unstarted(server)

    return asyncio.run(build())
