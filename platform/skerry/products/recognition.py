"""Recognise the product in a folder or an archive: its container by names, then a SAFE's type."""

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from skerry.core.errors import InvalidInputError
from skerry.products.safe.documents import Document
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.product import SUFFIXES
from skerry.products.safe.remote_listing import MANIFESTS
from skerry.products.sensors.mapping import load_mappings
from skerry.products.sensors.records import Mapping

ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
COG_MARK = "item.json"
NETCDF_SUFFIXES = (".nc", ".nc4")
TRUTH_SUFFIX = ".truth.nc"
"""Suffix of the file with a simulated scene's truth, which is not a product."""
SHOWN = 5
"""How many names an error message lists."""

_NAMES = {
    r"S1[A-D]_(IW|EW|WV|EN|S\d)_(SLC|GRD|OCN|RAW)": "Sentinel-1 {} {}",
    r"S2[A-D]_MSI(L\d[A-C])": "Sentinel-2 {}",
    r"S3[A-D]_(OL|SL|SR|SY|DO)_(\d)_(\w{3})": "Sentinel-3 {0} level {1} {2}",
}
"""Beginning of a product's name to its type in words."""
MANIFEST = "xfdumanifest.xml"
"""Manifest of Sentinel-3: it names the product and its type for any name of the folder."""

Container = Literal["zarr", "cogs", "safe", "netcdf", "archive"]


@dataclass(frozen=True)
class ProductPlace:
    """A product among files.

    Attributes
    ----------
    container
        Kind of the container.
    inside
        Folder or file right below the place that holds it; empty for the place itself.
    """

    container: Container
    inside: str


@cache
def safe_marks() -> frozenset[str]:
    """Return the names of the documents by which SAFE products are recognised, at their root."""
    return frozenset({*(mapping.marks[0] for mapping in load_mappings()), *MANIFESTS})


def list_names(folder: Path) -> Iterator[str]:
    """Give the names of a folder's files, and of those of the folders right below."""
    for path in folder.iterdir():
        if path.is_dir():
            yield from (f"{path.name}/{inner.name}" for inner in path.iterdir() if inner.is_file())
        else:
            yield path.name


def find_products(names: Iterable[str]) -> list[ProductPlace]:
    """Return the products that files make up: the place itself, or those right below it.

    Parameters
    ----------
    names
        Names of the files, relative to the place, with ``/``.
    """
    folders: dict[str, set[str]] = {}
    for name in names:
        above, _, last = name.rpartition("/")
        if "/" not in above and not above.startswith((".", "__MACOSX")):
            folders.setdefault(above, set()).add(last)
    loose = folders.pop("", set())
    complete = _name_container(loose)
    if complete is not None:
        return [ProductPlace(complete, "")]
    below = {folder: _name_container(files) for folder, files in folders.items()}
    products = [ProductPlace(container, folder) for folder, container in below.items() if container]
    for name in loose:
        lower = name.lower()
        if lower.endswith(NETCDF_SUFFIXES) and not lower.endswith(TRUTH_SUFFIX):
            products.append(ProductPlace("netcdf", name))
        elif lower.endswith(".zip"):
            products.append(ProductPlace("archive", name))
    return sorted(products, key=lambda item: item.inside)


def _name_container(files: set[str]) -> Container | None:
    if files.intersection(ZARR_MARKS):
        return "zarr"
    if COG_MARK in files:
        return "cogs"
    return "safe" if files & safe_marks() else None


def choose_product(place: object, names: Iterable[str]) -> ProductPlace | None:
    """Return the only product among files; None if there is no product.

    Raises
    ------
    InvalidInputError
        If there are several.
    """
    products = find_products(names)
    if len(products) > 1:
        names_listed = ", ".join(item.inside for item in products[:SHOWN])
        more = f" and {len(products) - SHOWN} more" if len(products) > SHOWN else ""
        raise InvalidInputError(
            f"{place} holds {len(products)} products: {names_listed}{more}.",
            remedy="Give the path of one of these products.",
        )
    return products[0] if products else None


def find_mapping(files: ProductFiles, product_type: str | None = None) -> Mapping:
    """Return the type of a product.

    Parameters
    ----------
    files
        The product's files.
    product_type
        Its type as the user says it.

    Raises
    ------
    InvalidInputError
        If no mapping file is for its type, or several are and neither the user, its name nor its
        manifest says which; or if the product is not of the type that the user says.
    """
    mapping = _recognise(files, product_type)
    if mapping is None:
        raise _refuse_type(files)
    return mapping


def _recognise(files: ProductFiles, product_type: str | None) -> Mapping | None:
    """Return the type of a product by the files that mark it; None if no type fits.

    If several fit, the user decides, or its name, or what its manifest says.

    Raises
    ------
    InvalidInputError
        If none of them does, or the user says another type.
    """
    types = [
        mapping
        for mapping in load_mappings()
        if all(files.find(mark) is not None for mark in mapping.marks)
    ]
    if not types:
        return None
    if product_type is not None:
        chosen = [mapping for mapping in types if mapping.product_type == product_type]
        if not chosen:
            others = " or ".join(mapping.product_type for mapping in types)
            raise InvalidInputError(
                f"{files.path} is of type {others}, not {product_type}.",
                remedy="Leave the type out.",
            )
        return chosen[0]
    if len(types) == 1:
        return types[0]
    for name in _list_names(files):
        by_name = [mapping for mapping in types if fnmatch.fnmatchcase(name, mapping.names)]
        if len(by_name) == 1:
            return by_name[0]
    raise InvalidInputError(
        f"{files.path} may be of type {', '.join(item.product_type for item in types)}; neither "
        "its name nor its manifest says which.",
        remedy="Give it the name that it had at its provider, such as "
        + " or ".join(item.names for item in types)
        + ", or say its type: --type in the shell, product_type in Python.",
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
    types = ", ".join(f"{mapping.title} ({mapping.product_type})" for mapping in load_mappings())
    name = next(_list_names(files))
    by_name = next(
        (item for item in load_mappings() if fnmatch.fnmatchcase(name, item.names)), None
    )
    if by_name is not None:
        marks = ", ".join(mark for mark in by_name.marks if files.find(mark) is None)
        what = f"has the name of a {by_name.title} product, and has no {marks}"
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
