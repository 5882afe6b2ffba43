"""jsonschema without the two seconds that importing an optional helper of its takes.

For the formats ``iri`` and ``iri-reference``, which Skerry does not use, jsonschema imports
`rfc3987_syntax` when it is there (JupyterLab brings it), and that builds a grammar at import.
Naming it as absent first keeps every run process and program two seconds faster to start.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from jsonschema import Draft202012Validator, FormatChecker, SchemaError  # noqa: E402
from jsonschema.exceptions import ValidationError, best_match  # noqa: E402

__all__ = ["Draft202012Validator", "FormatChecker", "SchemaError", "ValidationError", "best_match"]
