"""Values that really are JSON. Python's parser takes more, and then nobody can be sent them."""

import json

from skerry.core.errors import InvalidInputError


def check_json(value: object, *, what: str) -> None:
    """Refuse a value that has no JSON text in UTF-8: NaN, infinity, half a surrogate pair.

    Kept once, such a value would break every answer that it is part of.

    Raises
    ------
    InvalidInputError
        If it holds one, or is nested too deeply.
    """
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        broken = error.object[error.start : error.end]
        raise _refuse(what, f"text with {broken!r}, which is no whole character") from None
    except RecursionError:
        raise _refuse(what, "lists or objects nested too deeply") from None
    except ValueError as error:
        raise _refuse(what, str(error)) from None


def _refuse(what: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"The {what} holds what JSON cannot: {why}.",
        remedy="Use finite numbers (null where there is none) and whole Unicode characters.",
    )
