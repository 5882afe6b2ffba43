"""Put a product's attributes into its metadata documents: the inverse of reading them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from skerry.products.outlines import join_outline
from skerry.products.safe.attributes import EPOCH, find, parse_instant
from skerry.products.safe.documents import DocumentBuilder
from skerry.products.sensors.records import Entry


def write_attributes(
    attrs: dict[Any, Any], entries: dict[str, Entry], builders: dict[str, DocumentBuilder]
) -> None:
    """Put a root's attributes into the documents; attributes without a place there are left out.

    Parameters
    ----------
    attrs
        The root's attributes.
    entries
        Attribute path to its place.
    builders
        Role to document.
    """
    for path, entry in entries.items():
        value = find(attrs, path)
        if value is None or not entry.document or entry.pattern or entry.type == "bbox":
            continue
        if entry.document in builders and not entry.many:
            builders[entry.document].put(entry.path, format_value(entry, value))


def format_value(entry: Entry, value: Any) -> str:
    """Return the text of a value in a document: the inverse of `parse_text`."""
    for text, meaning in entry.values.items():
        if meaning == value:
            return text
    before, _, after = entry.label.partition("{}")
    if isinstance(value, str):
        value = value.removeprefix(before).removesuffix(after)
    if entry.reciprocal:
        value = 1.0 / value
    if entry.scale != 1.0:
        value = value / entry.scale
    return entry.template.replace("{}", _format_type(entry, value))


def _format_type(entry: Entry, value: Any) -> str:
    if entry.type == "numbers":
        return " ".join(repr(float(item)) for item in value)
    if entry.type == "boolean":
        return "true" if value else "false"
    if entry.type == "time":
        return format_instant(parse_instant(value))
    if entry.type == "microseconds":
        return format_instant(EPOCH + timedelta(microseconds=int(value)))
    if entry.type == "polygon":
        return " ".join(f"{y!r} {x!r}" for x, y in join_outline(value))
    return str(value)


def format_instant(moment: datetime) -> str:
    """Return a time as documents write it: in UTC, always with a fraction of the second."""
    precision = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
