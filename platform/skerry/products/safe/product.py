"""A SAFE product to read, the folder of a SAFE product to write, and the formats of their files.

A format, by the name that mapping files use, is a module of this package with two functions::

    def read(product: SafeProduct, group: Group) -> xr.Dataset
    def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None

``read`` returns the variables of the group that the product has, decoded by CF, with the packing
in ``encoding``; large variables are lazy. It appends missing variables to ``product.missing``
as ``<group path>/<variable>``. ``write`` is its inverse.
"""

from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.products.safe.documents import Document, DocumentBuilder
from skerry.products.safe.files import ProductFiles
from skerry.products.sensors.records import Group, Mapping

SUFFIXES = (".zip", ".SAFE", ".SEN3")
"""Suffixes of product names on disk, outermost first."""
FORMATS = {
    "jp2": "skerry.products.safe.jp2",
    "netcdf": "skerry.products.safe.netcdf",
    "geotiff": "skerry.products.safe.geotiff",
    "grib": "skerry.products.safe.grib",
    "s1-annotation": "skerry.products.safe.sentinel_1",
    "s2-angles": "skerry.products.safe.sentinel_2_angles",
}
"""Format names in mapping files to modules."""


@dataclass(frozen=True)
class SafeProduct:
    """A SAFE product to read.

    Attributes
    ----------
    files
        Its files.
    mapping
        Its type.
    missing
        Reading adds what a complete product has and this product lacks.
    damaged
        Reading adds what is wrong with files whose variables are left out, in words.
    grids
        Reading adds the grids of rasters.
    """

    files: ProductFiles
    mapping: Mapping
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    grids: list[GeoBox] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the product's folder or archive, without suffixes."""
        name = self.files.prefix.rstrip("/") or self.files.path.name
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        return name

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Role to metadata document; documents of `Mapping.expected` only if they are there.

        Raises
        ------
        InvalidInputError
            If a document of `Mapping.documents` is missing, or any document is broken.
        """
        documents = {}
        for role, pattern in self.mapping.documents.items():
            name = self.files.find(pattern)
            if name is None:
                raise InvalidInputError(
                    f"{self.files.path} has no {pattern}.",
                    remedy=f"Give a complete {self.mapping.title} product, folder or zip archive.",
                )
            documents[role] = Document(self.files, name)
        for role, pattern in self.mapping.expected.items():
            name = self.files.find(pattern)
            if name is not None and name.endswith((".xml", ".safe")):
                documents[role] = Document(self.files, name)
        return documents


@dataclass(frozen=True)
class SafeFolder:
    """A SAFE product to write.

    Attributes
    ----------
    root
        The folder that is filled.
    mapping
        Its type.
    names
        Names for the parts of file patterns that have stars: the key is the pattern from the
        product's root up to such a part, or the part alone; the value is the part's name. Both
        may contain ``{source}``.
    documents
        Role to document under construction; formats may add to it.
    """

    root: Path
    mapping: Mapping
    names: dict[str, str]
    documents: dict[str, DocumentBuilder] = field(default_factory=dict)

    def place(self, pattern: str, source: str = "") -> Path:
        """Return the path of a file to write, after making its folder.

        Raises
        ------
        InvalidInputError
            If a part with a star has no name.
        """
        parts: list[str] = []
        above: list[str] = []
        for part in pattern.split("/"):
            above.append(part)
            filled = self.names.get("/".join(above), self.names.get(part, part))
            if "*" in filled:
                raise InvalidInputError(
                    f"The name of {part!r} in {pattern!r} is not known.",
                    remedy="Name it in `names`.",
                )
            parts.append(filled.replace("{source}", source))
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Format(Protocol):
    """The functions of a format's module."""

    def read(self, product: SafeProduct, group: Group) -> xr.Dataset:
        """Read one group."""

    def write(self, folder: SafeFolder, group: Group, data: xr.Dataset) -> None:
        """Write one group's files."""


def load_format(name: str) -> Format:
    """Return the module of a format."""
    module: Any = import_module(FORMATS[name])
    return module  # type: ignore[no-any-return]
