"""Checks parameter values against a release's schema, before anything runs."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.json_values import check_json
from skerry.core.time import parse_day, parse_time
from skerry.production.patterns import check_patterns, match_pattern
from skerry.production.schemas import (
    Draft202012Validator,
    FormatChecker,
    SchemaError,
    ValidationError,
    best_match,
    validators,
)

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date", raises=InvalidInputError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_day(value))


@_FORMATS.checks("date-time", raises=InvalidInputError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_time(value))


_Validator: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": match_pattern}
)


def check_schema(name: str, schema: Mapping[str, Any]) -> None:
    """Refuse a parameter's bounds that cannot be used, naming the parameter."""
    try:
        _Validator.check_schema(schema, format_checker=_FORMATS)  # not Python's regex
    except SchemaError as error:
        raise InvalidInputError(
            f"The bounds of {name!r} are not usable: {error.message}.",
            remedy="Give bounds of the parameter's own type.",
        ) from None
    check_patterns(name, schema)


def check_value(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Refuse a value that does not fit one parameter's schema, naming the parameter."""
    check_schema(name, schema)
    check_json(value, what=f"parameter {name!r}")
    worst = best_match(_Validator(schema, format_checker=_FORMATS).iter_errors(value))
    if worst is not None:
        raise _refuse(name, worst)
    try:
        decode_value(value, schema)
    except OverflowError:
        raise InvalidInputError(
            f"The parameter {name!r} is too large a number.", remedy="Give one below 1e308."
        ) from None


def complete_values(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with defaults filled in, after checking every value.

    Parameters
    ----------
    schema
        A release's parameter schema.
    values
        The caller's values by parameter name.

    Raises
    ------
    InvalidInputError
        If a parameter is unknown, missing or does not fit. The message names it.
    """
    properties: dict[str, Any] = schema["properties"]
    for name in values:
        if name not in properties:
            raise InvalidInputError(
                f"The release has no parameter {name!r}.",
                remedy=f"Its parameters are: {', '.join(sorted(properties)) or 'none'}.",
            )
    complete: dict[str, Any] = {}
    for name, part in properties.items():
        if name not in values and "default" not in part:
            raise InvalidInputError(
                f"The parameter {name!r} has no value.", remedy=f"Give it: -p {name}=VALUE."
            )
        value = values.get(name, part.get("default"))
        check_value(name, value, part)
        complete[name] = value
    return complete


def decode_value(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a checked JSON value as a Python value of its parameter's type, also inside of it."""
    if "anyOf" not in schema:
        return _decode_as(value, schema)
    for choice in schema["anyOf"]:
        if Draft202012Validator(choice, format_checker=_FORMATS).is_valid(value):
            return _decode_as(value, choice)
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "date": parse_day, "date-time": parse_time, "number": float, "integer": int,
}  # fmt: skip


def _decode_as(value: Any, schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "")
    inner = schema.get("items") or schema.get("additionalProperties")
    if read := _READERS.get(schema.get("format", kind)):
        return read(value)
    if kind == "array" and inner:
        return [decode_value(entry, inner) for entry in value]
    if kind == "object" and inner:
        return {key: decode_value(entry, inner) for key, entry in value.items()}
    return value


def write_assignment(name: str, value: Any) -> str:
    """Return the line of Python that gives a checked value to a checked name."""
    return f"{name} = {_write(value)}"


def _write(value: Any) -> str:
    if isinstance(value, datetime | date):
        kind = type(value).__name__
        return f"__import__('datetime').{kind}.fromisoformat({value.isoformat()!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(_write, value))}]"
    if isinstance(value, dict):
        pairs = (f"{key!r}: {_write(entry)}" for key, entry in value.items())
        return f"{{{', '.join(pairs)}}}"
    return repr(value)


def _refuse(name: str, error: ValidationError) -> InvalidInputError:
    where = "".join(f"[{step!r}]" for step in error.absolute_path)
    text = repr(error.instance)
    if len(text) > 120:  # noqa: PLR2004 - long enough to recognise, short enough to read
        text = text[:117] + "..."
    return InvalidInputError(
        f"The parameter {name!r}{where} cannot be {text}: {_say(error)}.",
        remedy=f"Give a value that fits {_describe(error.schema)}.",
    )


def _say(error: ValidationError) -> str:
    if error.validator == "format":
        return f"it is no {error.validator_value}"
    return str(error.message).removeprefix(repr(error.instance)).strip().rstrip(".")


def _describe(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return str(schema)
    facts = {k: v for k, v in schema.items() if k not in {"description", "title", "default"}}
    return ", ".join(f"{key} {value}" for key, value in facts.items())
