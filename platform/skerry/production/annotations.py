"""Type annotations of parameters, from the syntax tree to JSON Schema."""

import ast
from typing import Any

from skerry.production.literals import read_literal
from skerry.production.places import CellPlace

_SIMPLE: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "None": {"type": "null"},
}
_KEYWORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "title": "title",
    "description": "description",
}
_BOUND_CALLS = {
    "Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt", "MultipleOf": "multiple_of",
    "MinLen": "min_length", "MaxLen": "max_length",
}  # fmt: skip
_KEYWORD_CALLS = frozenset({"Field", "Interval", "Len"})
_MODULES = ("typing.", "datetime.", "pydantic.", "annotated_types.")
_PAIR = 2
_TYPES = "Use str, int, float, bool, date, datetime, Literal, list, dict, or 'X | None'."
_BOUNDS = "Use Field(ge=..., gt=..., le=..., lt=..., description=...) or a plain description text."


def read_annotation(node: ast.expr, place: CellPlace) -> dict[str, Any]:
    """Return the JSON Schema of one annotation.

    Raises
    ------
    InvalidInputError
        If the type, a bound or its value is unknown.
    """
    here = place.at(node.lineno)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return read_annotation(_parse_quoted(node.value, here), place)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _unite([read_annotation(side, place) for side in (node.left, node.right)])
    if isinstance(node, ast.Subscript):
        return _read_subscript(node, here)
    name = _name(node)
    if name not in _SIMPLE:
        raise here.refuse(f"the type {ast.unparse(node)!r} is unknown", remedy=_TYPES)
    return dict(_SIMPLE[name])


def _name(node: ast.expr) -> str:
    text = ast.unparse(node)
    for module in _MODULES:
        text = text.removeprefix(module)
    return text


def _parse_quoted(text: str, place: CellPlace) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise place.refuse(f"the type {text!r} is unknown", remedy=_TYPES) from None


def _unite(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    alternatives: list[dict[str, Any]] = []
    for schema in schemas:
        alternatives += schema.get("anyOf", [schema])
    return {"anyOf": alternatives}


def _read_subscript(node: ast.Subscript, place: CellPlace) -> dict[str, Any]:
    kind = _name(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if kind == "Annotated" and len(inner) >= _PAIR:
        return _read_annotated(inner, place)
    if kind == "Literal":
        return {"enum": [read_literal(choice, place) for choice in inner]}
    if kind == "Optional" and len(inner) == 1:
        return _unite([read_annotation(inner[0], place), _SIMPLE["None"]])
    if kind == "Union":
        return _unite([read_annotation(choice, place) for choice in inner])
    if kind in {"list", "List"} and len(inner) == 1:
        return {"type": "array", "items": read_annotation(inner[0], place)}
    if kind in {"dict", "Dict"} and len(inner) == _PAIR and _name(inner[0]) == "str":
        return {"type": "object", "additionalProperties": read_annotation(inner[1], place)}
    raise place.refuse(f"the type {ast.unparse(node)!r} is unknown", remedy=_TYPES)


def _read_annotated(inner: list[ast.expr], place: CellPlace) -> dict[str, Any]:
    schema = read_annotation(inner[0], place)
    for extra in inner[1:]:
        schema.update(_read_extra(extra, schema, place))
    return schema


def _read_extra(node: ast.expr, schema: dict[str, Any], place: CellPlace) -> dict[str, Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {"description": node.value}
    pairs: dict[str, ast.expr] = {}
    if isinstance(node, ast.Call):
        call = _name(node.func)
        if call in _BOUND_CALLS and len(node.args) == 1 and not node.keywords:
            pairs = {_BOUND_CALLS[call]: node.args[0]}
        elif call in _KEYWORD_CALLS and not node.args:
            pairs = {keyword.arg or "**": keyword.value for keyword in node.keywords}
    if not pairs or not pairs.keys() <= _KEYWORDS.keys():
        raise place.refuse(f"the bound {ast.unparse(node)!r} is unknown", remedy=_BOUNDS)
    return {_keyword(name, schema): read_literal(value, place) for name, value in pairs.items()}


def _keyword(name: str, schema: dict[str, Any]) -> str:
    if schema.get("type") == "array" and name in {"min_length", "max_length"}:
        return {"min_length": "minItems", "max_length": "maxItems"}[name]
    return _KEYWORDS[name]
