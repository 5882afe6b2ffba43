"""A notebook's parameters: one tagged cell of annotated assignments, read but never executed.

The cell tagged ``parameters`` holds lines such as::

    item: str
    threshold: Annotated[float, Field(ge=0, le=1, description="Cloud share")] = 0.2
    day: date = date(2026, 5, 1)

They become one JSON Schema (draft 2020-12) with ``additionalProperties: false``.
"""

import ast
import keyword
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.json_values import check_json
from skerry.models.releases import ParameterSchema
from skerry.production.annotations import read_annotation
from skerry.production.literals import read_literal
from skerry.production.places import CellPlace
from skerry.production.values import check_schema, check_value

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TAG = "parameters"
_MOST = 500
"""Parameters of a notebook. Each is checked again for every job and run, while others wait."""
_EXAMPLE = "Write each parameter as 'name: type = literal', such as 'threshold: float = 0.2'."


def read_parameters(notebook: dict[str, Any]) -> ParameterSchema:
    """Return the JSON Schema of a notebook's parameters.

    Parameters
    ----------
    notebook
        A notebook as nbformat 4 JSON.

    Raises
    ------
    InvalidInputError
        If there is not exactly one code cell tagged ``parameters``, or a line of it is anything
        but an annotated assignment with a known type and a literal default. The message names
        cell, line and value.
    """
    index, source = find_parameters_cell(notebook)
    place = CellPlace(cell=index + 1)
    try:
        properties = _read_properties(source, place)
    except (RecursionError, MemoryError):  # the syntax tree has no limit of its own
        raise place.refuse("an expression is nested too deeply", remedy=_EXAMPLE) from None
    check_json(properties, what="parameters cell")
    return {
        "$schema": SCHEMA_DIALECT,
        "type": "object",
        "properties": properties,
        "required": [name for name, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }


def find_parameters_cell(notebook: dict[str, Any]) -> tuple[int, str]:
    """Return the position and the source of the one code cell tagged ``parameters``."""
    cells = notebook.get("cells", [])
    tagged = [
        index
        for index, cell in enumerate(cells)
        if cell.get("cell_type") == "code" and _TAG in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        count = "no" if not tagged else str(len(tagged))
        raise InvalidInputError(
            f"The notebook has {count} cell{'s' if len(tagged) > 1 else ''} tagged 'parameters'.",
            remedy="Tag exactly one code cell 'parameters' (JupyterLab: Property Inspector, Tags).",
        )
    return tagged[0], join_source(cells[tagged[0]]["source"])


def join_source(source: str | list[str]) -> str:
    """Return a cell's source as one text; nbformat allows a list of lines."""
    return source if isinstance(source, str) else "".join(source)


def _read_properties(source: str, place: CellPlace) -> dict[str, dict[str, Any]]:
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise place.at(error.lineno).refuse(
            f"{(error.text or '').strip()!r} is not Python", remedy=_EXAMPLE
        ) from None
    if len(tree.body) > _MOST:
        raise place.at(tree.body[_MOST].lineno).refuse(
            f"the cell has {len(tree.body)} statements, more than {_MOST}",
            remedy="Put values that belong together into a list or a dict.",
        )
    properties: dict[str, dict[str, Any]] = {}
    for statement in tree.body:
        if _is_docstring(statement):
            continue
        name, schema = _read_statement(statement, place.at(statement.lineno))
        if name in properties:
            raise place.at(statement.lineno).refuse(
                f"the parameter {name!r} is declared twice", remedy="Keep one of them."
            )
        properties[name] = schema
    return properties


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _read_statement(statement: ast.stmt, place: CellPlace) -> tuple[str, dict[str, Any]]:
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        raise place.refuse(
            f"{ast.unparse(statement).splitlines()[0]!r} is not an annotated assignment",
            remedy=_EXAMPLE,
        )
    name = statement.target.id
    _check_identifier(name, place)
    schema = read_annotation(statement.annotation, place)
    try:
        check_schema(name, schema)
    except InvalidInputError as error:
        raise place.refuse(error.what.rstrip("."), remedy=error.remedy) from None
    if statement.value is None:
        return name, schema
    default = read_literal(statement.value, place)
    try:
        check_value(name, default, schema)
    except InvalidInputError as error:
        raise place.refuse(
            f"the default of {name!r} does not fit its type: {error.what}",
            remedy="Change the default or the annotation.",
        ) from None
    return name, {**schema, "default": default}


def _check_identifier(name: str, place: CellPlace) -> None:
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
        raise place.refuse(f"{name!r} is not a plain name", remedy="Use ASCII letters, digits, _.")
    if name.startswith("_") or keyword.issoftkeyword(name):
        raise place.refuse(
            f"{name!r} is reserved", remedy="Take a name that does not begin with an underscore."
        )
