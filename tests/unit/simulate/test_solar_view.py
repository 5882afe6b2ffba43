"""How all optical sensors see shadows, surroundings and clouds, against exact limits."""

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pytest

from skerry.simulate.atmosphere import Air, Geometry, cloud_reflectance
from skerry.simulate.olci import optics as olci_optics
from skerry.simulate.olci.bands import BANDS as OLCI_BANDS
from skerry.simulate.optics import BandOptics
from skerry.simulate.scene import CORNER, SIDE_KM, Scene, SceneFields
from skerry.simulate.sentinel_2 import product as sentinel_2
from skerry.simulate.sentinel_2.bands import BANDS
from skerry.simulate.sentinel_2.picture import Picture, _refine
from skerry.simulate.sentinel_2.radiometry import Radiometry
from skerry.simulate.slstr import solar_channels
from skerry.simulate.solar_view import SolarView, scale_adjacency, see_surroundings

pytestmark = pytest.mark.slow

SHAPE = (24, 24)
GEOMETRY = Geometry(42.0, 150.0, 5.0, 104.0)
VACUUM = Air(aerosol_550=0.0, ozone_du=0.0, water_cm=0.0, pressure_hpa=1e-6)
WHITE = BandOptics(865.0, 4.6, 0.0, vegetation=1.0, soil=1.0, cloud=1.0)


def _land(
    *, side_km: float = SIDE_KM, cloud: float = 0.0, cirrus: float = 0.0, shaded: bool = False
) -> SceneFields:
    """Return bare land, all of it under a cloud, cirrus or in shadow."""
    axis = np.linspace(0, 0.01, SHAPE[0])
    x, y = np.meshgrid(axis, axis)
    no, zero = np.zeros(SHAPE, bool), np.zeros(SHAPE, np.float32)
    return replace(
        Scene(1, date(2026, 5, 1)).sample(CORNER[0] + x, CORNER[1] - y),
        side_km=side_km, water=no, lake=no, land=~no, ice=no, shadow=no | shaded,
        vegetation=zero, chlorophyll=zero, tsm=zero, cdom=zero,
        cloud_optical_thickness=zero + cloud, cirrus_optical_thickness=zero + cirrus,
    )  # fmt: skip


def _geometry() -> Geometry:
    return Geometry(*(np.full(SHAPE, item) for item in vars(GEOMETRY).values()))


def _see(sensor: str, channel: str, fields: SceneFields) -> np.ndarray:
    """Return the reflectance that a sensor measures, without noise."""
    if sensor == "slstr":
        one, geometry = solar_channels.CHANNELS[channel], _geometry()
        radiance = solar_channels.model_radiance(
            one, fields, geometry, Air(), distance=1.0, pixel_m=500.0
        )
        unit = solar_channels.to_radiance(one, np.ones((), np.float32), geometry, 1.0)
        return np.asarray(radiance / unit)
    if sensor == "olci":
        band = next(item for item in OLCI_BANDS if item.name == channel)
        return np.asarray(olci_optics.model_toa_reflectance(band, fields, _geometry(), 300.0))
    view = Radiometry(BANDS[channel], GEOMETRY).view
    ground = view.light_ground(fields)
    return np.asarray(view.look(ground, see_surroundings(ground, fields, 60.0), fields))


SAME = [("sentinel-2", "B8A"), ("olci", "oa17"), ("slstr", "s3")]
"""Channels at 865 to 868 nm."""


@pytest.mark.parametrize("what", [{}, {"cloud": 30.0}, {"cirrus": 0.4}, {"shaded": True}])
def test_all_sensors_see_the_same(what: dict[str, float]) -> None:
    """Clear and shaded land, cloud and cirrus: 3 nm and the vapour's coefficients are left."""
    result = [float(_see(*item, _land(**what)).mean()) for item in SAME]
    assert np.ptp(result) < 0.003


