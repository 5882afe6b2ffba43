"""Write a product in a format by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import xarray as xr

from skerry.core.errors import InvalidInputError

FORMATS: Final = ("eopf-zarr", "eopf-zarr-v2", "geozarr", "netcdf", "cog")
"""EOPF Zarr of Zarr format 3 and 2, GeoZarr, one NetCDF-4 file, a folder of COGs with an item."""
DEFAULT_PROFILE: Final = "2025"


def write_product(
    tree: xr.DataTree,
    path: Path,
    form: str,
    *,
    profile: str = DEFAULT_PROFILE,
    progress: Callable[[float, str], None] | None = None,
) -> None:
    """Write a product; it appears under its name when complete.

    Parameters
    ----------
    tree
        A product as `open_product` gives it.
    path
        The file or folder to make.
    form
        One of `FORMATS`.
    profile
        EOPF profile of the EOPF formats.
    progress
        Told the fraction done and what is written.

    Raises
    ------
    InvalidInputError
        If there is no such format, or it cannot hold the product.
    ConflictError
        If `path` exists.
    """
    if form == "geozarr":
        from skerry.products.geozarr import write_geozarr

        write_geozarr(tree, path, progress=progress)
    elif form == "netcdf":
        from skerry.products.netcdf import write_netcdf

        write_netcdf(tree, path, progress=progress)
    elif form == "cog":
        from skerry.products.cog_sets import write_cog_set

        write_cog_set(tree, path, progress=progress)
    elif form in {"eopf-zarr", "eopf-zarr-v2"}:
        from skerry.products.eopf import write_eopf_zarr

        version = 2 if form.endswith("v2") else 3
        write_eopf_zarr(tree, path, zarr_format=version, profile=profile, progress=progress)
    else:
        raise InvalidInputError(
            f"There is no format {form!r}.", remedy=f"Use one of {', '.join(FORMATS)}."
        )
