"""The parts of a deployment and the addresses at which they say whether they can work."""

import json
import os
from collections.abc import Mapping

from skerry.core.errors import InvalidInputError

PARTS_VARIABLE = "SKERRY_PARTS_AT"
"""JSON object: a part's name to the address that says whether it can work.

Whoever has it reaches the parts inside, where no one outside does.
"""


def read_parts(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return name and address of each part that the environment names; none if it names none.

    Raises
    ------
    InvalidInputError
        If it cannot be read.
    """
    text = environment.get(PARTS_VARIABLE) or "{}"
    try:
        parts = json.loads(text)
    except ValueError:
        parts = None
    if not isinstance(parts, dict) or not all(
        isinstance(address, str) and address.startswith(("http://", "https://"))
        for address in parts.values()
    ):
        raise InvalidInputError(
            f"{PARTS_VARIABLE} is {text[:140]!r}.",
            remedy='Write {"api": "http://skerry-api:8000/services/api/ready", ...}.',
        )
    return parts
