"""Identifiers of requests: in the answer's header and in each line of the log about the request.

A run keeps the identifier of the request that started it. Its worker and its process write it
into their lines, and the run's own requests carry it, so that it leads through all logs.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

REQUEST_ID = "X-Request-ID"
"""Header with the request's identifier; a caller may send one."""

REQUEST_VARIABLE = "SKERRY_REQUEST"
"""The request that started the run of this process."""

_IDENTIFIER = re.compile("[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

_work: ContextVar[tuple[str, str | None] | None] = ContextVar("work", default=None)


def accept_identifier(text: str) -> str:
    """Return a request's own identifier, or a new one where it is not a plain UUID.

    Libraries take any number of hyphens, spaces and braces, and would write them into the log.
    """
    return text if _IDENTIFIER.fullmatch(text) else new_identifier()


def new_identifier() -> str:
    """Return a new identifier."""
    return uuid4().hex


@contextmanager
def working_on(run: str, request: str | None) -> Iterator[None]:
    """Name a run, and the request that started it, in the log's lines of a block."""
    token = _work.set((run, request))
    try:
        yield
    finally:
        _work.reset(token)


def current_run() -> str | None:
    """Return the run on which this thread, or this whole process, works."""
    work = _work.get()
    return work[0] if work else os.environ.get("SKERRY_RUN") or None


def current_request() -> str | None:
    """Return the request that started the run on which this thread, or this process, works."""
    work = _work.get()
    return work[1] if work else os.environ.get(REQUEST_VARIABLE) or None


def send_request() -> dict[str, str]:
    """Return the header with which a run's own requests name the request that started it."""
    request = os.environ.get(REQUEST_VARIABLE)
    return {REQUEST_ID: request} if request else {}
