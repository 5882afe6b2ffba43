"""Attributes as strict JSON and back: what JSON cannot hold is written as text and noted.

``NaN``, ``Infinity`` and bytes become text; ``types`` says which, by path, so that reading gives
them back exactly. Arrays become lists, NumPy numbers plain ones.
"""

import base64
import math
from datetime import datetime
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError

TYPES = "json_types"
"""Attribute that notes the types of values written as text."""
_ENDINGS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def to_json(attrs: dict[Any, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return attributes as JSON values, and path to type of those that became text.

    Raises
    ------
    InvalidInputError
        If a value is of a type that no attribute can have.
    """
    types: dict[str, str] = {}
    made = {str(key): _to_json(value, f"/{_escape(key)}", types) for key, value in attrs.items()}
    return made, types


def from_json(attrs: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    """Return attributes as they were before `to_json`."""
    for path, kind in types.items():
        _restore(
            attrs, [one.replace("~1", "/").replace("~0", "~") for one in path.split("/")[1:]], kind
        )
    return attrs


def _escape(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _to_json(value: Any, path: str, types: dict[str, str]) -> Any:  # noqa: PLR0911 -- one a type
    if isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.bytes_):
        value = value.tolist() if value.dtype.kind not in "mM" else value.astype(str).tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        types[path] = "float"
        return _ENDINGS[str(value)]
    if isinstance(value, bytes):
        types[path] = "bytes"
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(k): _to_json(one, f"{path}/{_escape(k)}", types) for k, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_json(one, f"{path}/{index}", types) for index, one in enumerate(value)]
    if isinstance(value, datetime):
        return value.isoformat()
    raise InvalidInputError(
        f"The attribute {path[1:]!r} is a {type(value).__name__}, which no file can hold.",
        remedy="Turn it into text, numbers, lists or dicts.",
    )


def _restore(attrs: Any, keys: list[str], kind: str) -> None:
    for key in keys[:-1]:
        attrs = attrs[int(key) if isinstance(attrs, list) else key]
    last: Any = int(keys[-1]) if isinstance(attrs, list) else keys[-1]
    text = attrs[last]
    attrs[last] = base64.b64decode(text) if kind == "bytes" else float(text)
