"""Turbidity of coastal and inland water from red and near-infrared reflectance.

Source: A. I. Dogliotti, K. G. Ruddick, B. Nechad, D. Doxaran, E. Knaeps (2015): A single algorithm
to retrieve turbidity from remotely-sensed data in all coastal and estuarine waters. Remote Sensing
of Environment 156, 157-168, doi:10.1016/j.rse.2014.09.020; equations 1 and 2, table 1.
"""

from typing import Annotated, Final

import numpy as np
import xarray as xr
from pydantic import Field

from skerry.processors.declarations import Output, VariableInput, sentinel_2_sources
from skerry.processors.pixels import Floats, map_pixels
from skerry.processors.registry import processor

RED_A_FNU: Final = 228.1
"""A of equation 1 at 645 nm, in FNU."""
RED_C: Final = 0.1641
"""C of equation 1 at 645 nm: the reflectance at which the formula has its pole."""
NIR_A_FNU: Final = 3078.9
"""A of equation 1 at 859 nm, in FNU."""
NIR_C: Final = 0.2112
"""C of equation 1 at 859 nm."""
BLEND_FROM: Final = 0.05
"""Red reflectance up to which the red band alone counts."""
BLEND_TO: Final = 0.07
"""Red reflectance from which the near-infrared band alone counts."""
POLE_FRACTION: Final = 0.5
"""Reflectance from which a band is not used, as a fraction of its C. The relative error of the
reflectance is multiplied by 1 / (1 - rho / C): by 2 there, without bound towards the pole."""

INDICATIVE: Final = (
    "Indicative only: no better than the correction of the reflectance for the atmosphere, sun "
    "glint and adjacency effects."
)
SEN2COR_REMARK: Final = (
    "The reflectance was corrected for the atmosphere by Sen2Cor, which is made for land and "
    "removes neither sun glint nor adjacency effects over water."
)
"""Remark added to results computed from Sentinel-2 Level-2A products."""


@processor(
    name="turbidity",
    version="1.2.0",
    inputs=[
        VariableInput("red", "1", "Water reflectance near 645 nm", sentinel_2_sources("b04")),
        VariableInput("nir", "1", "Water reflectance near 859 nm", sentinel_2_sources("b8a")),
    ],
    outputs=[Output("turbidity", "FNU", "Turbidity; NaN where a band that counts has none")],
    citation="Dogliotti et al. 2015, doi:10.1016/j.rse.2014.09.020, equations 1 and 2, table 1",
    remarks={"S02MSIL2A": SEN2COR_REMARK},
)
def turbidity_dogliotti2015(
    red: xr.DataArray,
    nir: xr.DataArray,
    *,
    pole_fraction: Annotated[
        float,
        Field(gt=0, lt=1, description="Reflectance is masked from this fraction of the pole's on"),
    ] = POLE_FRACTION,
) -> xr.DataArray:
    """Compute turbidity from water reflectance in the red and the near infrared.

    ``T = A rho / (1 - rho / C)`` in each band; red below a red reflectance of 0.05, near infrared
    above 0.07, and in between both, weighted linearly. Red decides, so it counts everywhere; near
    infrared counts above a red reflectance of 0.05 only: over clear water, where it is little more
    than noise, negative values of it are not gaps.

    Parameters
    ----------
    red
        Water reflectance rho_w (not remote sensing reflectance) near 645 nm, dimensionless,
        NaN = no data. Sentinel-2: band 4 (665 nm), where water absorbs more: in clear water the
        result is some 20 to 25 % lower than at 645 nm.
    nir
        The same near 859 nm, on the same grid. Sentinel-2: band 8A (865 nm).
    pole_fraction
        Pixels whose reflectance in a band that counts reaches this fraction of the band's C are
        masked.

    Returns
    -------
    xarray.DataArray
        Turbidity in FNU, float32, NaN where red is NaN or negative, or near infrared where it
        counts, or a band that counts is near its pole; as lazy as the inputs. The attributes name
        unit and source, and say that the numbers are indicative; applied to a Level-2A product
        also that Sen2Cor is not made for water.

    Raises
    ------
    InvalidInputError
        If the bands are on different grids or the fraction is out of its bounds.
    """

    def blend(red: Floats, nir: Floats) -> Floats:
        low = _semi_empirical(red, RED_A_FNU, RED_C, pole_fraction)
        high = _semi_empirical(nir, NIR_A_FNU, NIR_C, pole_fraction)
        weight = np.clip((red - BLEND_FROM) / (BLEND_TO - BLEND_FROM), 0, 1)
        turbidity = low + weight * (high - low)
        # A band that does not count must not make a gap where the other one does.
        return np.where(weight <= 0, low, np.where(weight >= 1, high, turbidity))

    return map_pixels(
        blend,
        red,
        nir,
        name="turbidity",
        attrs={
            "long_name": "turbidity, indicative (Dogliotti et al. 2015)",
            "units": "FNU",
            "source": "Dogliotti et al. 2015, Remote Sensing of Environment 156, 157-168",
            "references": "doi:10.1016/j.rse.2014.09.020",
            "comment": INDICATIVE,
            "display_min": 0.0,
            "display_max": 50.0,
            "colormap": "turbo",
        },
    )


def _semi_empirical(reflectance: Floats, a_fnu: float, c: float, pole_fraction: float) -> Floats:
    """Evaluate equation 1, NaN below zero and beyond `pole_fraction` of the pole at `c`."""
    inside = (reflectance >= 0) & (reflectance < pole_fraction * c)
    usable = np.where(inside, reflectance, np.nan)
    return a_fnu * usable / (1 - usable / c)
