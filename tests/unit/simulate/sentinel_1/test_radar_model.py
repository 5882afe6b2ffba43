"""The radar's backscatter against CMOD5.N and another cross-polarised relation."""

from datetime import date

import numpy as np
import pytest

from skerry.simulate.scene import CORNER, Scene, SceneFields
from skerry.simulate.sentinel_1.backscatter import model_sigma

CMOD5N = (0, -0.6878, -0.7957, 0.3380, -0.1728, 0.0, 0.0040, 0.1103, 0.0159, 6.7329, 2.7713,
          -2.2885, 0.4971, -0.7250, 0.0450, 0.0066, 0.3222, 0.0120, 22.7, 2.0813, 3.0, 8.3659,
          -3.3428, 1.3236, 6.2437, 2.3893, 0.3249, 4.1590, 1.6930)  # fmt: skip
"""Hersbach 2008, CMOD5.N: A C-band geophysical model function for equivalent neutral wind, ECMWF
Technical Memorandum 554; c1 to c28."""


def _cmod5n(wind: np.ndarray, turn: np.ndarray, incidence: np.ndarray) -> np.ndarray:
    """Return sigma nought, dB (the memorandum, appendix; turn in radians)."""
    c = CMOD5N
    x = (incidence - 40) / 25
    level = c[1] + c[2] * x + c[3] * x**2 + c[4] * x**3 + (c[5] + c[6] * x) * wind
    slope, start = (c[7] + c[8] * x) * wind, c[12] + c[13] * x
    rise = 1 / (1 + np.exp(-np.maximum(slope, start)))
    rise = np.where(
        slope < start, rise * (slope / start) ** (start * (1 - rise)), rise
    ) ** (c[9] + c[10] * x + c[11] * x**2)  # fmt: skip
    asymmetry = c[14] * (1 + x) - c[15] * wind * (0.5 + x - np.tanh(4 * (x + c[16] + c[17] * wind)))
    asymmetry /= 1 + np.exp(0.34 * (wind - c[18]))
    y = wind / (c[21] + c[22] * x + c[23] * x**2) + 1
    small = c[19] - (c[19] - 1) / c[20] + (y - 1) ** c[20] / (c[20] * (c[19] - 1) ** (c[20] - 1))
    y = np.where(y < c[19], small, y)
    across = (-(c[24] + c[25] * x + c[26] * x**2) + (c[27] + c[28] * x) * y) * np.exp(-y)
    shape = (1 + asymmetry * np.cos(turn) + across * np.cos(2 * turn)) ** 1.6
    return np.asarray(10 * (np.log10(rise * shape) + level))


def _fields(wind: np.ndarray, **masks: bool) -> SceneFields:
    no = np.zeros(wind.shape, bool)
    kinds = {"water": True, "lake": False, "ice": False} | masks
    place = Scene(1, date(2026, 5, 1)).sample(np.full(wind.shape, CORNER[0]),
                                              np.full(wind.shape, CORNER[1]))  # fmt: skip
    return SceneFields(**(vars(place) | {
        "wind_speed": wind.astype(np.float32), "vegetation": np.full(wind.shape, 0.5, np.float32),
        "land": no | (not kinds["water"]), **{name: no | item for name, item in kinds.items()},
    }))  # fmt: skip


def _sigma(
    fields: SceneFields, incidence: np.ndarray, turn: float, polarisation: str
) -> np.ndarray:
    return 10 * np.log10(model_sigma(fields, incidence.astype(np.float32), turn, polarisation))


def test_the_reference_is_cmod5n() -> None:
    """Symmetric in direction, darkest across the wind, rising with it: as its figures show."""
    wind, incidence = np.array([10.0]), np.array([40.0])
    up, left, right, down = (
        float(_cmod5n(wind, np.radians([item]), incidence)[0]) for item in (0, 90, 270, 180)
    )
    assert left == pytest.approx(right)
    assert left < down < up
    assert up == pytest.approx(-13, abs=0.5)


@pytest.mark.parametrize("turn", [0.0, 45.0, 90.0, 135.0, 180.0])
def test_the_sea_is_about_as_bright_as_cmod5n_says(turn: float) -> None:
    wind, incidence = np.meshgrid(np.arange(5.0, 15.5), np.arange(30.0, 46.0))
    result = _sigma(_fields(wind), incidence, np.radians(turn), "VV")
    error = result - _cmod5n(wind, np.radians(turn), incidence)
    assert np.abs(error).max() < 3.0
    assert np.sqrt((error**2).mean()) < 1.6
    assert abs(error.mean()) < 1.5


def test_light_winds_are_too_dark_across_the_wind() -> None:
    """As the page says: by 4 to 6 dB at 2 m s-1."""
    wind, incidence = np.full(3, 2.0), np.array([30.0, 36.0, 45.0])
    across = np.pi / 2
    error = _sigma(_fields(wind), incidence, across, "VV") - _cmod5n(wind, across, incidence)
    assert -6.5 < error.min() < error.max() < -2.5


def test_cross_polarised_sea_follows_another_line_too() -> None:
    """Vachon and Wolfe 2011 found 0.592 U - 35.6 dB; neither angle nor direction matters."""
    wind, incidence = np.meshgrid(np.arange(3.0, 20.0), np.array([30.0, 38.0, 46.0]))
    result = _sigma(_fields(wind), incidence, 1.0, "VH")
    assert np.abs(result - (0.592 * wind - 35.6)).max() < 0.4
    assert np.ptp(result, axis=0).max() < 1e-3
    assert result == pytest.approx(_sigma(_fields(wind), incidence, 2.0, "HV"), abs=1e-4)


@pytest.mark.parametrize(("polarisation", "level"), [("VV", -10.5), ("VH", -17.75)])
def test_land_keeps_its_gamma_nought(polarisation: str, level: float) -> None:
    """A volume: sigma over the cosine of incidence is the same at all angles."""
    incidence = np.linspace(29.0, 46.0, 18)
    fields = _fields(np.full(18, 5.0), water=False)
    gamma = _sigma(fields, incidence, 0.3, polarisation) - 10 * np.log10(
        np.cos(np.radians(incidence))
    )
    assert gamma == pytest.approx(level, abs=1e-3)


def test_lakes_are_calmer_and_reciprocity_holds() -> None:
    wind, incidence = np.full(4, 9.0), np.full(4, 38.0)
    sea, lake = (_sigma(_fields(wind, lake=item), incidence, 0.5, "VV") for item in (False, True))
    assert lake == pytest.approx(_sigma(_fields(0.6 * wind), incidence, 0.5, "VV"), abs=1e-3)
    assert (lake < sea).all()
    ice = _sigma(_fields(wind, ice=True), incidence, 0.5, "VV")
    assert ice == pytest.approx(-12.0, abs=1e-3)
    pair = (_sigma(_fields(wind), incidence, 0.5, name) for name in ("VH", "HV"))
    np.testing.assert_array_equal(*pair)
