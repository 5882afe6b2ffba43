"""The bands of Sentinel-2A's MSI, as simulations and their metadata need them.

Wavelengths, irradiances and gains are what the metadata of real Sentinel-2A products say; signal
to noise and reference radiances are the mission's requirements (ESA: Sentinel-2 User Handbook,
2015, table 1-2).
"""

from dataclasses import dataclass

import numpy as np

from skerry.simulate.optics import BAND_OPTICS, BandOptics


@dataclass(frozen=True)
class Band:
    """A band of MSI.

    Attributes
    ----------
    name
        Name in file names, ``B04``.
    number
        ``bandId``.
    resolution_m
        Pixel size of the measurement.
    shortest_nm, longest_nm
        Range of the response.
    irradiance
        The sun's irradiance at mean distance, W m-2 um-1.
    gain
        Physical gain, as metadata say.
    reference_radiance
        Radiance for which `signal_to_noise` is required, W m-2 sr-1 um-1.
    signal_to_noise
        At the reference radiance.
    vapour
        Coefficient of `atmosphere.vapour_transmittance`.
    """

    name: str
    number: int
    resolution_m: int
    shortest_nm: int
    longest_nm: int
    irradiance: float
    gain: float
    reference_radiance: float
    signal_to_noise: float
    vapour: float

    @property
    def optics(self) -> BandOptics:
        """Optics of water, land and clouds in the band."""
        return BAND_OPTICS[self.name]

    @property
    def centre_nm(self) -> float:
        """Its central wavelength."""
        return self.optics.wavelength_nm

    @property
    def physical(self) -> str:
        """Its name in metadata, without leading zero."""
        return f"B{self.name[1:].lstrip('0')}"

    def reference_reflectance(self, sun_cosine: float) -> float:
        """Return the reflectance at the top of the atmosphere of the reference radiance."""
        return float(np.pi * self.reference_radiance / (self.irradiance * sun_cosine))


BANDS = {
    item.name: item
    for item in (
        Band("B01", 0, 60, 412, 456, 1884.69, 4.0916, 129.0, 129, 0.0),
        Band("B02", 1, 10, 456, 533, 1959.66, 3.7523, 128.0, 154, 0.0),
        Band("B03", 2, 10, 538, 583, 1823.24, 4.1889, 128.0, 168, 0.0005),
        Band("B04", 3, 10, 646, 684, 1512.06, 4.5251, 108.0, 142, 0.002),
        Band("B05", 4, 20, 695, 714, 1424.64, 5.2091, 74.5, 117, 0.012),
        Band("B06", 5, 20, 731, 749, 1287.61, 4.8776, 68.0, 89, 0.014),
        Band("B07", 6, 20, 769, 797, 1162.08, 4.5392, 67.0, 105, 0.003),
        Band("B08", 7, 10, 760, 907, 1041.63, 6.1703, 103.0, 174, 0.035),
        Band("B8A", 8, 20, 837, 881, 955.32, 5.1442, 52.5, 72, 0.001),
        Band("B09", 9, 60, 932, 958, 812.92, 8.5525, 9.0, 114, 0.55),
        Band("B10", 10, 60, 1337, 1412, 367.15, 55.0738, 6.0, 50, 5.0),
        Band("B11", 11, 20, 1539, 1682, 245.59, 35.2512, 4.0, 100, 0.006),
        Band("B12", 12, 20, 2078, 2320, 85.25, 106.3124, 1.5, 100, 0.03),
    )
}
RESOLUTIONS_M = (10, 20, 60)
L2A_BANDS = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12"),
}
"""Bands of Level-2A by resolution; a band is resampled from its own."""


def native_bands(resolution_m: int) -> tuple[Band, ...]:
    """Return the bands that are measured at a resolution."""
    return tuple(item for item in BANDS.values() if item.resolution_m == resolution_m)
