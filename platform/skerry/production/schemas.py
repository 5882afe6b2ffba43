"""Import jsonschema without slow optional formats, so that run processes start sooner."""

from skerry.core.lean_imports import skip_formats

skip_formats()

from jsonschema import Draft202012Validator, FormatChecker, SchemaError, validators  # noqa: E402
from jsonschema.exceptions import ValidationError, best_match  # noqa: E402

__all__ = [
    "Draft202012Validator",
    "FormatChecker",
    "SchemaError",
    "ValidationError",
    "best_match",
    "validators",
]
