"""The normalized difference chlorophyll index.

Source: S. Mishra, D. R. Mishra (2012): Normalized difference chlorophyll index: a novel model for
remote estimation of chlorophyll-a concentration in turbid productive waters. Remote Sensing of
Environment 117, 394-406, doi:10.1016/j.rse.2011.10.016; equation 5.
"""

import xarray as xr

from skerry.processors.turbidity import INDICATIVE


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
    """
    total = red + red_edge
    usable = (red >= 0.0) & (red_edge >= 0.0) & (total > 0.0)
    index = ((red_edge - red) / total.where(usable)).astype("float32")
    index.name = "ndci"
    index.attrs = {
        "long_name": "normalized difference chlorophyll index, indicative (Mishra and Mishra 2012)",
        "units": "1",
        "source": "Mishra and Mishra 2012, Remote Sensing of Environment 117, 394-406",
        "references": "doi:10.1016/j.rse.2011.10.016",
        "comment": INDICATIVE,
        "valid_min": -0.2,
        "valid_max": 0.4,
        "colormap": "viridis",
    }
    return index
