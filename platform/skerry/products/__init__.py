"""Formats: read, write, validate, simulate. In memory a product is an `xarray.DataTree`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skerry.products.cog import write_cog
    from skerry.products.drawable import find_drawable
    from skerry.products.footprints import footprint
    from skerry.products.geozarr import write_geozarr
    from skerry.products.opening import open_product
    from skerry.products.quicklook import write_quicklook

_HOMES = {
    "find_drawable": "drawable",
    "footprint": "footprints",
    "open_product": "opening",
    "write_cog": "cog",
    "write_geozarr": "geozarr",
    "write_quicklook": "quicklook",
}

__all__ = [
    "find_drawable",
    "footprint",
    "open_product",
    "write_cog",
    "write_geozarr",
    "write_quicklook",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"skerry.products.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'skerry.products' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
