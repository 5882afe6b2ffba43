"""Formats: read, write, validate, simulate. In memory a product is an `xarray.DataTree`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skerry.products.cog import write_cog
    from skerry.products.cog_sets import write_cog_set
    from skerry.products.drawable import find_drawable
    from skerry.products.footprints import footprint
    from skerry.products.geozarr import write_geozarr
    from skerry.products.netcdf import write_netcdf
    from skerry.products.opening import open_product
    from skerry.products.quicklook import write_quicklook
    from skerry.products.validation import validate_product
    from skerry.products.writing import write_product

_HOMES = {
    "find_drawable": "drawable",
    "footprint": "footprints",
    "open_product": "opening",
    "validate_product": "validation",
    "write_cog": "cog",
    "write_geozarr": "geozarr",
    "write_cog_set": "cog_sets",
    "write_netcdf": "netcdf",
    "write_product": "writing",
    "write_quicklook": "quicklook",
}

__all__ = [
    "find_drawable",
    "footprint",
    "open_product",
    "validate_product",
    "write_cog",
    "write_cog_set",
    "write_geozarr",
    "write_netcdf",
    "write_product",
    "write_quicklook",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"skerry.products.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry.products' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
