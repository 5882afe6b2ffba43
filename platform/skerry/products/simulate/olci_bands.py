"""The 21 bands of the simulated OLCI, and what water, soil, leaves and gases do in them.

All numbers are rounded from published ones; no two decimals of them decide anything.

Centres, widths, reference radiances and signal-to-noise ratios: ESA, Sentinel-3 OLCI user guide.
Solar irradiance: Thuillier et al. (2003), Solar Physics 214, 1. Pure water absorption: Pope and
Fry (1997), Applied Optics 36, 8710, to 709 nm; Kou et al. (1993), Applied Optics 32, 3531, beyond.
Phytoplankton absorption (at 1 mg m-3): Bricaud et al. (1995), JGR 100, 13321. Ozone: Bogumil et al.
(2003), J. Photochem. Photobiol. A 157, 167. Oxygen and water vapour: transmittances at air mass 2
and 15 kg m-2 of the size that real spectra show, made optical depths that grow with the square
root of the path (strong lines; Goody and Yung 1989, chapter 4).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One band.

    Attributes
    ----------
    name
        Such as ``oa01``.
    centre_nm, width_nm
        Of the nominal response.
    solar_flux
        At the mean distance of the sun, mW m-2 nm-1.
    reference_radiance, signal_to_noise
        mW m-2 sr-1 nm-1, and the ratio required there at full resolution.
    water_absorption
        m-1.
    phytoplankton_absorption
        m2 mg-1.
    soil, vegetation
        Surface reflectance.
    ozone
        Absorption optical depth per 1000 Dobson units.
    oxygen, vapour
        Absorption optical depth at air mass 1 (and 1 kg m-2), growing with the path's root.
    """

    name: str
    centre_nm: float
    width_nm: float
    solar_flux: float
    reference_radiance: float
    signal_to_noise: float
    water_absorption: float
    phytoplankton_absorption: float
    soil: float
    vegetation: float
    ozone: float = 0.0
    oxygen: float = 0.0
    vapour: float = 0.0


BANDS = (
    Band("oa01", 400.0, 15.0, 1482, 62.95, 2188, 0.0066, 0.0260, 0.06, 0.02, 0.000),
    Band("oa02", 412.5, 10.0, 1709, 74.14, 2061, 0.0047, 0.0300, 0.07, 0.02, 0.000),
    Band("oa03", 442.5, 10.0, 1889, 65.61, 1811, 0.0070, 0.0330, 0.08, 0.025, 0.003),
    Band("oa04", 490.0, 10.0, 1946, 51.21, 1541, 0.0150, 0.0215, 0.10, 0.03, 0.021),
    Band("oa05", 510.0, 10.0, 1926, 44.39, 1488, 0.0325, 0.0160, 0.11, 0.04, 0.040),
    Band("oa06", 560.0, 10.0, 1801, 31.49, 1280, 0.0619, 0.0070, 0.13, 0.065, 0.104),
    Band("oa07", 620.0, 10.0, 1650, 21.14, 997, 0.2755, 0.0075, 0.16, 0.05, 0.108),
    Band("oa08", 665.0, 10.0, 1529, 16.38, 883, 0.4290, 0.0135, 0.17, 0.04, 0.050),
    Band("oa09", 673.75, 7.5, 1495, 15.70, 707, 0.4480, 0.0155, 0.175, 0.04, 0.042),
    Band("oa10", 681.25, 7.5, 1471, 15.11, 745, 0.4700, 0.0140, 0.18, 0.042, 0.035),
    Band("oa11", 708.75, 10.0, 1408, 12.73, 785, 0.7850, 0.0015, 0.20, 0.11, 0.019, 0, 0.003),
    Band("oa12", 753.75, 7.5, 1266, 10.33, 605, 2.8700, 0.0, 0.22, 0.35, 0.010),
    Band("oa13", 761.25, 2.5, 1248, 6.09, 232, 2.8400, 0.0, 0.225, 0.36, 0.008, 0.85),
    Band("oa14", 764.375, 3.75, 1238, 7.13, 305, 2.8200, 0.0, 0.225, 0.362, 0.008, 0.55),
    Band("oa15", 767.5, 2.5, 1230, 7.58, 330, 2.7900, 0.0, 0.23, 0.364, 0.007, 0.18),
    Band("oa16", 778.75, 15.0, 1175, 9.18, 812, 2.6800, 0.0, 0.235, 0.37, 0.007),
    Band("oa17", 865.0, 20.0, 958, 6.17, 666, 4.6000, 0.0, 0.27, 0.41, 0.002),
    Band("oa18", 885.0, 10.0, 930, 6.00, 395, 5.6000, 0.0, 0.275, 0.41, 0.001, 0, 0.003),
    Band("oa19", 900.0, 10.0, 895, 4.73, 308, 6.5000, 0.0, 0.28, 0.41, 0.0, 0, 0.045),
    Band("oa20", 940.0, 20.0, 825, 2.39, 203, 18.000, 0.0, 0.28, 0.40, 0.0, 0, 0.160),
    Band("oa21", 1020.0, 40.0, 695, 3.86, 152, 37.000, 0.0, 0.29, 0.40, 0.0, 0, 0.002),
)
"""In the order of the instrument."""

GELBSTOFF_SLOPE = 0.016
NON_ALGAL_443, NON_ALGAL_SLOPE = 0.031, 0.0123
"""Absorption by particles without chlorophyll: m2 g-1, nm-1 (Babin et al. 2003, JGR 108, 3211)."""
PARTICLES_560, PARTICLES_EXPONENT = 0.0110, 0.7
"""Backscattering by suspended matter: m2 g-1 at 560 nm."""
ALGAE_BACKSCATTERING = 0.0006
"""m2 mg-1, the same at all wavelengths."""
WATER_500, WATER_EXPONENT = 0.00144, 4.32
"""Backscattering by pure water: m-1 at 500 nm (Morel 1974)."""
