"""XML documents: read without resolving entities or fetching anything, and built for writing.

Elements and attributes are named by their local names: namespaces differ between versions of a
document and add nothing to the names.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from lxml import etree

from skerry.core.errors import InvalidInputError
from skerry.core.time import parse_time
from skerry.products.safe.files import ProductFiles


class Document:
    """An XML document; entries are found by local name anywhere in it."""

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
        for element in self.root.iter(tag=etree.Element):
            _strip_namespaces(element)

    def all(self, path: str) -> list[Any]:
        """Return all elements that a path finds."""
        return list(self.root.iterfind(f".//{path}"))

    def texts(self, path: str) -> list[str]:
        """Return the texts at a path that are not blank; ``/@name`` at its end takes attributes."""
        place, _, attribute = path.partition("/@")
        elements = [self.root] if not place else self.all(place)
        raw = [item.get(attribute) if attribute else item.text for item in elements]
        return [text.strip() for text in raw if text is not None and text.strip()]

    def optional_text(self, path: str) -> str | None:
        """Return the text of the first element found, or None."""
        element = self.root.find(f".//{path}")
        return None if element is None or element.text is None else str(element.text).strip()

    def text(self, path: str) -> str:
        """Return the text of the first element found; refuse the document if there is none."""
        content = self.optional_text(path)
        if not content:
            raise self.refuse(f"lacks the entry {path}")
        return content

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
        """Return an element's text as a number; refuse the document if it is not a number."""
        if element is None:
            raise self.refuse("lacks a number that is required")
        try:
            return float(element.text)
        except (TypeError, ValueError):
            raise self.refuse(f"has {element.text!r} in {element.tag}, no number") from None

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Refuse the document if the block fails because a part of the document is missing."""
        try:
            yield
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self.refuse(f"has {what} in a form that cannot be read ({error})") from error

    def refuse(self, what: str) -> InvalidInputError:
        """Return the error that names this document and what is wrong with it."""
        return InvalidInputError(
            f"{self.label} {what}.", remedy="Fetch the product again from its provider."
        )


def _strip_namespaces(element: Any) -> None:
    element.tag = etree.QName(element).localname
    for name in element.attrib:
        if name.startswith("{"):
            element.attrib[etree.QName(name).localname] = element.attrib.pop(name)


_STEP = re.compile(r"(?P<name>[^\[/]+)(?P<predicates>(?:\[[^\]]*\])*)")
_PREDICATE = re.compile(r"\[(@?)([^=\]]+)(?:=['\"]([^'\"]*)['\"])?\]")


class DocumentBuilder:
    """A document being written: a skeleton, and texts put in at paths.

    Parameters
    ----------
    skeleton
        The document's root with its namespaces, and everything that all documents share.
    """

    def __init__(self, skeleton: bytes) -> None:
        parser = etree.XMLParser(remove_blank_text=True)
        self.root = etree.fromstring(skeleton, parser)

    def put(self, path: str, text: str) -> None:
        """Put a text at a path from below the root, and make missing elements on the way.

        Predicates on attributes and children (``[@id='1']``, ``[name='x']``) choose the element
        and are fulfilled in a new element. ``/@name`` at the end puts an attribute.
        """
        place, _, attribute = path.partition("/@")
        element = self.reach(place)
        if attribute:
            element.set(attribute, text)
        else:
            element.text = text

    def reach(self, path: str) -> Any:
        """Return the element at a path; make it if it is not there."""
        element = self.root
        for step in _STEP.finditer(path):
            conditions = _PREDICATE.findall(step["predicates"])
            element = _choose(element, step["name"], conditions)
        return element

    def to_bytes(self) -> bytes:
        """Return the document."""
        return bytes(
            etree.tostring(
                self.root, pretty_print=True, xml_declaration=True, encoding="UTF-8"
            )
        )  # fmt: skip


def _choose(parent: Any, name: str, conditions: list[tuple[str, str, str]]) -> Any:
    children = [
        item
        for item in parent.iterchildren(tag=etree.Element)
        if etree.QName(item).localname == name
    ]  # fmt: skip
    position = next((int(key) for sign, key, _ in conditions if not sign and key.isdigit()), None)
    if position is not None:
        children += [etree.SubElement(parent, name) for _ in range(position - len(children))]
        return children[position - 1]
    for child in children:
        if all(_holds(child, *condition) for condition in conditions):
            return child
    element = etree.SubElement(parent, name)
    for sign, key, value in conditions:
        if sign:
            element.set(key, value)
        else:
            etree.SubElement(element, key).text = value
    return element


def _holds(element: Any, sign: str, key: str, value: str) -> bool:
    if sign:
        return bool(element.get(key) == value)
    return any(
        etree.QName(item).localname == key and (item.text or "") == value
        for item in element.iterchildren(tag=etree.Element)
    )
