"""Import jsonschema without its slow optional IRI grammar, so that run processes start sooner."""

from skerry.core.lean_imports import skip_iri_grammar

skip_iri_grammar()

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
