"""Problem documents (RFC 9457): written for refusals, and read from a service's answer."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from skerry.core.errors import (
    BusyError,
    ConflictError,
    DiskFullError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnauthenticatedError,
    UnavailableError,
    WithdrawnError,
)

MEDIA_TYPE = "application/problem+json"

_ERRORS: Mapping[int, type[SkerryError]] = {
    kind.status: kind
    for kind in (
        ConflictError, DiskFullError, ForbiddenError, InvalidInputError, NotFoundError,
        UnauthenticatedError, UnavailableError, WithdrawnError,
    )
}  # fmt: skip
_SEE_LOGS = "See 'skerry status' and 'skerry logs api'."
_REMEDIES: Mapping[int, str] = {
    401: "The token has expired or was revoked: restart the platform or the server, "
    "or set SKERRY_TOKEN to a new one.",
    403: "Ask for an account or a token with the scope that this needs.",
    404: "Check the name; 'skerry item list' and 'skerry run list' show what there is.",
    409: "Look at what is recorded already and choose another name or remove it first.",
}
_SERVER_ERRORS = 500
_WITHOUT_ROUTE = frozenset({302, 404})
"""The hub's answers, as pages, for a service whose route it does not have yet after a start."""


class Problem(BaseModel):
    """A problem document (RFC 9457): the fault, the value and the remedy."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str


def describe_problem(status: int, title: str, detail: str, remedy: str) -> Problem:
    """Return a problem document: the fault, the value and the remedy."""
    return Problem(title=title, status=status, detail=detail, remedy=remedy)


def describe_status(status: int, method: str, path: str) -> Problem:
    """Return the problem document for a refusal of which only the status is known."""
    details = {
        400: f"The request {method} {path} cannot be read.",
        404: f"There is nothing at {path}.",
        405: f"{path} does not take {method}.",
        413: f"The body sent to {path} is too large.",
    }
    remedies = {
        404: "Check the address.",
        405: "Use one of the methods in the Allow header.",
        413: "Send less, or write the data under a grant.",
    }
    title = _phrase(status).strip() or f"Status {status}"
    detail = details.get(status, f"{method} {path} is answered with {status} {title}.")
    return describe_problem(status, title, detail, remedies.get(status, "Correct the request."))


def read_problem(status: int, content: bytes, *, request: str) -> SkerryError:
    """Turn an answer that is not a success into an error.

    Parameters
    ----------
    status
        Its HTTP status, 300 or above.
    content
        Its body: a problem document, Tornado's JSON, or anything else.
    request
        The request, such as ``GET /services/api/stac``, for answers without a message.

    Returns
    -------
    SkerryError
        Of the kind that the status means, with the service's own message and remedy if there
        are any.
    """
    problem = _parse(content)
    if problem is None and status in _WITHOUT_ROUTE:
        return UnavailableError(
            f"No part of the platform answers {request} now ({status}{_phrase(status)}).",
            remedy=_SEE_LOGS,
        )
    problem = problem or {}
    what = problem.get("detail") or problem.get("message") or problem.get("title")
    is_server_fault = status >= _SERVER_ERRORS
    kind = _ERRORS.get(status) or (UnavailableError if is_server_fault else InvalidInputError)
    if (status, problem.get("title")) == (BusyError.status, BusyError.title):
        kind = BusyError
    remedy = problem.get("remedy") or _REMEDIES.get(status)
    return kind(
        str(what or f"The platform answers {status}{_phrase(status)} to {request}."),
        remedy=str(remedy or (_SEE_LOGS if is_server_fault else "Correct the request.")),
    )


def _parse(content: bytes) -> dict[str, Any] | None:
    """Return the object in a body, None if it is something else, such as a page."""
    try:
        problem = json.loads(content)
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
