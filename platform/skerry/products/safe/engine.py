"""The engine: a mapping and a product's files become a tree, lazily; and a tree becomes files.

A format is a module of this package with two functions::

    def read(product: SafeProduct, group: Group) -> xr.Dataset
    def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None

``read`` returns the variables of the group that the product has, lazy where they are large,
CF-decoded, with the packing in ``encoding``; it appends what is not there to
``product.missing`` as ``<group path>/<variable>``. ``write`` is its inverse.
"""

from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.safe.documents import Document
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.mapping import Group, Mapping

FORMATS = {
    "jp2": "skerry.products.safe.jp2",
    "netcdf": "skerry.products.safe.netcdf",
    "geotiff": "skerry.products.safe.geotiff",
    "grib": "skerry.products.safe.grib",
    "s1-annotation": "skerry.products.safe.sentinel_1",
    "s2-angles": "skerry.products.safe.sentinel_2_angles",
}
"""Format names in mapping files to modules."""


class Format(Protocol):
    """What a format's module offers."""

    def read(self, product: "SafeProduct", group: Group) -> xr.Dataset:
        """Read one group."""

    def write(self, folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
        """Write one group's files."""


@dataclass(frozen=True)
class SafeProduct:
    """A product being read.

    Attributes
    ----------
    files
        Its files.
    mapping
        Its type.
    missing
        Filled with what a complete product has and this one lacks.
    healed
        Filled with the wounds that reading healed, in words.
    """

    files: ProductFiles
    mapping: Mapping
    missing: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Role to metadata document; raises `InvalidInputError` if one is missing or broken."""
        found = {}
        for role, pattern in self.mapping.documents.items():
            name = self.files.find(pattern)
            if name is None:
                raise InvalidInputError(
                    f"{self.files.path} has no {pattern}.",
                    remedy=f"Give a complete {self.mapping.title} product, folder or zip archive.",
                )
            found[role] = Document(self.files, name)
        return found


@dataclass(frozen=True)
class SafeFolder:
    """A product being written.

    Attributes
    ----------
    root
        The product's folder.
    mapping
        Its type.
    names
        What fills the stars of file patterns, in the order in which they stand: pattern of the
        mapping file to name.
    """

    root: Path
    mapping: Mapping
    names: dict[str, str]


def load_format(name: str) -> Format:
    """Return the module of a format."""
    module: Any = import_module(FORMATS[name])
    return module  # type: ignore[no-any-return]


def assemble(files: ProductFiles, mapping: Mapping) -> xr.DataTree:
    """Build the tree of everything that `mapping` names and `files` has.

    Returns
    -------
    xarray.DataTree
        Groups as the mapping names them, lazily read. Root attributes as the mapping names them,
        and in ``other_metadata``: ``mapping``, ``missing`` (what a complete product has and this
        one lacks), ``healed`` (wounds that reading healed) and ``simulated``.

    Raises
    ------
    InvalidInputError
        If a metadata document is missing or broken, or a file is damaged or of another size than
        the metadata say.
    """
    product = SafeProduct(files, mapping)
    datasets: dict[str, xr.Dataset] = {}
    for group in mapping.groups:
        data = load_format(group.format).read(product, group)
        if data.variables:
            known = datasets.get(group.path)
            datasets[group.path] = data if known is None else known.merge(data)
    return xr.DataTree.from_dict(datasets)
