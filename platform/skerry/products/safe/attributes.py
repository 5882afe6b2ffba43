"""Attributes of a product's root, read from its metadata documents."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError
from skerry.core.time import find_middle, format_time, parse_time
from skerry.products.outlines import cut_outline, unroll_ring
from skerry.products.safe.documents import Document
from skerry.products.safe.product import SafeProduct, load_format
from skerry.products.sensors.records import Entry

PROPERTIES = "stac_discovery/properties"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RING_POINTS = 4
"""A closed ring has at least this many points."""
HALF_TURN = 180.0
"""Degrees; a ring that spans more crosses the antimeridian or goes around a pole."""


def read_attributes(product: SafeProduct) -> dict[str, Any]:
    """Return what `Mapping.attributes` names, nested as their paths say.

    An item with a start and an end but no datetime gets the middle of both, as real Sentinel-1
    items and CPM do. Numbers that are NaN in the product are left out of the item.

    Raises
    ------
    InvalidInputError
        If a document lacks a required entry, or has an entry in a form that cannot be read.
    """
    values = {
        path: value
        for path, entry in product.mapping.attributes.items()
        if (value := read_entry(product, entry)) is not None
        and not (path.startswith("stac_discovery/") and _has_nan(value))
    }
    start, end = (values.get(f"{PROPERTIES}/{name}_datetime") for name in ("start", "end"))
    if start and end:
        values.setdefault(f"{PROPERTIES}/datetime", find_middle(start, end))
    return nest(iter(values.items()))


def _has_nan(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(isinstance(item, float) and math.isnan(item) for item in values)


def read_entry(product: SafeProduct, entry: Entry, source: str = "") -> Any:
    """Return one entry's value, or None where the product has none.

    Parameters
    ----------
    product
        The product.
    entry
        Where the value is.
    source
        Text that replaces ``{source}`` in its path.
    """
    if entry.value is not None:
        return deepcopy(entry.value)
    if entry.file:
        raw = load_format("netcdf").read_scalar(product, entry.file, entry.variable)  # type: ignore[attr-defined]
        if raw is None:
            return entry.default
        return parse_text(entry, raw) if isinstance(raw, str) else _finish(entry, raw)
    document = product.documents.get(entry.document)
    if document is None:  # one of `Mapping.expected`
        return entry.default
    path = entry.path.replace("{source}", source)
    texts = document.texts(path)
    if not texts:
        if entry.required or (entry.since and _is_since(product, entry.since)):
            raise document.refuse(f"lacks the entry {path}")
        return entry.default
    try:
        values = [parse_text(entry, text) for text in (texts if entry.many else texts[:1])]
    except (ValueError, InvalidInputError) as error:
        raise document.refuse(f"has {texts[0][:80]!r} in {path} ({error})") from error
    if entry.times:
        factor = read_named(product, entry.times, source)
        values = [value * factor for value in values]
    return values if entry.many else values[0]


def read_named(product: SafeProduct, name: str, source: str = "") -> Any:
    """Return the value of an entry of `Mapping.entries`, or None where the product has none."""
    return read_entry(product, product.mapping.entries[name], source)


def _is_since(product: SafeProduct, baseline: str) -> bool:
    current = read_named(product, "baseline")
    return _version(product, str(current)) >= _version(product, baseline)


def _version(product: SafeProduct, text: str) -> tuple[int, ...]:
    parts = text.split(".")
    if not all(part.isdigit() for part in parts):
        document: Document = next(iter(product.documents.values()))
        raise document.refuse(f"has the processing baseline {text!r}, not like 05.11")
    return tuple(int(part) for part in parts)


def parse_text(entry: Entry, text: str) -> Any:
    """Turn a document's text into an entry's value.

    Raises
    ------
    ValueError, InvalidInputError
        If the text is not such a value.
    """
    if entry.pattern:
        match = re.search(entry.pattern, text)
        if match is None:
            raise ValueError(f"not like {entry.pattern}")
        text = match[1]
    before, _, after = entry.template.partition("{}")
    text = text.removeprefix(before).removesuffix(after)
    if text in entry.values:
        return entry.values[text]
    value = _PARSERS[entry.type](text)
    return _finish(entry, value)


def _finish(entry: Entry, value: Any) -> Any:
    if entry.scale != 1.0:
        value = value * entry.scale
    if entry.reciprocal:
        if value == 0:
            raise ValueError("0, which cannot divide")
        value = 1.0 / value
    return entry.label.replace("{}", str(value)) if entry.label != "{}" else value


def _parse_boolean(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("neither true nor false")
    return text.lower() in {"true", "1"}


def parse_instant(text: str) -> datetime:
    """Return a time; a time without zone is in UTC."""
    for spelt in (text, f"{text}Z"):
        with suppress(InvalidInputError):
            return parse_time(spelt)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def parse_ring(text: str) -> list[list[float]]:
    """Return a closed ring of (longitude, latitude) from pairs of latitude and longitude."""
    values = [float(part) for part in text.replace(",", " ").split()]
    ring = [[x, y] for y, x in zip(values[0::2], values[1::2], strict=True)]
    if len(ring) < RING_POINTS - 1:
        raise ValueError("no ring")
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def read_outline(text: str) -> tuple[dict[str, Any], list[float]]:
    """Return a ring's geometry and bounding box; at the antimeridian as GeoJSON prescribes."""
    ring = parse_ring(text)
    longitudes, latitudes = zip(*ring, strict=True)
    if max(longitudes) - min(longitudes) > HALF_TURN:
        return cut_outline(unroll_ring(np.array(longitudes), np.array(latitudes)))
    box = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
    return {"type": "Polygon", "coordinates": [ring]}, box


_PARSERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "lower": str.lower,
    "integer": lambda text: int(float(text)),
    "number": float,
    "numbers": lambda text: [float(item) for item in text.split()],
    "boolean": _parse_boolean,
    "time": lambda text: format_time(parse_instant(text)),
    "microseconds": lambda text: (parse_instant(text) - EPOCH) // timedelta(microseconds=1),
    "polygon": lambda text: read_outline(text)[0],
    "bbox": lambda text: read_outline(text)[1],
}


def nest(pairs: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Return nested dictionaries; where the keys of one are 0 to n - 1, a list."""
    root: dict[str, Any] = {}
    for path, value in pairs:
        *parents, name = path.split("/")
        place = root
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return {key: _list(item) for key, item in root.items()}


def _list(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _list(item) for key, item in value.items()}
    if inner and list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner


def find(attrs: Any, path: str) -> Any:
    """Return the attribute at a path, or None."""
    for part in path.split("/"):
        if isinstance(attrs, dict):
            attrs = attrs.get(part)
        elif isinstance(attrs, list) and part.isdigit() and int(part) < len(attrs):
            attrs = attrs[int(part)]
        else:
            return None
    return attrs
