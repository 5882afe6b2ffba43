"""The normalized difference chlorophyll index.

Source: S. Mishra, D. R. Mishra (2012): Normalized difference chlorophyll index: a novel model for
remote estimation of chlorophyll-a concentration in turbid productive waters. Remote Sensing of
Environment 117, 394-406, doi:10.1016/j.rse.2011.10.016; equation 5.
"""

import numpy as np
import xarray as xr

from skerry.processors.declarations import Output, VariableInput, sentinel_2_sources
from skerry.processors.pixels import Floats, map_pixels
from skerry.processors.registry import processor
from skerry.processors.turbidity import INDICATIVE, SEN2COR_REMARK


@processor(
    name="ndci",
    version="1.1.1",
    inputs=[
        VariableInput("red", "1", "Reflectance near 665 nm", sentinel_2_sources("b04")),
        VariableInput("red_edge", "1", "Reflectance near 708 nm", sentinel_2_sources("b05")),
    ],
    outputs=[Output("ndci", "1", "Normalized difference chlorophyll index, -1 to 1")],
    citation="Mishra and Mishra 2012, doi:10.1016/j.rse.2011.10.016, equation 5",
    remarks={"S02MSIL2A": SEN2COR_REMARK},
)
def ndci(red: xr.DataArray, red_edge: xr.DataArray) -> xr.DataArray:
    """Compute ``(rho(708) - rho(665)) / (rho(708) + rho(665))``.

    Parameters
    ----------
    red
        Reflectance near 665 nm, dimensionless, NaN = no data. Sentinel-2: band 4.
    red_edge
        The same near 708 nm, on the same grid. Sentinel-2: band 5 (704 nm).

    Returns
    -------
    xarray.DataArray
        The index, -1 to 1, float32, growing with chlorophyll-a; NaN where an input is NaN or
        negative, or both are zero; as lazy as the inputs.

    Raises
    ------
    InvalidInputError
        If the bands are on different grids.
    """
    return map_pixels(
        _normalize_difference,
        red,
        red_edge,
        name="ndci",
        attrs={
            "long_name": "normalized difference chlorophyll index, indicative "
            "(Mishra and Mishra 2012)",
            "units": "1",
            "source": "Mishra and Mishra 2012, Remote Sensing of Environment 117, 394-406",
            "references": "doi:10.1016/j.rse.2011.10.016",
            "comment": INDICATIVE,
            "display_min": -0.2,
            "display_max": 0.4,
            "colormap": "viridis",
        },
    )


def _normalize_difference(red: Floats, red_edge: Floats) -> Floats:
    total = red + red_edge
    usable = (red >= 0) & (red_edge >= 0) & (total > 0)
    return (red_edge - red) / np.where(usable, total, np.nan)