@pytest.mark.parametrize(("sensor", "channel"), SAME)
def test_every_sensor_sees_the_ground_through_clouds(sensor: str, channel: str) -> None:
    """A thin cloud over bright land is brighter than over dark water."""
    fields = _land(cloud=20.0)
    bright = _see(sensor, channel, fields).mean()
    dark = _see(sensor, channel, replace(fields, water=fields.land, land=fields.water)).mean()
    assert 0.01 < bright - dark < 0.1


def test_there_is_air_above_clouds() -> None:
    """In the blue it adds its own light, half of the air's in the clear, and no aerosol's."""
    blue, black = replace(WHITE, wavelength_nm=443.0), np.zeros(SHAPE, np.float32)
    clean = Air(aerosol_550=0.0, ozone_du=0.0, water_cm=0.0)
    fields = _land(cloud=0.01)
    reflectance = SolarView(blue, GEOMETRY, clean).look(black, black, fields)
    clear = SolarView(blue, GEOMETRY, clean).look(black, black, _land())
    assert reflectance.mean() / clear.mean() == pytest.approx(0.54, abs=0.03)
    hazy = SolarView(blue, GEOMETRY, replace(clean, aerosol_550=0.5)).look(black, black, fields)
    np.testing.assert_array_equal(hazy, reflectance)


@pytest.mark.parametrize(("sensor", "channel"), [("sentinel-2", "B12"), ("slstr", "s6")])
def test_shadows_are_dark_in_the_short_wave_infrared(sensor: str, channel: str) -> None:
    """The sky is nearly black there: a tenth of the light, and the haze's."""
    lit, shaded = (_see(sensor, channel, _land(shaded=item)).mean() for item in (False, True))
    assert 0.10 < shaded / lit < 0.16


@pytest.mark.parametrize("wavelength", [443.0, 865.0, 2200.0])
def test_shadows_have_the_light_of_the_sky(wavelength: float) -> None:
    """Direct light by Beer's law; of all light the sky has what two streams of molecules leave."""
    air = Air(aerosol_550=0.0)
    fields = _land(shaded=True)
    view = SolarView(replace(WHITE, wavelength_nm=wavelength), GEOMETRY, air)
    sun = np.cos(np.radians(42.0))
    inverse = 1e6 / wavelength**2
    tau = 0.008569 * inverse**2 * (1 + 0.0113 * inverse + 0.00013 * inverse**2)
    beam = np.exp(-tau / sun)
    # Half of what molecules scatter once goes down: good to a hundredth for these thicknesses.
    sky = (1 - beam) / 2
    result = float(view.light_ground(fields).mean())
    assert result == pytest.approx((0.1 * beam + sky) / (beam + sky), abs=0.02)
    nothing = SolarView(WHITE, GEOMETRY, VACUUM).light_ground(fields)
    assert nothing == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("thickness", [0.5, 5.0, 20.0, 70.0])
def test_clouds_that_absorb_nothing_keep_the_energy(thickness: float) -> None:
    """Over white ground without air all light comes back, whatever the cloud."""
    for what in ({"cloud": thickness}, {"cirrus": thickness}):
        fields = _land(**what)
        reflectance = SolarView(WHITE, GEOMETRY, VACUUM).look(
            np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32), fields
        )
        assert reflectance == pytest.approx(1.0, abs=1e-4)


def test_light_between_cloud_and_ground_is_counted_to_the_last_reflection() -> None:
    """Against the sum of the reflections, one after the other, in a cloud that absorbs."""
    cloud = replace(WHITE, cloud=0.7)
    ground, layer = 0.4, float(cloud_reflectance(20.0))
    bounces = [(0.7 * layer * ground) ** n for n in range(50)]
    expected = 0.7 * layer + (1 - layer) ** 2 * ground * sum(bounces)
    plane = np.full(SHAPE, ground, np.float32)
    reflectance = SolarView(cloud, GEOMETRY, VACUUM).look(plane, plane, _land(cloud=20.0))
    assert reflectance == pytest.approx(expected, rel=1e-4)
    assert expected < 1


