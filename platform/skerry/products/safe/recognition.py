"""Which type of product a folder or an archive holds."""

import fnmatch
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.safe.engine import SUFFIXES, assemble
from skerry.products.safe.files import ProductFiles, find_root
from skerry.products.safe.mapping import Mapping, list_types, load_mapping
from skerry.products.safe.remote_listing import MANIFESTS, list_remote
from skerry.storage.remote import RemotePath


def find_product(place: Path | RemotePath) -> tuple[ProductFiles, Mapping] | None:
    """Find a product (a folder or zip archive, here or behind an address) and its type.

    It may stand one folder below.

    Returns
    -------
    tuple of ProductFiles and Mapping, or None
        None if there is nothing like a product of the Sentinels.

    Raises
    ------
    InvalidInputError
        If there is a product of another type than those of the mapping files, or one whose name
        would have to say which of several types it is and does not.
    """
    listed: Path | ProductFiles = list_remote(place) if isinstance(place, RemotePath) else place
    seen: set[str] = set()
    for document in (*(mapping.marks[0] for mapping in list_mappings()), *MANIFESTS):
        if document in seen:
            continue
        seen.add(document)
        files = find_root(listed, document)
        if files is not None:
            mapping = recognise(files)
            if mapping is not None:
                return files, mapping
            if document in MANIFESTS:
                raise _refuse_type(files)
    return None


def open_safe(files: ProductFiles) -> xr.DataTree:
    """Open the product of these files.

    Raises
    ------
    InvalidInputError
        If it is of no known type, or broken (see `assemble`).
    """
    mapping = recognise(files)
    if mapping is None:
        raise _refuse_type(files)
    return assemble(files, mapping)


def list_mappings() -> Iterator[Mapping]:
    """Give the mappings of all known types."""
    return (load_mapping(name) for name in list_types())


def recognise(files: ProductFiles) -> Mapping | None:
    """Return the type of a product by the files that mark it, and by its name if several fit.

    Raises
    ------
    InvalidInputError
        If the name does not decide.
    """
    found = [
        mapping
        for mapping in list_mappings()
        if all(files.find(mark) is not None for mark in mapping.marks)
    ]
    if len(found) < 2:  # noqa: PLR2004 -- nothing to decide
        return found[0] if found else None
    name = files.prefix.rstrip("/") or files.path.name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    named = [mapping for mapping in found if fnmatch.fnmatchcase(name, mapping.names)]
    if len(named) == 1:
        return named[0]
    raise InvalidInputError(
        f"{files.path} may be of type {', '.join(one.product_type for one in found)}; its name "
        "does not say which.",
        remedy="Give it the name that it had at its provider, such as "
        + " or ".join(one.names for one in found)
        + ".",
    )


def _refuse_type(files: ProductFiles) -> InvalidInputError:
    known = ", ".join(f"{one.title} ({one.product_type})" for one in list_mappings())
    return InvalidInputError(
        f"{files.path} is a Sentinel product of a type that Skerry does not know, or lacks the "
        "files that tell its type.",
        remedy=f"Known are {known}.",
    )
