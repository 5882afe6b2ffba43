"""Measures what this program answers, shows it to Prometheus, and names each request."""

import logging
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform, RequestHandler

from skerry.core.errors import ForbiddenError
from skerry.core.measurements import TEXT_FORMAT, Measurements, is_metrics_token
from skerry.core.request_ids import REQUEST_ID, accept_identifier
from skerry.core.scopes import Scope
from skerry.dashboards.templating import answer_error
from skerry.dashboards.viewer import refuse_stranger

_LOG = logging.getLogger(__name__)
_LACKING = ForbiddenError(
    f"The token lacks the scope {Scope.PLATFORM_MEASURE}.", remedy="Use a token with that scope."
)


class MetricsHandler(RequestHandler):
    """`/metrics`: what this program measures, for those who may see it."""

    application: Any

    def initialize(self, measurements: Measurements) -> None:
        """Take the measurements to show."""
        self._measurements = measurements

    async def get(self) -> None:
        """Answer with the measurements; the token of Prometheus needs no hub."""
        token = self.request.headers.get("Authorization", "").partition(" ")[2].strip()
        if not is_metrics_token(token):
            model = await self.application.auth_provider.ask_hub(self)
            if not model:
                refuse_stranger(self)
                return
            if Scope.PLATFORM_MEASURE.value not in model["scopes"]:
                answer_error(self, _LACKING)
                return
        self.set_header("Content-Type", TEXT_FORMAT)
        self.finish(self._measurements.write())


class RequestNames(OutputTransform):
    """Tornado transform that gives each request its identifier, also in the lines of the log."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self._identifier = accept_identifier(request.headers.get(REQUEST_ID, ""))
        correlation_id.set(self._identifier)

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Name the request in the answer."""
        del finishing
        headers[REQUEST_ID] = self._identifier
        return status_code, headers, chunk


def measure_requests(application: Any, measurements: Measurements) -> None:
    """Measure every request of a Bokeh application, by the pattern of its address."""

    def note(handler: RequestHandler) -> None:
        request, status = handler.request, handler.get_status()
        route = _find_pattern(application, request)
        measurements.note_request(str(request.method), route, status, request.request_time())
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _LOG.error("%s was answered with %s", route, status)

    application.settings["log_function"] = note


def _find_pattern(application: Any, request: Any) -> str:
    for rule in application.wildcard_router.rules:
        if rule.matcher.match(request) is not None:
            pattern: str = rule.matcher.regex.pattern.rstrip("$")
            return pattern.removeprefix(application.prefix)
    return "none"
