"""XML documents from outside, read with nothing resolved and nothing fetched."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from lxml import etree

from skerry.core.errors import InvalidInputError
from skerry.core.time import parse_time
from skerry.products.safe.files import ProductFiles


class Document:
    """One XML document; entries are found by local name anywhere in it."""

    def __init__(self, files: ProductFiles, name: str) -> None:
        self.label = f"{name} in {files.path}"
        # No entities, no network, no giant trees: the document comes from outside.
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False
        )
        try:
            self.root = etree.fromstring(files.read_document(name), parser)
        except etree.XMLSyntaxError as error:
            raise self.refuse(f"is not well-formed XML ({error})") from error

    def all(self, path: str) -> list[Any]:
        """Return all elements that a path finds."""
        return list(self.root.iterfind(f".//{path}"))

    def optional_text(self, path: str) -> str | None:
        """Return the text of the first element found, or None."""
        found = self.root.find(f".//{path}")
        return None if found is None or found.text is None else str(found.text).strip()

    def text(self, path: str) -> str:
        """Return the text of the first element found; refuse the document if there is none."""
        found = self.optional_text(path)
        if not found:
            raise self.refuse(f"lacks the entry {path}")
        return found

    def optional_number(self, path: str) -> float | None:
        """Return the number in the first element found, or None."""
        found = self.root.find(f".//{path}")
        return None if found is None else self.parse_number(found)

    def number(self, path: str) -> float:
        """Return the number in the first element found; refuse the document if there is none."""
        self.text(path)
        return self.parse_number(self.root.find(f".//{path}"))

    def time(self, path: str) -> datetime:
        """Return the time in the first element found; refuse the document if there is none."""
        text = self.text(path)
        try:
            return parse_time(text)
        except InvalidInputError as error:
            raise self.refuse(f"has {text!r} in {path}, no time") from error

    def parse_number(self, element: Any) -> float:
        """Return an element's text as a number; refuse the document if it is none."""
        if element is None:
            raise self.refuse("lacks a number where one must stand")
        try:
            return float(element.text)
        except (TypeError, ValueError):
            raise self.refuse(f"has {element.text!r} in {element.tag}, no number") from None

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Refuse the document when reading a part of it stumbles over what is not there."""
        try:
            yield
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self.refuse(f"has {what} in a form that cannot be read ({error})") from error

    def refuse(self, what: str) -> InvalidInputError:
        """Return the error that names this document and what is wrong with it."""
        return InvalidInputError(
            f"{self.label} {what}.", remedy="Fetch the product again from its provider."
        )
