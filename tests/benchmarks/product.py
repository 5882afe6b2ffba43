"""A full-sized simulated product for measuring: the 20 m grid of a Sentinel-2 tile, packed.

Fields of strong contrast with a sensor's noise in every cell. rio-tiler's warp, which two peers
use, may miss by a part of a cell and take its neighbour; in a field that is nearly the same value.
The unit tests of `skerry.maps` hold every cell to an exact warp, with strong noise.
"""

from pathlib import Path

import numpy as np
import xarray as xr

SIZE = 5490
"""Cells along an edge: 30 million cells of 20 m."""

FIELD = 96
"""Cells along the edge of a field."""

NOISE = 0.002
"""Standard deviation of the noise, in reflectance."""

RESOLUTION_M = 20.0
WEST_M, NORTH_M = 399_960.0, 5_100_000.0
CRS = "EPSG:32633"
VARIABLES = ("b04", "b8a")
PACKING = {"scale_factor": 0.0001, "add_offset": -0.1, "_FillValue": 0, "dtype": "uint16"}


def make_product(size: int = SIZE) -> xr.Dataset:
    """Return reflectances (y, x): fields, noise, and a corner without data."""
    rows, cols = np.mgrid[:size, :size].astype(np.float32)
    rng = np.random.default_rng(20260501)
    count = size // FIELD + 1
    data = {}
    for name in VARIABLES:
        fields = rng.uniform(0.1, 0.9, (count, count)).astype(np.float32)
        values = fields.repeat(FIELD, axis=0).repeat(FIELD, axis=1)[:size, :size].copy()
        values += rng.normal(0, NOISE, (size, size)).astype(np.float32)
        values[rows + cols > 1.9 * size] = np.nan
        attrs = {"long_name": f"SIMULATED reflectance {name}", "units": "1", "display_min": 0.0,
                 "display_max": 1.0, "colormap": "viridis"}  # fmt: skip
        data[name] = xr.DataArray(values, dims=("y", "x"), attrs=attrs)
        data[name].encoding = dict(PACKING)
    x = WEST_M + (np.arange(size) + 0.5) * RESOLUTION_M
    y = NORTH_M - (np.arange(size) + 0.5) * RESOLUTION_M
    product = xr.Dataset(data, coords={"x": x, "y": y})
    return product.rio.write_crs(CRS)


def write_product(path: Path) -> None:
    """Write it with Skerry's own writer."""
    import rioxarray  # noqa: F401  (makes .rio)

    from skerry.products import write_geozarr

    write_geozarr(make_product(), path)
