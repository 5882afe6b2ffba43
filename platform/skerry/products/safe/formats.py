"""The formats of the files in SAFE products, by the names that mapping files use.

A format is a module of this package with two functions::

    def read(product: SafeProduct, group: Group) -> xr.Dataset
    def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None

``read`` returns the variables of the group that the product has, decoded by CF, with the packing
in ``encoding``; large variables are lazy. It appends missing variables to ``product.missing``
 as ``<group path>/<variable>``. ``write`` is its inverse.
"""

from importlib import import_module
from typing import Any, Protocol

import xarray as xr

from skerry.products.safe.product import SafeFolder, SafeProduct
from skerry.products.sensors.mapping import Group

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
    """The functions of a format's module."""

    def read(self, product: SafeProduct, group: Group) -> xr.Dataset:
        """Read one group."""

    def write(self, folder: SafeFolder, group: Group, data: xr.Dataset) -> None:
        """Write one group's files."""


def load_format(name: str) -> Format:
    """Return the module of a format."""
    module: Any = import_module(FORMATS[name])
    return module  # type: ignore[no-any-return]
