"""The check of `skerry.core.hosts` before every rule of a Tornado application."""

from collections.abc import Collection
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, RequestHandler

from skerry.core.hosts import UnknownHostError, check_host
from skerry.core.problems import MEDIA_TYPE, describe_problem


def refuse_unknown_hosts(application: Application, allowed: Collection[str]) -> None:
    """Make `application` refuse every request that names another host."""
    rule = Rule(_UnknownHost(allowed), _RefuseHandler, {"allowed": allowed})
    application.default_router.rules.insert(0, rule)


class _UnknownHost(Matcher):
    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = allowed

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None if _explain(request, self._allowed) is None else {}


class _RefuseHandler(RequestHandler):
    def initialize(self, allowed: Collection[str]) -> None:
        self._allowed = allowed

    def check_xsrf_cookie(self) -> None:
        """Do nothing: the request is refused in any case."""

    def prepare(self) -> None:
        error = _explain(self.request, self._allowed)
        assert error is not None  # noqa: S101  (the matcher found it)
        self.set_status(error.status)
        self.set_header("Content-Type", MEDIA_TYPE)
        body = describe_problem(error.status, error.title, error.what, error.remedy)
        self.finish(body.model_dump_json())


def _explain(request: HTTPServerRequest, allowed: Collection[str]) -> UnknownHostError | None:
    try:
        check_host(request.headers.get("Host"), allowed)
    except UnknownHostError as error:
        return error
    return None
