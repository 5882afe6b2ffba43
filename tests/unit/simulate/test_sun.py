"""Where the simulated sun stands, against the Astronomical Almanac and NREL's example."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.simulate.sun import solar_position, sun_distance_factor

MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001 -- made aware below
    lambda item: item.replace(tzinfo=UTC)
)


def _look_up(moment: datetime, longitude: float, latitude: float) -> tuple[np.ndarray, float]:
    """Return the direction of the sun (east, north, up) and its distance in AU.

    Low-precision formulas of the Astronomical Almanac, good to 0.01 degrees until 2050; sidereal
    time after Meeus 1998, Astronomical Algorithms, equation 12.4.
    """
    days = (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)) / timedelta(days=1)
    anomaly = np.radians(357.528 + 0.9856003 * days)
    along = 280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly)
    tilt, ecliptic = np.radians(23.439 - 4e-7 * days), np.radians(along)
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    sidereal = 280.46061837 + 360.98564736629 * days
    hour, phi = np.radians(sidereal + longitude) - ascension, np.radians(latitude)
    equator = np.array([np.cos(declination) * np.cos(hour), -np.cos(declination) * np.sin(hour),
                        np.sin(declination)])  # fmt: skip
    north = -np.sin(phi) * equator[0] + np.cos(phi) * equator[2]
    up = np.cos(phi) * equator[0] + np.sin(phi) * equator[2]
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return np.array([equator[1], north, up]), float(distance)


@given(MOMENTS, st.floats(-180, 180), st.floats(-90, 90))
def test_the_sun_stands_where_the_almanac_says(
    moment: datetime, longitude: float, latitude: float
) -> None:
    true, distance = _look_up(moment, longitude, latitude)
    zenith, azimuth = (np.radians(item) for item in solar_position(moment, longitude, latitude))
    result = np.array([np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth),
                      np.cos(zenith)])  # fmt: skip
    apart = np.degrees(2 * np.arcsin(np.linalg.norm(result - true) / 2))
    assert apart < 0.5
    assert sun_distance_factor(moment) == pytest.approx(1 / distance**2, rel=2e-3)


def test_an_example_of_the_solar_position_algorithm() -> None:
    """Reda and Andreas 2004, NREL/TP-560-34302, appendix A.5: topocentric angles."""
    moment, place = datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC), (-105.1786, 39.742476)
    zenith, azimuth = solar_position(moment, *place)
    assert float(zenith) == pytest.approx(50.11162, abs=0.3)
    assert float(azimuth) == pytest.approx(194.34024, abs=0.3)
    assert sun_distance_factor(moment) == pytest.approx(0.9965422974**-2, rel=1e-3)
    direction, distance = _look_up(moment, *place)
    assert np.degrees(np.arccos(direction[2])) == pytest.approx(50.11162, abs=0.02)
    assert distance == pytest.approx(0.9965422974, abs=2e-5)
