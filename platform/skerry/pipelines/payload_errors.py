"""Errors of a payload, by key: ``steps.water.parameters.pole_fraction: ...``."""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from skerry.core.errors import SkerryError

_KINDS = {
    "bool": "true or false",
    "dict": "a table of keys",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a table of keys",
    "string": "a text",
}
"""First word of pydantic's error types (``list_type``) to the expected value."""
_MESSAGES = {
    "missing": "is missing",
    "value_error": "{error}",
    "too_short": "has {actual_length} entries and needs {min_length}",
    "too_long": "has {actual_length} entries and may have {max_length}",
    "string_too_short": "is empty",
    "literal_error": "must be {expected}, and is {given}",
    "string_pattern_mismatch": "{given} is not of the form {pattern}",
    "greater_than_equal": "must be at least {ge}, and is {given}",
    "less_than_equal": "must be at most {le}, and is {given}",
}
"""Pydantic's error types to messages."""


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Put a place, a file or a key, before the message of every error of the block.

    Raises
    ------
    SkerryError
        Of the same kind, with the place; what is not a `SkerryError` gets it as a note.
    """
    try:
        yield
    except SkerryError as error:
        raise type(error)(f"{place}: {error.what}", remedy=error.remedy) from (
            error.__cause__ or error
        )
    except Exception as error:
        error.add_note(f"In {place}")
        raise


@contextmanager
def naming_parameter(place: str) -> Iterator[None]:
    """Name the place of parameters, and the one among them that the block's error is about."""
    try:
        yield
    except SkerryError as error:
        # The registry's error is made from the model's, which knows the parameter.
        cause = error.__context__
        at = cause.errors()[0]["loc"][:1] if isinstance(cause, ValidationError) else ()
        key = ".".join([place, *map(str, at)])
        raise type(error)(f"{key}: {error.what}", remedy=error.remedy) from None


def explain_key(
    error: ErrorDetails, value: object, models: Mapping[str, type[BaseModel]]
) -> tuple[str, str]:
    """Return the key of a pydantic error, and its fault.

    Parameters
    ----------
    error
        One of ``ValidationError.errors()``.
    value
        What was checked, as it was read.
    models
        First part of a key to the model of its value; ``""`` to the model of the whole document.
    """
    place = error["loc"]
    words = _name_place(place, value, new=error["type"] in {"missing", "extra_forbidden"})
    model = models.get(str(place[0]), models[""]) if len(place) > 1 else models[""]
    return ".".join(words), _word(error, model)


def _word(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value = error["type"], f"{error['input']!r:.60}"
    if kind == "extra_forbidden":
        return _word_unknown(str(error["loc"][-1]), model)
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(given=value, **error.get("ctx", {}))
    kind_name = _KINDS.get(kind.partition("_")[0])
    return (
        f"must be {kind_name}, and is {value}" if kind_name else f"{error['msg']}, and is {value}"
    )


def _word_unknown(key: str, model: type[BaseModel]) -> str:
    fields = list(model.model_fields)
    close = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]}?" if close else f"known are {', '.join(fields)}"
    return f"unknown key, {guess}"


def _name_place(place: tuple[int | str, ...], value: object, *, new: bool) -> list[str]:
    """Return a place's parts as the file has them, a step by its name.

    Parts that the file does not have, such as the branch of a choice of types, are left out; the
    last one stays if it is `new`: a key that is missing or too much.
    """
    words: list[str] = []
    inner: Any = value
    for number, part in enumerate(place):
        if isinstance(inner, dict) and part in inner:
            inner = inner[part]
            words.append(str(part))
        elif isinstance(inner, list) and isinstance(part, int) and part < len(inner):
            inner = inner[part]
            has_name = isinstance(inner, dict) and isinstance(inner.get("name"), str)
            words.append(inner["name"] if has_name and words == ["steps"] else str(part))
        elif new and number == len(place) - 1:
            words.append(str(part))
    return words
