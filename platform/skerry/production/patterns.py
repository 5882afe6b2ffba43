"""Patterns of parameters, matched in a time that grows only linearly with the text's length.

Python's own engine may need forever for a short text, and blocks its whole process meanwhile.
Pydantic uses the engine of Rust, which supports no look-around and no references to groups.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError as UnusableError
from pydantic_core import SchemaValidator, core_schema
from pydantic_core import ValidationError as MismatchError

from skerry.core.errors import InvalidInputError
from skerry.production.schemas import ValidationError


def check_patterns(name: str, schema: Mapping[str, Any]) -> None:
    """Refuse a parameter's patterns that the engine does not support.

    Raises
    ------
    InvalidInputError
        Names parameter and pattern.
    """
    for pattern in _list_patterns(schema):
        try:
            _compile(pattern)
        except UnusableError:
            raise InvalidInputError(
                f"The pattern {pattern[:120]!r} of {name!r} is not usable.",
                remedy="Write it without look-around and without references to groups.",
            ) from None


def match_pattern(
    validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """Check JSON Schema's ``pattern``; this replaces jsonschema's own function."""
    if validator.is_type(instance, "string"):
        try:
            _compile(pattern).validate_python(instance)
        except MismatchError:
            yield ValidationError(f"{instance!r} does not match {pattern!r}")


@lru_cache(maxsize=256)
def _compile(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def _list_patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _list_patterns(part)
    elif isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for key in ("items", "additionalProperties", "anyOf"):
            yield from _list_patterns(schema.get(key))