def test_a_cloud_is_above_the_vapour_and_the_oxygen() -> None:
    """Bands of strong absorption show clouds and nothing below them."""
    for sensor, channel in (("sentinel-2", "B10"), ("slstr", "s4"), ("olci", "oa13")):
        ground, cloud = (_see(sensor, channel, _land(cloud=item)).mean() for item in (0.0, 30.0))
        assert cloud > 2 * ground, channel
    assert _see("slstr", "s4", _land()).mean() < 0.005


def test_surroundings_shrink_with_the_landscape_for_every_sensor() -> None:
    assert scale_adjacency(SIDE_KM) == 1000.0
    spot = np.zeros((81, 81), np.float32)
    spot[40, 40] = 1.0
    for side_km, scale in ((SIDE_KM, 1000.0), (SIDE_KM / 2, 500.0)):
        blurred = see_surroundings(spot, _land(side_km=side_km), 100.0)
        assert blurred[40, 50] / blurred[40, 45] == pytest.approx(np.exp(-500 / scale), rel=1e-3)
    step = _land()
    half = np.broadcast_to(np.arange(SHAPE[1]) < SHAPE[1] // 2, SHAPE)
    step = replace(step, vegetation=np.where(half, np.float32(1), np.float32(0)))
    for sensor, channel in SAME:
        wide, narrow = (
            _see(sensor, channel, replace(step, side_km=item)) for item in (SIDE_KM, SIDE_KM / 50)
        )
        edge, far = SHAPE[1] // 2, 2
        assert (narrow[12, far] - narrow[12, edge]) > (wide[12, far] - wide[12, edge]), channel


def test_surroundings_between_pixels_are_interpolated() -> None:
    """A plane stays a plane; rows do not depend on the strip; coarse pixels keep their mean."""
    y, x = np.mgrid[0:20, 0:20].astype(np.float32)
    plane = 0.01 * x + 0.02 * y
    fine = _refine(plane, slice(0, 120), 6)
    fy, fx = (np.mgrid[0:120, 0:120] + 0.5) / 6 - 0.5
    inside = slice(3, 117)
    expected = (0.01 * fx + 0.02 * fy)[inside, inside]
    np.testing.assert_allclose(fine[inside, inside], expected, atol=1e-6)
    assert np.array_equal(fine[42:60], _refine(plane, slice(42, 60), 6))
    assert np.array_equal(_refine(plane, slice(3, 5), 1), plane[3:5])


@pytest.mark.parametrize("size", [600, pytest.param(1098, marks=pytest.mark.long)])
def test_water_along_coasts_has_no_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Steps of the near infrared between pixels at lines of 60 m against all others."""
    monkeypatch.setattr(Radiometry, "add_noise", lambda _self, seen, _noise: seen)
    moment = datetime.combine(sentinel_2.DEFAULT_DAY, sentinel_2.SENSING)
    picture = Picture(sentinel_2.make_scene(size, 3, moment.date()), "L2A", size, moment)
    picture.render()
    near = _find_water_near_coasts(picture.fields_of(10, 0, size))
    for axis in (0, 1):
        steps = np.abs(np.diff(picture.reflectances[10]["B08"].astype(float), axis=axis)) / 10_000
        pair = near.take(range(1, size), axis) & near.take(range(size - 1), axis)
        line = np.arange(1, size) % 6 == 0
        border = np.broadcast_to(line[:, None] if axis == 0 else line, steps.shape)
        assert (pair & border).sum() > 500
        at_lines, elsewhere = (steps[pair & item].mean() for item in (border, ~border))
        assert at_lines < 1.6 * elsewhere + 5e-5


def _find_water_near_coasts(fields: SceneFields) -> np.ndarray:
    """Return clear water 20 to 130 m from land."""
    open_water = fields.water & ~fields.cloud & ~fields.cirrus & ~fields.shadow
    masks = []
    for pixels in (1, 13):
        mask = open_water
        for _ in range(pixels):
            inside = np.pad(mask, 1)
            mask = mask & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2]
            mask &= inside[1:-1, 2:]
        masks.append(mask)
    return masks[0] & ~masks[1]
