"""What every request and every answer passes, around the routes: host, form of errors, headers."""

from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skerry.core.hosts import UnknownHostError, allowed_hosts, check_host
from skerry.core.problems import MEDIA_TYPE
from skerry.services.problems import answer_status, describe_error

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'self'",
    # a route that serves public or revalidated content says so itself
    "Cache-Control": "no-store",
}


class KnownHosts:
    """Answer only requests that name the platform as their host; see `skerry.core.hosts`."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._allowed = allowed_hosts(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it before anything else looks at it."""
        answer: ASGIApp = self._app
        if scope["type"] in ("http", "websocket"):
            try:
                check_host(Headers(scope=scope).get("host"), self._allowed)
            except UnknownHostError as error:
                answer = describe_error(error)
        await answer(scope, receive, send)


class SecurityHeaders:
    """Add the headers of `_HEADERS` to every response that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the response's headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class ProblemDocuments:
    """Turn errors that the framework answers by itself, in plain text, into problem documents.

    A body that is too large is such an error: the framework refuses it around the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and replace an error's body if it is no problem document."""
        replaced = False

        async def send_checked(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if message["type"] == "http.response.start" and _is_bare_error(message):
                replaced = True
                await answer_status(message["status"], scope)(scope, receive, send)
                return
            await send(message)

        await self._app(scope, receive, send_checked)


def _is_bare_error(message: Message) -> bool:
    kind = Headers(raw=list(message["headers"])).get("content-type", "")
    return message["status"] >= HTTPStatus.BAD_REQUEST and kind != MEDIA_TYPE
