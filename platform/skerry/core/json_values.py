"""Checks that values are JSON. Python's parser accepts more, which then cannot be sent again."""

import json
from typing import Any

from skerry.core.errors import InvalidInputError

MAX_DEPTH = 100
"""Largest depth of nested lists and objects. Writing them calls itself once for each level."""


def check_json(value: object, *, what: str) -> None:
    """Refuse a value that has no JSON text in UTF-8: NaN, infinity, half a surrogate pair.

    Once stored, such a value would break every answer that contains it, and so would a value
    that is nested deeper than `MAX_DEPTH`.

    Raises
    ------
    InvalidInputError
        If it holds one, or is nested too deeply.
    """
    _check_depth(value, what)
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        broken = error.object[error.start : error.end]
        raise _refuse(what, f"text with {broken!r}, which is not a whole character") from None
    except ValueError as error:
        raise _refuse(what, str(error)) from None


def read_json_object(text: str, *, what: str, remedy: str) -> dict[str, Any]:
    """Return the JSON object in a text from outside, checked with `check_json`.

    Raises
    ------
    InvalidInputError
        If it is not a JSON object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidInputError(f"{what} is not a JSON object: {text[:140]!r}.", remedy=remedy)
    check_json(value, what=what)
    return value


def _check_depth(value: object, what: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _list_inner(item)]
        if not level:
            return
    raise _refuse(what, f"more than {MAX_DEPTH} lists or objects inside each other")


def _list_inner(value: object) -> list[Any]:
    """Return the lists and objects inside a list or an object."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, (dict, list))]


def _refuse(what: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The {what} holds what JSON cannot: {why}.",
        remedy="Use finite numbers (null where there is none) and whole Unicode characters.",
    )
