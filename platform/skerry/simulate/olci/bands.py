"""The 21 bands of the simulated OLCI, and what water, soil, leaves and gases do in them.

All numbers are rounded from published numbers; no result depends on their last decimals.

Centres, widths, reference radiances and signal-to-noise ratios: ESA, Sentinel-3 OLCI user guide;
that the ratios hold at reduced resolution: the mission's cyclic performance reports.
Solar irradiance: Thuillier et al. (2003), Solar Physics 214, 1. Water constituents and bottom: see
`optics`. Oxygen and water vapour: coefficients that give transmittances of the size that real
spectra show; strong lines absorb with the square root of the path (Goody and Yung 1989,
Atmospheric Radiation, chapter 4).
"""

from dataclasses import dataclass

from skerry.simulate.optics import BandOptics


@dataclass(frozen=True)
class Band:
    """One band.

    Attributes
    ----------
    name
        Such as ``oa01``.
    width_nm
        Full width at half of the maximum.
    solar_flux
        At the mean distance of the sun, mW m-2 nm-1.
    reference_radiance, signal_to_noise
        mW m-2 sr-1 nm-1, and the ratio required there at reduced resolution (the mean of 16
        measurements; a quarter of it at full resolution).
    optics
        The band's centre, and what water, land, cloud and ice do in it.
    """

    name: str
    width_nm: float
    solar_flux: float
    reference_radiance: float
    signal_to_noise: float
    optics: BandOptics

    @property
    def oxygen(self) -> float:
        """Optical depth of oxygen's lines at air mass 1; it grows with the root of the mass."""
        return OXYGEN.get(self.name, 0.0)

    @property
    def vapour(self) -> float:
        """Coefficient of `atmosphere.vapour_transmittance`."""
        return VAPOUR.get(self.name, 0.0)

    @property
    def centre_nm(self) -> float:
        """Centre of the nominal response."""
        return self.optics.wavelength_nm


BANDS = (
    Band("oa01", 15.0, 1482, 62.95, 2188, BandOptics(400.0, 0.0066, 0.026, 0.02, 0.06, 1.0, 0.74)),
    Band("oa02", 10.0, 1709, 74.14, 2061, BandOptics(412.5, 0.0047, 0.03, 0.02, 0.07, 1.0, 0.74)),
    Band("oa03", 10.0, 1889, 65.61, 1811, BandOptics(442.5, 0.007, 0.033, 0.025, 0.08, 1.0, 0.75)),
    Band("oa04", 10.0, 1946, 51.21, 1541, BandOptics(490.0, 0.015, 0.0215, 0.03, 0.1, 1.0, 0.76)),
    Band("oa05", 10.0, 1926, 44.39, 1488, BandOptics(510.0, 0.0325, 0.016, 0.04, 0.11, 1.0, 0.76)),
    Band("oa06", 10.0, 1801, 31.49, 1280, BandOptics(560.0, 0.0619, 0.007, 0.065, 0.13, 1.0, 0.75)),
    Band("oa07", 10.0, 1650, 21.14, 997, BandOptics(620.0, 0.2755, 0.0075, 0.05, 0.16, 1.0, 0.72)),
    Band("oa08", 10.0, 1529, 16.38, 883, BandOptics(665.0, 0.429, 0.0135, 0.04, 0.17, 1.0, 0.7)),
    Band("oa09", 7.5, 1495, 15.7, 707, BandOptics(673.75, 0.448, 0.0155, 0.04, 0.175, 1.0, 0.69)),
    Band("oa10", 7.5, 1471, 15.11, 745, BandOptics(681.25, 0.47, 0.014, 0.042, 0.18, 1.0, 0.68)),
    Band("oa11", 10.0, 1408, 12.73, 785, BandOptics(708.75, 0.785, 0.0015, 0.11, 0.2, 1.0, 0.65)),
    Band("oa12", 7.5, 1266, 10.33, 605, BandOptics(753.75, 2.87, 0.0, 0.35, 0.22, 1.0, 0.6)),
    Band("oa13", 2.5, 1248, 6.09, 232, BandOptics(761.25, 2.84, 0.0, 0.36, 0.225, 1.0, 0.6)),
    Band("oa14", 3.75, 1238, 7.13, 305, BandOptics(764.375, 2.82, 0.0, 0.362, 0.225, 1.0, 0.59)),
    Band("oa15", 2.5, 1230, 7.58, 330, BandOptics(767.5, 2.79, 0.0, 0.364, 0.23, 1.0, 0.59)),
    Band("oa16", 15.0, 1175, 9.18, 812, BandOptics(778.75, 2.68, 0.0, 0.37, 0.235, 1.0, 0.57)),
    Band("oa17", 20.0, 958, 6.17, 666, BandOptics(865.0, 4.6, 0.0, 0.41, 0.27, 1.0, 0.48)),
    Band("oa18", 10.0, 930, 6.00, 395, BandOptics(885.0, 5.6, 0.0, 0.41, 0.275, 1.0, 0.46)),
    Band("oa19", 10.0, 895, 4.73, 308, BandOptics(900.0, 6.5, 0.0, 0.41, 0.28, 1.0, 0.44)),
    Band("oa20", 20.0, 825, 2.39, 203, BandOptics(940.0, 18.000, 0.0, 0.4, 0.28, 1.0, 0.4)),
    Band("oa21", 40.0, 695, 3.86, 152, BandOptics(1020.0, 37.000, 0.0, 0.4, 0.29, 1.0, 0.3)),
)
"""All bands in the order of the instrument."""

OXYGEN = {"oa13": 0.85, "oa14": 0.55, "oa15": 0.18}
VAPOUR = {"oa11": 0.008, "oa18": 0.008, "oa19": 0.125, "oa20": 0.44, "oa21": 0.0055}
