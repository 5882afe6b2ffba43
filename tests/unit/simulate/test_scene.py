"""The simulated world: one place and one day for all sensors."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from skerry.simulate.noise import make_noise
from skerry.simulate.scene import CORNER, SIDE_KM, Scene, SceneFields
from skerry.simulate.sun import solar_position, sun_distance_factor

DAY = date(2026, 5, 1)


def _picture(side_degrees: float, edge: int = 80) -> tuple[np.ndarray, np.ndarray]:
    west, north = CORNER
    axis = (np.arange(edge) + 0.5) / edge * side_degrees
    longitude, latitude = np.meshgrid(west + axis / np.cos(np.radians(north)), north - axis)
    return longitude, latitude


def _planes(fields: SceneFields) -> dict[str, np.ndarray]:
    return {name: item for name, item in vars(fields).items() if isinstance(item, np.ndarray)}


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    assert first.keys() == second.keys()
    return all(
        np.array_equal(item, second[name], equal_nan=item.dtype.kind == "f")
        for name, item in first.items()
    )


@pytest.mark.parametrize("side_degrees", [0.005, 0.1, 0.99, 9.0])
def test_every_picture_shows_water_land_and_cloud(side_degrees: float) -> None:
    longitude, latitude = _picture(side_degrees)
    fields = Scene.over(7, DAY, longitude, latitude).sample(longitude, latitude)
    for name in ("water", "land", "lake", "cloud", "cirrus", "shadow"):
        assert 0.002 < getattr(fields, name).mean() < 0.9, name
    assert np.array_equal(fields.land, ~fields.water)
    assert not (fields.shadow & fields.cloud).any()


@settings(deadline=None, max_examples=examples(20))
@given(st.integers(0, 60), st.integers(1, 19), st.sampled_from([0.02, 1.0, 6.0]))
def test_it_does_not_matter_in_which_blocks_it_is_sampled(
    start: int, rows: int, side_degrees: float
) -> None:
    longitude, latitude = _picture(side_degrees)
    scene = Scene.over(3, DAY, longitude, latitude)
    full = scene.sample(longitude, latitude)
    place = slice(start, start + rows)
    part = scene.sample(longitude[place], latitude[place])
    assert _same(_planes(part), {name: item[place] for name, item in _planes(full).items()})


def test_wide_pictures_see_the_same_world() -> None:
    tile, swath = _picture(1.5), _picture(8.0)
    scenes = [Scene.over(3, DAY, *item) for item in (tile, swath)]
    assert scenes[0] == scenes[1]
    assert scenes[0].side_km == SIDE_KM
    assert Scene.over(3, DAY, *_picture(0.1)).side_km < SIDE_KM / 5


def test_the_place_stays_and_the_weather_changes() -> None:
    longitude, latitude = _picture(0.9)
    first, later = (Scene(3, day).sample(longitude, latitude) for day in (DAY, date(2026, 5, 6)))
    for name in ("water", "lake", "vegetation", "altitude"):
        assert np.array_equal(getattr(first, name), getattr(later, name)), name
    for name in ("tsm", "chlorophyll", "surface_temperature", "wind_speed"):
        assert not np.array_equal(getattr(first, name), getattr(later, name)), name
    elsewhere = Scene(4, DAY).sample(longitude, latitude)
    assert not np.array_equal(first.water, elsewhere.water)


def test_seasons() -> None:
    longitude, latitude = _picture(0.9)
    winter, summer = (
        Scene(1, date(2026, *day)).sample(longitude, latitude) for day in ((2, 1), (8, 1))
    )
    assert winter.ice.any()
    assert not winter.ice[~winter.water].any()
    assert not summer.ice.any()
    sea = summer.water & ~summer.lake
    assert 287 < np.median(summer.surface_temperature[sea]) < 295
    assert 272 < np.median(winter.surface_temperature[sea]) < 279


def test_noise_is_bounded_smooth_and_repeats() -> None:
    noise = make_noise(5.0, 3, 1, 2)
    x = np.linspace(-3, 3, 4001, dtype=np.float32)
    values = noise.at(x, np.full_like(x, 0.3))
    assert np.abs(values).max() <= 1
    assert np.abs(np.diff(values)).max() < 0.05
    assert noise.at(x + 64 / 5, np.full_like(x, 0.3)) == pytest.approx(values, abs=1e-3)


@pytest.mark.parametrize(
    ("moment", "longitude", "latitude", "zenith", "azimuth"),
    [
        # Solstices and equinox at noon: latitude less declination; evening: sunset.
        (datetime(2026, 6, 21, 12, 2, tzinfo=UTC), 0.0, 51.48, 28.04, 180.0),
        (datetime(2026, 12, 21, 11, 58, tzinfo=UTC), 0.0, 51.48, 74.92, 180.0),
        (datetime(2026, 3, 20, 18, 7, tzinfo=UTC), 0.0, 0.0, 90.0, 270.0),
    ],
)
def test_where_the_sun_stands(
    moment: datetime, longitude: float, latitude: float, zenith: float, azimuth: float
) -> None:
    result = solar_position(moment, longitude, latitude)
    assert float(result[0]) == pytest.approx(zenith, abs=0.4)
    assert float(result[1]) == pytest.approx(azimuth, abs=0.8)


def test_the_sun_is_nearest_in_january() -> None:
    assert sun_distance_factor(datetime(2026, 1, 3, tzinfo=UTC)) == pytest.approx(1.0343, abs=1e-3)
    assert sun_distance_factor(datetime(2026, 7, 6, tzinfo=UTC)) == pytest.approx(0.9674, abs=1e-3)
