"""Security headers on every answer of this program, static files and errors included."""

from typing import Any

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

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
