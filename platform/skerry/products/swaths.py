"""Which products lie on grids and which on swaths."""

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.grids import grid_of
from skerry.products.rasters import MEASUREMENTS


def refuse_swaths(tree: xr.DataTree, form: str) -> None:
    """Refuse a product whose measurements lie on no grid.

    Raises
    ------
    InvalidInputError
        If no group (under ``/measurements``, where there is such a group) is a raster with
        dimensions ``y`` and ``x``, regular coordinates and a coordinate reference system, or
        there is no pixel.
    """
    nodes = list(tree.subtree)
    measured = [one for one in nodes if MEASUREMENTS in one.path]
    if any(grid_of(one.to_dataset()) is not None for one in measured or nodes):
        return
    named = next((one for one in measured or nodes if one.data_vars), None)
    sizes = [one.size for node in measured or nodes for one in node.data_vars.values()]
    if sizes and not any(sizes):
        raise InvalidInputError(
            f"{form} holds rasters on grids only, and the product has no pixel.",
            remedy="Write EOPF Zarr or NetCDF, or choose an area on the product.",
        )
    what = "no variable" if named is None else f"{named.path} {dict(named.sizes)}"
    raise InvalidInputError(
        f"{form} holds rasters on grids only, and the product has no raster: no group has "
        f"dimensions y and x, regular coordinates and a coordinate reference system ({what}).",
        remedy="Regrid a swath first (skerry.products.regridding), write EOPF Zarr or NetCDF, or "
        "name the dimensions y and x and give the system with dataset.rio.write_crs('EPSG:...').",
    )
