"""Identifiers of requests: in the answer's header and in each line of the log about the request."""

import re
from uuid import uuid4

REQUEST_ID = "X-Request-ID"
"""Header with the request's identifier; a caller may send one."""

_IDENTIFIER = re.compile("[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def accept_identifier(text: str) -> str:
    """Return a request's own identifier, or a new one where it is not a plain UUID.

    Libraries take any number of hyphens, spaces and braces, and would write them into the log.
    """
    return text if _IDENTIFIER.fullmatch(text) else uuid4().hex
