"""Parameters on the command line: ``-p name=value``, read with a release's schema."""

import json
import math
from collections.abc import Sequence
from typing import Any

import click

from skerry.core.errors import InvalidInputError
from skerry.models.releases import ParameterSchema

_BOOLEANS = {"True": True, "False": False}
"""Python's spellings, in addition to JSON's own words."""

_READ_AS_JSON = frozenset({"integer", "number", "boolean", "array", "object", "null"})

parameter_option = click.option(
    "-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE",
    help="A parameter's value; lists and dicts as JSON. Each run fills expressions: "
    "'{{ day }}', '{{ day - 3d }}', '{{ tick }}', '{{ tick - 6h }}'.",
)  # fmt: skip


def parse_pairs(pairs: Sequence[str], schema: ParameterSchema) -> dict[str, Any]:
    """Return ``name=value`` words as values of the schema's types.

    Text that does not fit the type stays unchanged, so that the server refuses it with the
    reason. ``None`` means no value if the parameter allows it; write the text itself with quotes,
    as JSON.

    Raises
    ------
    InvalidInputError
        If a word has no ``=`` or a name occurs twice.
    """
    properties = schema["properties"]
    return {
        name: _read(text, properties.get(name, {})) for name, text in split_pairs(pairs).items()
    }


def split_pairs(pairs: Sequence[str], *, form: str = "-p NAME=VALUE") -> dict[str, str]:
    """Return ``name=value`` words as texts by name.

    Raises
    ------
    InvalidInputError
        If a word has no ``=`` or a name occurs twice; the remedy shows the `form`.
    """
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise InvalidInputError(f"{pair!r} gives no value.", remedy=f"Write {form}.")
        if name in values:
            raise InvalidInputError(f"{name!r} is given twice.", remedy="Give it once.")
        values[name] = text
    return values


def _read(text: str, schema: dict[str, Any]) -> Any:
    choices = schema.get("anyOf", [schema])
    kinds = {choice.get("type") for choice in choices}
    enum = [value for choice in choices for value in choice.get("enum", [])]
    if text in enum or (enum == [] and kinds.isdisjoint(_READ_AS_JSON)):
        return text
    if "null" in kinds and text == "None":
        return None
    if "boolean" in kinds and text in _BOOLEANS:
        return _BOOLEANS[text]
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except (ValueError, RecursionError):
        return text
    # "none or text": here a number is text
    return text if "string" in kinds and value is not None else value


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # such as 1e400: the server's refusal names the text
        raise ValueError(text)
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
