"""Which products a folder or an archive holds, by the names of their files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from skerry.core.errors import InvalidInputError

ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
COG_MARK = "item.json"
NETCDF_SUFFIXES = (".nc", ".nc4")
TRUTH_SUFFIX = ".truth.nc"
"""Suffix of the file with a simulated scene's truth; it is not a product itself."""
SHOWN = 5
"""How many names an error message lists."""

Container = Literal["zarr", "cogs", "safe", "netcdf", "archive"]


@dataclass(frozen=True)
class Found:
    """A product among files.

    Attributes
    ----------
    container
        What it is.
    inside
        Where it is: a folder or file right below; empty for the place itself.
    """

    container: Container
    inside: str


@cache
def safe_marks() -> frozenset[str]:
    """Return the marking documents; every SAFE product has one of them at its root."""
    from skerry.products.safe.recognition import list_mappings
    from skerry.products.safe.remote_listing import MANIFESTS

    return frozenset({*(mapping.marks[0] for mapping in list_mappings()), *MANIFESTS})


def list_names(folder: Path) -> Iterator[str]:
    """Give the names of a folder's files, and of those of the folders right below."""
    for path in folder.iterdir():
        if path.is_dir():
            yield from (f"{path.name}/{inner.name}" for inner in path.iterdir() if inner.is_file())
        else:
            yield path.name


def find_products(names: Iterable[str]) -> list[Found]:
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
        return [Found(complete, "")]
    below = {folder: _name_container(files) for folder, files in folders.items()}
    found = [Found(container, folder) for folder, container in below.items() if container]
    for name in loose:
        lower = name.lower()
        if lower.endswith(NETCDF_SUFFIXES) and not lower.endswith(TRUTH_SUFFIX):
            found.append(Found("netcdf", name))
        elif lower.endswith(".zip"):
            found.append(Found("archive", name))
    return sorted(found, key=lambda item: item.inside)


def _name_container(files: set[str]) -> Container | None:
    if files.intersection(ZARR_MARKS):
        return "zarr"
    if COG_MARK in files:
        return "cogs"
    return "safe" if files & safe_marks() else None


def choose_product(place: object, names: Iterable[str]) -> Found | None:
    """Return the only product that files make up; None if there is none.

    Raises
    ------
    InvalidInputError
        If there are several.
    """
    found = find_products(names)
    if len(found) > 1:
        names_listed = ", ".join(item.inside for item in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise InvalidInputError(
            f"{place} holds {len(found)} products: {names_listed}{more}.",
            remedy="Name one of them.",
        )
    return found[0] if found else None
