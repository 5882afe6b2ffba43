"""Read a processor's parameters from its signature, describe them as JSON Schema, check values."""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, Strict, ValidationError, create_model

from skerry.core.errors import InvalidInputError

_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters long",
    "minItems": "at least {} long",
    "maxItems": "at most {} long",
    "pattern": "of the form {}",
}
_SETTINGS = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def read_parameters(
    function: Callable[..., Any], inputs: Collection[str], *, name: str
) -> type[BaseModel]:
    """Make a model of the keyword-only parameters of a function.

    Parameters
    ----------
    function
        Its parameters are keyword-only, annotated with plain types or with
        ``Annotated[type, Field(ge=..., description=...)]``.
    inputs
        Names of the declared inputs, which are not parameters.
    name
        The processor's name.

    Raises
    ------
    TypeError
        If an input is not in the signature, or anything else in it is not an annotated keyword.
    """
    signature = inspect.signature(function).parameters
    if unknown := sorted(set(inputs) - set(signature)):
        raise TypeError(f"{name}: the function has no {', '.join(unknown)}")
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for key, item in signature.items():
        if key in inputs:
            continue
        if item.kind is not item.KEYWORD_ONLY or key not in hints:
            raise TypeError(f"{name}: {key} is neither a declared input nor an annotated keyword")
        default = ... if item.default is item.empty else item.default
        fields[key] = (_accept_written_dates(hints[key]), default)
    return create_model(name, __config__=_SETTINGS, **fields)


def describe_parameters(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the parameters."""
    schema = model.model_json_schema()
    for item in schema.get("properties", {}).values():
        item.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {},
        **schema,
    }


def check_parameters(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters, given ones and defaults.

    Raises
    ------
    InvalidInputError
        If a parameter is unknown or missing, of another type, not finite, or out of its bounds.
        The message names it, its value and its bounds.
    """
    return _check(model, {key: _plain(item) for key, item in values.items()}, strict=None)


def parse_parameters(model: type[BaseModel], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return all parameters from ``name=value`` texts, as a command line gives them.

    Lists are written with commas or as JSON; other values except texts as JSON or plainly.
    """
    schemas = model.model_json_schema().get("properties", {})
    values = {key: _read_text(item, schemas.get(key, {})) for key, item in texts.items()}
    return _check(model, values, strict=False)


def _accept_written_dates(hint: Any) -> Any:
    """Accept dates as texts, too, as JSON and YAML write them."""
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return Annotated[hint, Strict(strict=False)] if plain in {date, datetime} else hint


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _read_text(text: str, schema: Mapping[str, Any]) -> Any:
    kinds = {schema.get("type")} | {item.get("type") for item in schema.get("anyOf", ())}
    if "null" in kinds and text in {"", "null", "none"}:
        return None
    if kinds & {"array", "object"}:
        try:
            return json.loads(text)
        except ValueError:
            return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _check(
    model: type[BaseModel], values: Mapping[str, Any], *, strict: bool | None
) -> dict[str, Any]:
    try:
        checked = model.model_validate(dict(values), strict=strict)
    except ValidationError as error:
        raise _explain(model, error) from None
    return {key: getattr(checked, key) for key in model.model_fields}


def _explain(model: type[BaseModel], error: ValidationError) -> InvalidInputError:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    properties = model.model_json_schema().get("properties", {})
    if first["type"] == "extra_forbidden":
        return InvalidInputError(
            f"{model.__name__} has no parameter {name!r}.",
            remedy=f"It has: {', '.join(properties)}." if properties else "It takes none.",
        )
    bounds = _word_bounds(properties.get(name, {}))
    if first["type"] == "missing":
        return InvalidInputError(
            f"{model.__name__} needs the parameter {name!r}.", remedy=f"Give {bounds}."
        )
    return InvalidInputError(
        f"The parameter {name!r} of {model.__name__} is {first['input']!r:.100}.",
        remedy=f"Give {bounds}.",
    )


def _word_bounds(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_word_bounds(item) for item in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kinds = {
        "number": "a finite number", "integer": "an integer", "string": "a text",
        "boolean": "true or false", "array": "a list", "object": "a table", "null": "nothing",
    }  # fmt: skip
    kind = schema.get("format") or kinds.get(schema.get("type", ""), "a value")
    limits = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    return f"{kind} {' and '.join(limits)}".strip()
