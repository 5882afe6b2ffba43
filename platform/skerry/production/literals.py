"""Literal defaults, from the syntax tree to JSON values."""

import ast
import math
from datetime import UTC, date, datetime
from typing import Any

from skerry.core.time import format_time
from skerry.production.places import CellPlace

_REMEDY = "Write a literal: a number, text, True, False, None, a list, a dict, date(...)."


def read_literal(node: ast.expr, place: CellPlace) -> Any:
    """Return a literal expression as a JSON value; dates and times become RFC 3339 text.

    Raises
    ------
    InvalidInputError
        If the expression is anything that would have to be executed.
    """
    here = place.at(node.lineno)
    if isinstance(node, ast.Call):
        return _read_moment(node, here)
    if isinstance(node, ast.List):
        return [read_literal(entry, place) for entry in node.elts]
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise here.refuse(f"{ast.unparse(node)!r} is not a literal", remedy=_REMEDY) from None
    if not _is_json(value):
        raise here.refuse(
            f"{ast.unparse(node)!r} has no JSON form", remedy="Use lists, and text as dict keys."
        )
    return value


def _is_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(_is_json(entry) for entry in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(entry) for key, entry in value.items())
    return value is None or isinstance(value, str | int | bool)


def _read_moment(node: ast.Call, place: CellPlace) -> str:
    text = ast.unparse(node)
    name = ast.unparse(node.func).removeprefix("datetime.")
    try:
        arguments = [ast.literal_eval(argument) for argument in node.args]
        if name == "date" and not node.keywords:
            return date(*arguments).isoformat()
        if name == "datetime" and _says_utc(node.keywords):
            return format_time(datetime(*arguments, tzinfo=UTC))  # type: ignore[misc]
    except (ValueError, TypeError, OverflowError, SyntaxError):
        pass
    raise place.refuse(
        f"{text!r} is not a literal",
        remedy="Write date(2026, 5, 1) or datetime(2026, 5, 1, 10, 30, tzinfo=UTC). " + _REMEDY,
    )


def _says_utc(keywords: list[ast.keyword]) -> bool:
    return (
        len(keywords) == 1
        and keywords[0].arg == "tzinfo"
        and ast.unparse(keywords[0].value)
        in {"UTC", "datetime.UTC", "timezone.utc", "datetime.timezone.utc"}
    )
