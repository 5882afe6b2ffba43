"""Conditions of the simulated OLCI: angles and weather at tie points, and the instrument.

The temperature profile is the US Standard Atmosphere (1976) with the surface as warm as the scene.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.simulate.olci.bands import BANDS, Band
from skerry.simulate.olci.grid import CAMERAS, DETECTORS, Grid
from skerry.simulate.olci.optics import AIR
from skerry.simulate.scene import Scene
from skerry.simulate.sun import sun_distance_factor

PRESSURES_HPA = (
    1000, 950, 925, 900, 850, 800, 700, 600, 500, 400, 300, 250, 200,
    150, 100, 70, 50, 30, 20, 10, 7, 5, 3, 2, 1,
)  # fmt: skip
SMILE_NM = 0.4
"""Change of a band's centre wavelength across a camera, nm."""
OZONE_KG = 2.1415e-5
"""kg m-2 per Dobson unit."""

_TIE = ("tp_rows", "tp_columns")


def make_conditions(grid: Grid, seed: int, attrs: dict[str, str]) -> dict[str, xr.Dataset]:
    """Return the groups of angles, weather and instrument."""
    columns = grid.tie_columns
    longitude, latitude = grid.locate(columns)
    place = {"latitude": (_TIE, latitude), "longitude": (_TIE, longitude)}
    sza, saa = grid.sun(columns)
    oza, oaa = (np.broadcast_to(item, sza.shape) for item in grid.view(columns))
    angles = {"sza": sza, "saa": saa, "oza": oza, "oaa": oaa}
    # The files of tie points say how far they are apart.
    attrs_of_ties: dict[str, Any] = {
        **attrs,
        "ac_subsampling_factor": grid.tie_step,
        "al_subsampling_factor": 1,
    }
    scene = Scene.over(seed, grid.moment.date(), longitude, latitude).sample(longitude, latitude)
    return {
        "conditions/geometry": xr.Dataset(
            {name: (_TIE, values) for name, values in angles.items()}, place, attrs_of_ties
        ),
        "conditions/meteorology": _make_weather(
            scene.surface_temperature, scene.wind_speed, place, attrs_of_ties
        ),
        "conditions/instrument": _make_instrument(grid, attrs),
    }


def _make_weather(
    surface: npt.NDArray[np.float32],
    wind_speed: npt.NDArray[np.float32],
    place: dict[str, tuple[tuple[str, str], npt.NDArray[np.float64]]],
    attrs: dict[str, Any],
) -> xr.Dataset:
    shape = surface.shape
    even = {
        "humidity": 72.0,
        "sea_level_pressure": AIR.pressure_hpa,
        "total_columnar_water_vapour": 10 * AIR.water_cm,
        "total_ozone": AIR.ozone_du * OZONE_KG,
    }
    standard = _standard_temperature()
    excess = np.exp(-_standard_height_km() / 2)
    profile = standard[:, None, None] + excess[:, None, None] * (surface - standard[0])
    wind = np.stack([0.8 * wind_speed, 0.6 * wind_speed])  # from the south-west
    variables = {
        name: (_TIE, np.full(shape, value, np.float32)) for name, value in even.items()
    } | {
        "atmospheric_temperature_profile": (("pressure_level", *_TIE), profile.astype(np.float32)),
        "horizontal_wind": (("wind_vector", *_TIE), wind.astype(np.float32)),
    }  # fmt: skip
    indices = {
        "pressure_level": np.array(PRESSURES_HPA, np.float32),
        "wind_vector": np.arange(2),
    }
    return xr.Dataset(variables, {**place, **indices}, attrs)


def _standard_height_km() -> npt.NDArray[np.float64]:
    return -7.4 * np.log(np.array(PRESSURES_HPA) / 1013.25)


def _standard_temperature() -> npt.NDArray[np.float64]:
    heights = (0, 11, 20, 32, 47, 51)
    temperatures = (288.15, 216.65, 216.65, 228.65, 270.65, 270.65)
    return np.interp(_standard_height_km(), heights, temperatures)


def _make_instrument(grid: Grid, attrs: dict[str, str]) -> xr.Dataset:
    dims = ("bands", "detectors")
    centre = np.stack([_centres(band) for band in BANDS])
    width = np.stack([np.full(DETECTORS, band.width_nm) for band in BANDS])
    flux = np.stack([make_solar_flux(band, grid) for band in BANDS])
    distance = np.abs(np.subtract.outer(np.arange(len(BANDS)), np.arange(len(BANDS))))
    covariance = (1e-4 * np.exp(-distance / 3.0)).astype(np.float32)
    return xr.Dataset(
        {
            "lambda0": (dims, centre.astype(np.float32)),
            "fwhm": (dims, width.astype(np.float32)),
            "solar_flux": (dims, flux.astype(np.float32)),
            "relative_spectral_covariance": (("bands", "bands2"), covariance),
        },
        {"detectors": np.arange(DETECTORS)},
        attrs,
    )


def _centres(band: Band) -> npt.NDArray[np.float64]:
    within = np.arange(DETECTORS) % (DETECTORS // CAMERAS) / (DETECTORS // CAMERAS)
    return band.centre_nm + SMILE_NM * (within - 0.5)


def make_solar_flux(band: Band, grid: Grid) -> npt.NDArray[np.float32]:
    """Return a band's solar irradiance on the day, ``(detectors,)``, mW m-2 nm-1.

    Where a detector's centre differs from the band's, the change is that of a black body of 5800 K.
    """
    near = _planck(_centres(band)) / _planck(np.array([band.centre_nm]))
    return np.asarray(band.solar_flux * sun_distance_factor(grid.moment) * near, np.float32)


def _planck(nm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(nm**-5.0 / np.expm1(1.4387769e7 / (nm * 5800.0)))
