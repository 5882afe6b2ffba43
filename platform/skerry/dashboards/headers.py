"""What every answer of this program has: security headers, and errors in one form."""

from http import HTTPStatus
from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

from skerry.core.problems import MEDIA_TYPE, describe_status
from skerry.dashboards.templating import present_problem

_POLICY = (
    "default-src 'none'",
    # Bokeh's page starts itself with an inline script; the loader of ipywidgets' modules
    # (ipyleaflet) evaluates what it has fetched. Names from outside are escaped everywhere.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'self'",
)
CONTENT_SECURITY_POLICY = "; ".join(_POLICY)
"""Pages load everything from the platform's own origin, nothing from content networks."""


_PAGE = b"<!doctype html"
"""How our own pages begin; what Tornado writes about errors begins otherwise."""


class SecurityHeaders(OutputTransform):
    """Tornado transform that adds the headers to the first chunk of every answer."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        libraries = "/static/" in request.path or "/widgets/" in request.path
        self._caching = "private, max-age=3600" if libraries else "no-store"

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers of every answer; browsers may cache only libraries."""
        del finishing
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers.setdefault("Cache-Control", self._caching)
        return status_code, headers, chunk


class ErrorAnswers(OutputTransform):
    """Tornado transform that gives errors of the libraries the form of our own errors."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Replace an error's body unless it is a problem document or one of our pages."""
        kind = headers.get("Content-Type", "")
        ours = kind == MEDIA_TYPE or chunk.lstrip()[: len(_PAGE)].lower() == _PAGE
        if status_code < HTTPStatus.BAD_REQUEST or ours or not finishing:
            return status_code, headers, chunk
        problem = describe_status(status_code, self._request.method, self._request.path[:160])
        kind, body = present_problem(problem, self._request)
        chunk = body.encode()
        headers["Content-Type"] = kind
        headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk
