"""XML documents from outside, read with nothing resolved and nothing fetched."""

from typing import Any

from lxml import etree

from skerry.core.errors import InvalidInputError
from skerry.products.files import ProductFiles


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

    def parse_number(self, element: Any) -> float:
        """Return an element's text as a number; refuse the document if it is none."""
        try:
            return float(element.text)
        except (TypeError, ValueError):
            raise self.refuse(f"has {element.text!r} in {element.tag}, no number") from None

    def refuse(self, what: str) -> InvalidInputError:
        """Return the error that names this document and what is wrong with it."""
        return InvalidInputError(
            f"{self.label} {what}.", remedy="Fetch the product again from its provider."
        )
