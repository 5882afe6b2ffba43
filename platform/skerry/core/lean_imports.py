"""Import jsonschema without what it does not need; saves two seconds."""

import sys

_FORMATS = ("isoduration", "rfc3987_syntax")
"""Packages for the formats ``duration`` and ``iri``, which nothing here uses. JupyterLab brings
them: the first imports a library of dates, the second builds a grammar when it is imported."""


def skip_formats() -> None:
    """Stop jsonschema, when it is imported later, from importing slow optional packages.

    A module that is named as absent is not imported.
    """
    for name in _FORMATS:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
