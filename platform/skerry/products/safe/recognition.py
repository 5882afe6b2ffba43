"""Recognise the type of the product in a folder or an archive."""

import fnmatch
import re
from collections.abc import Iterator

from skerry.core.errors import InvalidInputError
from skerry.products.safe.documents import Document
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.product import SUFFIXES
from skerry.products.sensors.mapping import list_types, load_mapping
from skerry.products.sensors.records import Mapping

_NAMES = {
    r"S1[A-D]_(IW|EW|WV|EN|S\d)_(SLC|GRD|OCN|RAW)": "Sentinel-1 {} {}",
    r"S2[A-D]_MSI(L\d[A-C])": "Sentinel-2 {}",
    r"S3[A-D]_(OL|SL|SR|SY|DO)_(\d)_(\w{3})": "Sentinel-3 {0} level {1} {2}",
}
"""Beginning of a product's name to its type in words."""
MANIFEST = "xfdumanifest.xml"
"""Manifest of Sentinel-3: it names the product and its type, whatever the folder's name."""


def find_mapping(files: ProductFiles) -> Mapping:
    """Return the type of a product.

    Raises
    ------
    InvalidInputError
        If no mapping file is for its type, or several are and neither its name nor its manifest
        says which.
    """
    mapping = recognise(files)
    if mapping is None:
        raise _refuse_type(files)
    return mapping


def list_mappings() -> Iterator[Mapping]:
    """Give the mappings of all known types."""
    return (load_mapping(name) for name in list_types())


def recognise(files: ProductFiles) -> Mapping | None:
    """Return the type of a product by the files that mark it; None if no type fits.

    If several fit, its name decides, or what its manifest says.

    Raises
    ------
    InvalidInputError
        If neither does.
    """
    types = [
        mapping
        for mapping in list_mappings()
        if all(files.find(mark) is not None for mark in mapping.marks)
    ]
    if not types:
        return None
    if len(types) == 1:
        return types[0]
    for name in _list_names(files):
        named = [mapping for mapping in types if fnmatch.fnmatchcase(name, mapping.names)]
        if len(named) == 1:
            return named[0]
    raise InvalidInputError(
        f"{files.path} may be of type {', '.join(item.product_type for item in types)}; neither "
        "its name nor its manifest says which.",
        remedy="Give it the name that it had at its provider, such as "
        + " or ".join(item.names for item in types)
        + ".",
    )


def _list_names(files: ProductFiles) -> Iterator[str]:
    """Give the names of a product: its folder's, and the names in its manifest."""
    name = files.prefix.rstrip("/") or files.path.name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    yield name
    if MANIFEST in files.sizes:
        manifest = Document(files, MANIFEST)
        yield manifest.optional_text("productName") or ""
        yield f"S3A_{manifest.optional_text('productType')}"


def _refuse_type(files: ProductFiles) -> InvalidInputError:
    types = ", ".join(f"{mapping.title} ({mapping.product_type})" for mapping in list_mappings())
    name = next(_list_names(files))
    named = next((item for item in list_mappings() if fnmatch.fnmatchcase(name, item.names)), None)
    if named is not None:
        marks = ", ".join(mark for mark in named.marks if files.find(mark) is None)
        what = f"is named as a {named.title} product, and has no {marks}"
    else:
        read = _describe_name(name)
        what = (
            f"is a {read} product, which Skerry does not read"
            if read
            else "is a Sentinel product of a type that Skerry does not know, or lacks the files "
            "that tell its type"
        )
    return InvalidInputError(f"{files.path} {what}.", remedy=f"Known are {types}.")


def _describe_name(name: str) -> str | None:
    """Return the type in a product's name, in words; None if the name does not say it."""
    for pattern, words in _NAMES.items():
        match = re.match(pattern, name)
        if match is not None:
            return words.format(*match.groups())
    return None
