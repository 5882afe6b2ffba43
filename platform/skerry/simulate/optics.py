"""Water reflectance from the water's constituents: a forward model, independent of any retrieval.

``a = a_w + a_ph C + a_d T + a_g``, ``b_b = b_bw + b_bp T + b_bph C`` (T suspended matter in
g m-3, taken equal in number to turbidity in FNU; C chlorophyll-a in mg m-3; a_g falls
exponentially from its value at 443 nm),
``u = b_b / (a + b_b)``,
``r = 0.0895 u + 0.1247 u^2`` (Lee et al. 2002, Applied Optics 41, 5755, equation 2), crossing the
surface ``R_rs = 0.52 r / (1 - 1.7 r)`` (same, equation 1), ``rho_w = pi R_rs``.

Coefficients are rounded from: pure water absorption Pope and Fry (1997, Applied Optics 36, 8710)
to 704 nm and Kou et al. (1993, Applied Optics 32, 3531) beyond; pure water backscattering Morel
(1974); phytoplankton Bricaud et al. (1995, JGR 100, 13321; here proportional to chlorophyll, no
package effect, so blooms absorb too much in the blue); non-algal particles Babin et al. (2003,
JGR 108, 3211). Ice and snow after Warren (1982, Reviews of Geophysics 20, 67).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class BandOptics:
    """A band's optical coefficients, and its reflectance of land and cloud.

    Attributes
    ----------
    wavelength_nm
        Centre.
    water_absorption
        a_w in m-1.
    phytoplankton_absorption
        a_ph per mg m-3 of chlorophyll-a, in m2 mg-1.
    vegetation, soil
        Surface reflectance.
    cloud
        Reflectance of clouds as a fraction of what they would have without absorption.
    ice
        Reflectance of ice on water.
    """

    wavelength_nm: float
    water_absorption: float
    phytoplankton_absorption: float
    vegetation: float
    soil: float
    cloud: float
    ice: float = 0.5


BAND_OPTICS = {
    "B01": BandOptics(442.7, 0.0070, 0.0330, 0.025, 0.08, 1.0, 0.75),
    "B02": BandOptics(492.7, 0.0155, 0.0210, 0.030, 0.10, 1.0, 0.76),
    "B03": BandOptics(559.8, 0.0619, 0.0070, 0.065, 0.13, 1.0, 0.75),
    "B04": BandOptics(664.6, 0.4290, 0.0135, 0.040, 0.17, 1.0, 0.70),
    "B05": BandOptics(704.1, 0.7040, 0.0020, 0.100, 0.20, 1.0, 0.66),
    "B06": BandOptics(740.5, 2.7000, 0.0003, 0.290, 0.22, 1.0, 0.62),
    "B07": BandOptics(782.8, 2.2000, 0.0000, 0.370, 0.24, 1.0, 0.57),
    "B08": BandOptics(832.8, 3.1000, 0.0000, 0.390, 0.26, 1.0, 0.52),
    "B8A": BandOptics(864.7, 4.6000, 0.0000, 0.410, 0.27, 1.0, 0.48),
    "B09": BandOptics(945.1, 28.000, 0.0000, 0.400, 0.28, 1.0, 0.40),
    "B10": BandOptics(1373.5, 480.00, 0.0000, 0.300, 0.31, 0.9, 0.10),
    "B11": BandOptics(1613.7, 670.00, 0.0000, 0.210, 0.33, 0.7, 0.04),
    "B12": BandOptics(2202.4, 2400.0, 0.0000, 0.100, 0.27, 0.5, 0.03),
}

GELBSTOFF_SLOPE = 0.018
NON_ALGAL_443 = 0.041
"""a_d at 443 nm in m2 g-1: the mean of Babin et al.'s coasts (the Baltic has more)."""
NON_ALGAL_SLOPE = 0.0123
PARTICLE_BACKSCATTERING_560 = 0.0110
"""b_bp at 560 nm in m2 g-1: scattering of 0.5 m2 g-1 (Babin et al. 2003, Limnology and Oceanography
48, 843), of which about 2 % goes back."""
PARTICLE_EXPONENT = 0.7
PHYTOPLANKTON_BACKSCATTERING = 0.0006
"""b_bph in m2 mg-1, the same at all wavelengths; a typical value."""
WATER_BACKSCATTERING_500 = 0.00144
"""b_bw at 500 nm in m-1."""
WATER_EXPONENT = 4.32


def model_reflectance(
    band: BandOptics,
    turbidity: npt.NDArray[np.float32],
    chlorophyll: npt.NDArray[np.float32],
    cdom: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Return the water reflectance rho_w of one band.

    Parameters
    ----------
    band
        Coefficients.
    turbidity
        FNU, any shape.
    chlorophyll
        mg m-3, the same shape.
    cdom
        a_g at 443 nm in m-1, the same shape.
    """
    wavelength = band.wavelength_nm
    gelbstoff = cdom * np.exp(-GELBSTOFF_SLOPE * (wavelength - 443))
    non_algal = NON_ALGAL_443 * np.exp(-NON_ALGAL_SLOPE * (wavelength - 443))
    absorption = (
        band.water_absorption
        + band.phytoplankton_absorption * chlorophyll
        + non_algal * turbidity
        + gelbstoff
    )
    backscattering = (
        WATER_BACKSCATTERING_500 * (500 / wavelength) ** WATER_EXPONENT
        + PARTICLE_BACKSCATTERING_560 * (560 / wavelength) ** PARTICLE_EXPONENT * turbidity
        + PHYTOPLANKTON_BACKSCATTERING * chlorophyll
    )
    ratio = backscattering / (absorption + backscattering)
    below = 0.0895 * ratio + 0.1247 * ratio**2
    return np.asarray(np.pi * 0.52 * below / (1 - 1.7 * below), np.float32)
