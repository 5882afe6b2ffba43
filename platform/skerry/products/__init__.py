"""Formats: read, select, write. In memory a product is an `xarray.DataTree`."""

from typing import TYPE_CHECKING, Any

from skerry.core.lazy_exports import find_export

if TYPE_CHECKING:
    from skerry.products.cogs.cog import write_cog
    from skerry.products.cogs.writing import write_cog_set
    from skerry.products.eopf.writing import write_eopf_zarr
    from skerry.products.geozarr.writing import write_geozarr
    from skerry.products.metadata import open_metadata
    from skerry.products.netcdf.writing import write_netcdf
    from skerry.products.opening import open_product
    from skerry.products.pictures.drawable import find_drawable
    from skerry.products.pictures.footprints import footprint
    from skerry.products.pictures.quicklook import write_quicklook
    from skerry.products.regridding import regrid_product, regrid_raster, regrid_swath
    from skerry.products.selecting.filtering import filter_product
    from skerry.products.writing import write_product

_HOMES = {
    "filter_product": "selecting.filtering",
    "find_drawable": "pictures.drawable",
    "footprint": "pictures.footprints",
    "open_metadata": "metadata",
    "open_product": "opening",
    "regrid_product": "regridding",
    "regrid_raster": "regridding",
    "regrid_swath": "regridding",
    "write_cog": "cogs.cog",
    "write_cog_set": "cogs.writing",
    "write_eopf_zarr": "eopf.writing",
    "write_geozarr": "geozarr.writing",
    "write_netcdf": "netcdf.writing",
    "write_product": "writing",
    "write_quicklook": "pictures.quicklook",
}

__all__ = [
    "filter_product",
    "find_drawable",
    "footprint",
    "open_metadata",
    "open_product",
    "regrid_product",
    "regrid_raster",
    "regrid_swath",
    "write_cog",
    "write_cog_set",
    "write_eopf_zarr",
    "write_geozarr",
    "write_netcdf",
    "write_product",
    "write_quicklook",
]


def __getattr__(name: str) -> Any:
    """Import the module behind a public name when it is first used."""
    return find_export(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
