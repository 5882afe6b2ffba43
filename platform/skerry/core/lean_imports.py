"""Import jsonschema without its slow optional `rfc3987_syntax` grammar; saves two seconds."""

import sys


def skip_iri_grammar() -> None:
    """Stop jsonschema, when it is imported later, from importing its slow optional IRI grammar.

    It imports `rfc3987_syntax` where that is installed (JupyterLab brings it), which builds a
    grammar at import, for the formats ``iri`` and ``iri-reference`` that nothing here uses. A
    module that is named as absent is not imported.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
