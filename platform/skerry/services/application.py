"""Builds the ASGI application of each HTTP program of the platform."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from socket import socket
from typing import TYPE_CHECKING, Any

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp

from skerry.core.errors import UnavailableError
from skerry.core.logs import configure_logs
from skerry.core.measurements import Measurements
from skerry.core.problems import Problem
from skerry.core.programs import listen
from skerry.core.request_ids import REQUEST_ID, accept_identifier
from skerry.core.settings import ServiceSettings
from skerry.core.version import VERSION
from skerry.models.files import Manifest, Notebook
from skerry.models.platform import OpenApiDocument, PartHealth
from skerry.services.guarded_route import create_router
from skerry.services.hub_access import HubAccess, HubWatch
from skerry.services.identity import Verifier, anyone
from skerry.services.login import HubLogin, create_login_router
from skerry.services.machine_tokens import open_verifier
from skerry.services.measuring import MeasuredRequests, create_measurements_router
from skerry.services.media import add_models, sends_json
from skerry.services.middleware import KnownHosts, ProblemDocuments, SecurityHeaders
from skerry.services.problems import PROBLEMS, add_problem_handlers
from skerry.services.readiness import Check, ReadinessChecks, create_readiness_router
from skerry.storage.timing import tell

if TYPE_CHECKING:
    from uvicorn import Server

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
# Seconds. The hub's proxy keeps its connections to a program and never closes them first. If the
# program closed after a few seconds, as uvicorn does, a request just then would be lost: HTTP 503.
IDLE_CONNECTION = 3600


def create_application(
    settings: ServiceSettings,
    routers: Iterable[APIRouter],
    title: str,
    *,
    prefix: str,
    hub: HubAccess | None = None,
    verifier: Verifier | None = None,
    lifespan: Lifespan | None = None,
    measurements: Measurements | None = None,
    checks: Mapping[str, Check] | None = None,
) -> FastAPI:
    """Return an application with identity, login, problem documents, health and headers.

    Parameters
    ----------
    settings
        Data folder and addresses.
    routers
        The program's routes, their paths relative to `prefix`.
    title
        The program's name in its OpenAPI document.
    prefix
        Its public path, such as `skerry.core.settings.API_PREFIX`.
    hub
        The hub; read from the environment when left out.
    verifier
        Checks tokens; the hub, and the trusted issuers, when left out.
    lifespan
        The resources that the program opens at its start and closes at its end.
    measurements
        What the program measures besides its requests.
    checks
        What the program needs, by name. Without the hub it is ready too: it serves what is public.

    Notes
    -----
    ``app.state`` holds ``settings``, ``verifier``, ``login``, ``sessions``, ``hub_watch`` and
    ``measurements``.
    A response without a ``Cache-Control`` of its own is ``no-store``.
    """
    hub = hub or HubAccess.from_environment()
    verifier = verifier or open_verifier(hub.api_url, settings.data)
    measurements = measurements or Measurements()
    tell(measurements)
    watch = HubWatch(hub.api_url)
    needs = ReadinessChecks(checks or {}, {"hub": watch.find_fault})
    login = HubLogin(hub, prefix, settings.public_url)
    own = (
        create_readiness_router(needs), create_measurements_router(measurements),
        create_login_router(login),
    )  # fmt: skip
    app = create_bare_application(
        settings, (*own, *routers), title, prefix=prefix, lifespan=_combine(verifier, lifespan),
        measurements=measurements,
    )  # fmt: skip
    app.include_router(_create_platform_router(app), prefix=prefix, responses=PROBLEMS)
    app.state.verifier = verifier
    app.state.login = login
    app.state.sessions = login
    app.state.hub_watch = watch
    return app


def create_bare_application(
    settings: ServiceSettings,
    routers: Iterable[APIRouter],
    title: str,
    *,
    prefix: str,
    lifespan: Lifespan | None = None,
    measurements: Measurements | None = None,
) -> FastAPI:
    """Return an application that knows no hub and nobody; parameters as `create_application`."""
    app = _Application(
        title=title, version=VERSION, openapi_url=None, docs_url=None, redoc_url=None,
        lifespan=lifespan, max_body_size=settings.largest_body,
        separate_input_output_schemas=False,
    )  # fmt: skip
    app.state.settings = settings
    app.state.measurements = measurements or Measurements()
    for router in routers:
        app.include_router(router, prefix=prefix, responses=PROBLEMS)
    add_problem_handlers(app)
    app.add_middleware(KnownHosts, settings.public_url)
    return app


class _Application(FastAPI):
    """An application whose framework's own answers have our headers and form of errors too."""

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the outermost layers: they answer faults and bodies that are too large."""
        inner = SecurityHeaders(ProblemDocuments(super().build_middleware_stack()))
        measured = MeasuredRequests(inner, self.state.measurements)
        return CorrelationIdMiddleware(
            measured, header_name=REQUEST_ID, validator=None, transformer=accept_identifier
        )

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the models that only responses name."""
        if self.openapi_schema is None:
            add_models(super().openapi(), (Problem, Notebook, Manifest))
        return super().openapi()


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until the process is told to end, on loopback unless a setting says otherwise.

    Any number of processes share the port; each may have another port of its own beside it.
    There is no access log: the hub's proxy stands in front, and addresses may hold names.

    Raises
    ------
    UnavailableError
        If the application does not start; its log says why.
    """
    configure_logs(logging.WARNING, read_request=correlation_id.get)
    logging.getLogger("skerry").setLevel(logging.INFO)
    server, sockets = open_server(app, settings)
    server.run(sockets)
    if not server.started:
        raise UnavailableError(f"{app.title} did not start.", remedy="Its log says why.")


def open_server(app: FastAPI, settings: ServiceSettings) -> "tuple[Server, list[socket]]":
    """Return a server of `app` that has not started, and the sockets on which it is to listen."""
    import uvicorn

    sockets = [listen(settings.port, host=settings.host, shared=True)]
    if settings.own_port is not None:
        sockets.append(listen(settings.own_port, host=settings.host))
    config = uvicorn.Config(
        app, access_log=False, log_level="warning", log_config=None,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=3,
        timeout_keep_alive=IDLE_CONNECTION,
    )  # fmt: skip
    return uvicorn.Server(config), sockets


def _create_platform_router(app: FastAPI) -> APIRouter:
    router = create_router(tags=["platform"])

    @router.get("/health", dependencies=[Depends(anyone())])
    async def get_health() -> PartHealth:
        """Report that this program answers."""
        return PartHealth(ready=True)

    @router.get("/", dependencies=[Depends(anyone())], include_in_schema=False)
    async def lead_to_description() -> RedirectResponse:
        """Redirect from the bare address to the program's description."""
        return RedirectResponse(app.url_path_for("openapi"))

    @router.get(
        "/openapi.json", dependencies=[Depends(anyone())], name="openapi",
        operation_id="get_openapi", **sends_json(OpenApiDocument),
    )  # fmt: skip
    async def describe_api() -> JSONResponse:
        """Return the OpenAPI document of this program."""
        return JSONResponse(app.openapi())

    return router


def _combine(verifier: Verifier, inner: Lifespan | None) -> Lifespan:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(verifier.close)
            if inner is not None:
                await stack.enter_async_context(inner(app))
            yield

    return lifespan
