"""What one program measures of itself, in the form that Prometheus reads."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter, Depends
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from skerry.core.scopes import Scope
from skerry.services.guarded_route import create_router
from skerry.services.identity import require
from skerry.services.media import sends

_REQUEST_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_QUERY_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 15)
_STARTED = "skerry_started"
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

Sample = tuple[dict[str, str], float]


class Measurements:
    """The measurements of one program.

    Attributes
    ----------
    registry
        Where all of them are registered.
    requests
        Seconds of each request, by method, route and status. The route is the pattern of the
        address: names in addresses are nobody's business here.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Histogram(
            "skerry_request_seconds",
            "Seconds until a request was answered whole",
            ["method", "route", "status"],
            buckets=_REQUEST_S,
            registry=self.registry,
        )
        self._queries = Histogram(
            "skerry_database_seconds",
            "Seconds of a statement in the database",
            ["kind"],
            buckets=_QUERY_S,
            registry=self.registry,
        )

    def watch_database(self, engine: Engine) -> None:
        """Measure each statement of an engine, by its first word."""

        @event.listens_for(engine, "before_cursor_execute")
        def _begin(connection: Connection, *_rest: Any) -> None:
            connection.info[_STARTED] = time.perf_counter()

        @event.listens_for(engine, "after_cursor_execute")
        def _end(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
            seconds = time.perf_counter() - connection.info.pop(_STARTED)
            self._queries.labels(statement[:8].split(maxsplit=1)[0].lower()).observe(seconds)

    def watch(self, name: str, meaning: str, read: Callable[[], Iterable[Sample]]) -> None:
        """Show numbers that are read when somebody asks for the measurements.

        Parameters
        ----------
        name, meaning
            The measurement's name and one sentence about it.
        read
            Gives labels and number of each sample.
        """
        self.registry.register(_Numbers(name, meaning, read))


class _Numbers(Collector):
    """Numbers that are read when they are asked for."""

    def __init__(self, name: str, meaning: str, read: Callable[[], Iterable[Sample]]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the measurement, so that registering it reads nothing."""
        return [GaugeMetricFamily(self._name, self._meaning)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the numbers."""
        try:
            samples = list(self._read())
        except SQLAlchemyError:  # the others are wanted most when the database is away
            samples = []
        labels = list(samples[0][0]) if samples else []
        family = GaugeMetricFamily(self._name, self._meaning, labels=labels)
        for values, number in samples:
            family.add_metric([values[label] for label in labels], number)
        yield family


class MeasuredRequests:
    """Measures every request of an application."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._requests = measurements.requests

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
            # A client may send any word; each new label would stay in memory.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, route, status).observe(seconds)


def create_measurements_router(measurements: Measurements) -> APIRouter:
    """Return the route ``/metrics``."""
    router = create_router(tags=["platform"])

    @router.get(
        "/metrics", dependencies=[Depends(require(Scope.PLATFORM_MEASURE))], **sends("text/plain")
    )
    def get_measurements() -> Response:
        """Return the program's measurements in Prometheus' text format."""
        content = generate_latest(measurements.registry)
        return Response(content, media_type=CONTENT_TYPE_LATEST)

    return router
