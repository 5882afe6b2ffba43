"""A raster's grid in the words of STAC's projection extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.core.errors import InvalidInputError

if TYPE_CHECKING:
    import xarray as xr


def describe_grid(raster: xr.DataArray | xr.Dataset) -> dict[str, Any]:
    """Return ``proj:code``, ``proj:shape``, ``proj:transform`` and ``proj:bbox`` of a raster.

    Parameters
    ----------
    raster
        Dims ``(y, x)`` with coordinates of pixel centres and a CRS.

    Raises
    ------
    InvalidInputError
        If it has no CRS, or no EPSG code stands for it.
    """
    import rioxarray  # noqa: F401 - registers the accessor

    crs = raster.rio.crs
    epsg = crs.to_epsg() if crs is not None else None
    if epsg is None:
        raise InvalidInputError(
            f"The raster's CRS is {crs}, which has no EPSG code.",
            remedy="Give it one, for example dataset.rio.write_crs(32633).",
        )
    transform = raster.rio.transform(recalc=True)
    return {
        "proj:code": f"EPSG:{epsg}",
        "proj:shape": [int(raster.sizes["y"]), int(raster.sizes["x"])],
        "proj:transform": [float(number) for number in transform[:6]],
        "proj:bbox": [float(number) for number in raster.rio.bounds(recalc=True)],
    }
