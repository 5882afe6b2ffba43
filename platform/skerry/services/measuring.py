"""Measures what a service does, and shows it to Prometheus."""

import time
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy import Connection, Engine, event
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from skerry.core.measurements import TEXT_FORMAT, Measurements
from skerry.core.scopes import Scope
from skerry.services.guarded_route import create_router
from skerry.services.identity import require
from skerry.services.media import sends

_STARTED = "skerry_started"


def watch_database(measurements: Measurements, engine: Engine) -> None:
    """Measure each statement of an engine."""

    @event.listens_for(engine, "before_cursor_execute")
    def _begin(connection: Connection, *_rest: Any) -> None:
        connection.info[_STARTED] = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def _end(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        seconds = time.perf_counter() - connection.info.pop(_STARTED)
        measurements.note_statement(statement, seconds)


class MeasuredRequests:
    """Measures every request of an application."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._measurements = measurements

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what it took."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            seconds = time.perf_counter() - started
            self._measurements.note_request(scope["method"], route, status, seconds)


def create_measurements_router(measurements: Measurements) -> APIRouter:
    """Return the route ``/metrics``."""
    router = create_router(tags=["platform"])

    @router.get(
        "/metrics", dependencies=[Depends(require(Scope.PLATFORM_MEASURE))], **sends("text/plain")
    )
    def get_measurements() -> Response:
        """Return the program's measurements in Prometheus' text format."""
        return Response(measurements.write(), media_type=TEXT_FORMAT)

    return router
