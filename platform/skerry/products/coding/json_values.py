"""Attributes as strict JSON and back: what JSON cannot hold is written as text and noted.

``NaN``, ``Infinity`` and bytes become text; ``types`` says which, by path, so that reading gives
them back exactly. Arrays become lists, NumPy numbers plain ones, times text. An attribute that
readers of a format would take for one of their own stands in `APART`. So in every format.
"""

import base64
import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError

TYPES = "json_types"
"""Attribute that notes the types of values written as text."""
APART = "kept_attributes"
"""Attribute that holds those whose names mean something else to readers of the format."""
MAX_DEPTH = 64
"""Lists and dicts in each other; Python's own parser of JSON ends at some hundreds."""
MAX_BITS = 14_000
"""Of an integer: Python neither writes nor reads one of more than 4300 digits."""
_ENDINGS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_SHOWN = 80


def to_json(attrs: dict[Any, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return attributes as JSON values, and path to type of those that became text.

    Raises
    ------
    InvalidInputError
        If a value is of a type that no attribute can have.
    """
    types: dict[str, str] = {}
    return _dict_to_json(attrs, "", types), types


def from_json(attrs: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    """Return attributes as they were before `to_json`."""
    for path, kind in types.items():
        _restore(
            attrs,
            [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]],
            kind,
        )
    return attrs


def to_document(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON values that say themselves which of them became text.

    Raises
    ------
    InvalidInputError
        As `to_json`.
    """
    values, types = to_json(dict(attrs))
    return values | {TYPES: types} if types else values


def from_document(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as they were before `to_document` and, before that, `set_apart`.

    Raises
    ------
    LookupError, ValueError, TypeError, AttributeError
        If what they say of themselves is damaged.
    """
    return put_back(from_json(attrs, attrs.pop(TYPES, {})))


def set_apart(
    attrs: Mapping[Any, Any],
    names: Collection[str],
    prefixes: tuple[str, ...] = (),
    *,
    nothing: bool = False,
) -> dict[str, Any]:
    """Return attributes, those together in `APART` that a format has another use for.

    Parameters
    ----------
    attrs
        Of a product, group or variable.
    names, prefixes
        What readers of the format take for their own.
    nothing
        Whether None, too, means something else in it.
    """
    own = {*names, TYPES, APART}
    apart = {
        str(key): value
        for key, value in attrs.items()
        if str(key) in own
        or str(key).startswith(prefixes)
        or not is_text(key)
        or key == ""
        or (nothing and value is None)
    }
    rest = {str(key): value for key, value in attrs.items() if str(key) not in apart}
    return rest | {APART: apart} if apart else rest


def put_back(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as they were before `set_apart`."""
    apart = attrs.get(APART)
    if not isinstance(apart, dict):
        return attrs
    return {key: item for key, item in attrs.items() if key != APART} | apart


def is_text(value: Any) -> bool:
    """Tell whether every format has a text as it is: whole characters, none of them NUL."""
    text = str(value)
    return "\0" not in text and not any("\ud800" <= item <= "\udfff" for item in text)


def _escape(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _to_json(value: Any, path: str, types: dict[str, str]) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.bytes_):
        value = value.tolist() if value.dtype.kind not in "mM" else value.astype(str).tolist()
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return _single_to_json(value, path, types)
    if path.count("/") > MAX_DEPTH:
        raise _refuse(path, f"is one of more than {MAX_DEPTH} lists or dicts in each other")
    if isinstance(value, dict):
        return _dict_to_json(value, path, types)
    return [_to_json(item, f"{path}/{index}", types) for index, item in enumerate(value)]


def _single_to_json(value: Any, path: str, types: dict[str, str]) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        types[path] = "float"
        return _ENDINGS[str(value)]
    if isinstance(value, bytes):
        types[path] = "bytes"
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _refuse(path, f"is an integer of {value.bit_length()} bits")
    if value is None or isinstance(value, int | float | str):
        return value
    raise _refuse(path, f"is a {type(value).__name__}")


def _dict_to_json(attrs: Mapping[Any, Any], path: str, types: dict[str, str]) -> dict[str, Any]:
    made = {
        str(key): _to_json(value, f"{path}/{_escape(key)}", types) for key, value in attrs.items()
    }
    if len(made) < len(attrs):
        raise _refuse(f"{path}/", "has names that are the same when written as text")
    return made


def _refuse(path: str, why: str) -> InvalidInputError:
    shown = path[1:] if len(path) <= _SHOWN else f"{path[1:_SHOWN]}..."
    return InvalidInputError(
        f"The attribute {shown!r} {why}, which no file can hold.",
        remedy="Turn it into text, numbers, lists or dicts.",
    )


def _restore(attrs: Any, keys: list[str], kind: str) -> None:
    for key in keys[:-1]:
        attrs = attrs[int(key) if isinstance(attrs, list) else key]
    last: Any = int(keys[-1]) if isinstance(attrs, list) else keys[-1]
    text = attrs[last]
    attrs[last] = base64.b64decode(text) if kind == "bytes" else float(text)
