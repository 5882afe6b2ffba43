"""Errors as problem documents (RFC 9457): the fault, the value and the remedy."""

import logging
from http import HTTPStatus
from typing import Any

from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from skerry.core.addresses import leave_out_buckets
from skerry.core.disk import find_full_disk
from skerry.core.errors import SkerryError, UnauthenticatedError, UnavailableError
from skerry.core.problems import MEDIA_TYPE, Problem, describe_problem, describe_status
from skerry.models.refusals import explain_validation
from skerry.services.identity import find_hub_fault, is_navigation
from skerry.services.media import REF
from skerry.storage.absence import describe_cause, tells_absence
from skerry.storage.database_failures import explain_failure

_LOG = logging.getLogger(__name__)
_SHOWN = 160
_READS = frozenset({None, "GET", "HEAD"})

RETRY_LATER = {"Retry-After": "5"}
"""Tells a client that gets a 503 after how many seconds to ask again."""

_LATER = "Try again in a minute. What is public is shown without a login."

_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: RETRY_LATER,
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model=Problem.__name__)}}},
    }
    for status, description in (
        ("4XX", "The request cannot be fulfilled as it is"),
        ("5XX", "The platform cannot fulfil the request now"),
    )
}
PROBLEMS[302] = {"description": "A browser without a login is sent to the login"}
"""What every route may answer besides the answers that it declares."""


def problem(status: int, title: str, detail: str, remedy: str) -> Response:
    """Return one problem document as a response."""
    body = describe_problem(status, title, detail, remedy)
    return JSONResponse(body.model_dump(), status, _HEADERS.get(status), media_type=MEDIA_TYPE)


def describe_error(error: SkerryError) -> Response:
    """Return the problem document of a Skerry error."""
    return problem(error.status, error.title, error.what, error.remedy)


def answer_status(status: int, scope: Scope) -> Response:
    """Return the problem document for a refusal of which only the status is known."""
    body = describe_status(status, str(scope["method"]), str(scope["path"])[:_SHOWN])
    return JSONResponse(body.model_dump(), status, media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Make `app` answer errors with problem documents, and send browsers to the login."""
    app.add_exception_handler(SkerryError, _explain_error)
    app.add_exception_handler(RequestValidationError, _explain_invalid)
    app.add_exception_handler(HTTPException, _explain_status)
    app.add_exception_handler(ClientDisconnect, _end_broken_off)
    app.add_exception_handler(exc.OperationalError, _explain_database)
    app.add_exception_handler(exc.InternalError, _explain_database)  # it only reads, for instance
    app.add_exception_handler(exc.TimeoutError, _explain_database)  # no connection left in the pool
    app.add_exception_handler(Exception, _explain_fault)


async def _explain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkerryError)  # noqa: S101  (narrows; starlette's type is wide)
    if isinstance(error, UnauthenticatedError) and _may_log_in(request):
        if (fault := await find_hub_fault(request)) is not None:
            return describe_error(UnavailableError(f"This needs a login. {fault}", remedy=_LATER))
        if is_navigation(request):
            answer: Response = request.app.state.login.begin(request)
            return answer
    _note_refusal(request, error)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and _is_anonymous(request):
        return problem(error.status, error.title, leave_out_buckets(error.what), error.remedy)
    return describe_error(error)


def _may_log_in(request: Request) -> bool:
    """Return whether a browser asks, which may have a login that nobody can read just now."""
    return "authorization" not in request.headers and (
        bool(request.cookies) or is_navigation(request)
    )


def _note_refusal(request: Request, error: SkerryError) -> None:
    """Write into the log that an account's change was refused.

    The values stay out, for they may be secret. Strangers' requests are only counted: anybody could
    fill the log with them.
    """
    method = request.scope.get("method")  # a web socket has none
    if method in _READS or _is_anonymous(request):
        return
    route = getattr(request.scope.get("route"), "path", "none")
    _LOG.info(
        "refused %s %s to %s: %d %s",
        method, route, request.state.identity.account, error.status, error.title,
    )  # fmt: skip


def _is_anonymous(request: Request) -> bool:
    return getattr(request.state, "identity", None) is None


async def _explain_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    refusal = explain_validation(list(error.errors()))
    _note_refusal(request, refusal)
    return describe_error(refusal)


async def _explain_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    response = answer_status(error.status_code, request.scope)
    response.headers.update(error.headers or {})
    return response


async def _explain_database(request: Request, error: Exception) -> Response:
    if not tells_absence(error):  # the log says once that it is away, not for each request
        _LOG.error("database: %s", describe_cause(error))
    return _name_full_disk(request) or describe_error(explain_failure(error))


async def _end_broken_off(_request: Request, _error: Exception) -> Response:
    # nobody reads this; without it each such request fills the log with a stack trace
    return problem(400, "Incomplete", "The body broke off.", "Send the request again.")


async def _explain_fault(request: Request, _error: Exception) -> Response:
    return _name_full_disk(request) or problem(
        500, "Failure", "Something failed inside the platform.",
        "Look for the cause in 'skerry logs api' or 'skerry logs maps', "
        f"at request {correlation_id.get()}.",
    )  # fmt: skip


def _name_full_disk(request: Request) -> Response | None:
    """Return the problem of a full disk if a full disk made the request fail."""
    full = find_full_disk(request.app.state.settings.data)
    return describe_error(full) if full is not None else None
