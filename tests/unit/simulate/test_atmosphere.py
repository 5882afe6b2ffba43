"""The simulated atmosphere against published and exact values."""

import numpy as np
import pytest

from skerry.simulate import atmosphere
from skerry.simulate.atmosphere import Air, Geometry

CLEAN = Air(aerosol_550=0.0)
OVERHEAD = Geometry(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("wavelength", "thickness"),
    # Bodhaine et al. (1999, Journal of Atmospheric and Oceanic Technology 16, 1854), table 3.
    [(400, 0.3602), (450, 0.2204), (550, 0.0972), (700, 0.03647), (850, 0.01663)],
)
def test_rayleigh_thickness(wavelength: float, thickness: float) -> None:
    result = atmosphere.rayleigh_thickness(wavelength, 1013.25)
    assert result == pytest.approx(thickness, rel=0.01)
    assert atmosphere.rayleigh_thickness(wavelength, 506.625) == pytest.approx(result / 2)


@pytest.mark.parametrize("turn", [0.0, 60.0, 90.0, 180.0])
def test_a_thin_atmosphere_reflects_as_its_phase_function_says(turn: float) -> None:
    """Rayleigh's phase function, depolarised (Chandrasekhar 1960): P tau / (4 mu mu)."""
    thickness = 1e-4
    sun, view = np.radians(40.0), np.radians(50.0)
    across = np.sin(sun) * np.sin(view) * np.cos(np.radians(turn))
    cosine = -np.cos(sun) * np.cos(view) - across
    gamma = 0.0279 / (2 - 0.0279)
    phase = 0.75 / (1 + 2 * gamma) * ((1 + 3 * gamma) + (1 - gamma) * cosine**2)
    actual = atmosphere.molecular_reflectance(thickness, Geometry(40.0, 0.0, 50.0, turn))
    expected = phase * thickness / (4 * np.cos(sun) * np.cos(view))
    assert float(actual) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("wavelength", [400, 443, 560, 865])
def test_molecules_keep_the_energy(wavelength: float) -> None:
    """What goes in comes out above or below, and over all of the sky by the exact albedo."""
    thickness = atmosphere.rayleigh_thickness(wavelength, 1013.25)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    cosines, weights = (nodes + 1) / 2, weights / 2
    views, azimuths = np.degrees(np.arccos(cosines))[:, None], np.arange(0.0, 360.0, 10.0)
    reflected = np.array([
        2 * np.sum(weights * cosines * np.mean(atmosphere.molecular_reflectance(
            thickness, Geometry(float(np.degrees(np.arccos(cosine))), 0.0, views, azimuths)
        ), axis=1))
        for cosine in cosines
    ])  # fmt: skip
    passed = atmosphere.total_transmittance(wavelength, CLEAN, cosines)
    high = cosines > 0.25  # 75 degrees
    np.testing.assert_allclose((reflected + passed)[high], 1.0, atol=0.005)
    albedo = 2 * np.sum(weights * cosines * reflected)
    assert albedo == pytest.approx(atmosphere.spherical_albedo(wavelength, CLEAN), rel=0.04)


def test_higher_orders_brighten_the_blue_most() -> None:
    """By about a third in the violet and not at all in the infrared (single scattering by hand)."""
    rises = []
    for wavelength in (400, 865):
        tau = atmosphere.rayleigh_thickness(wavelength, 1013.25)
        once = 1.5 * (1 - np.exp(-2 * tau)) / 8
        rises.append(float(atmosphere.path_reflectance(wavelength, CLEAN, OVERHEAD)) / once)
    assert 1.2 < rises[0] < 1.5
    assert rises[1] == pytest.approx(1.0, abs=0.05)


def test_light_is_not_made() -> None:
    for wavelength in (443, 865):
        sun = np.float32(0.7)
        direct = atmosphere.direct_transmittance(wavelength, Air(), sun)
        total = atmosphere.total_transmittance(wavelength, Air(), sun)
        assert direct < total < 1
        assert 0 < atmosphere.spherical_albedo(wavelength, Air()) < 0.3


def test_spherical_albedo_of_molecules() -> None:
    # The exact formula becomes t for a small t.
    small = atmosphere.spherical_albedo(2200, CLEAN)
    assert small == pytest.approx(atmosphere.rayleigh_thickness(2200, 1013.25), rel=0.1)


def test_fresnel_and_glint_straight_below_the_sun() -> None:
    assert atmosphere.fresnel_reflectance(np.array([1.0])) == pytest.approx((0.34 / 2.34) ** 2)
    # All at zenith: the density of level facets is 1 / (pi s^2).
    variance = 0.003 + 0.00512 * 5
    result = atmosphere.glint_reflectance(OVERHEAD, 5.0)
    assert float(result) == pytest.approx((0.34 / 2.34) ** 2 / (4 * variance), rel=1e-3)


def test_glint_is_brightest_where_a_level_sea_mirrors_the_sun() -> None:
    views = np.arange(0, 70, 5.0)
    result = atmosphere.glint_reflectance(Geometry(30.0, 0.0, views, 180.0), 3.0)
    assert 25 <= views[int(np.argmax(result))] <= 40
    behind = atmosphere.glint_reflectance(Geometry(30.0, 0.0, 30.0, 0.0), 3.0)
    assert float(behind) < 1e-3 * result.max()


def test_surroundings_keep_the_light() -> None:
    even = np.full((40, 50), 0.3, np.float32)
    assert atmosphere.blur_surroundings(even, 60.0) == pytest.approx(0.3, abs=1e-6)
    spot = np.zeros((61, 61), np.float32)
    spot[30, 30] = 1.0
    blurred = atmosphere.blur_surroundings(spot, 60.0, 200.0)
    assert blurred.sum() == pytest.approx(1.0, abs=1e-3)
    assert blurred[30, 30] > blurred[30, 33] > blurred[30, 36] > 0
    ratio = blurred[30, 40] / blurred[30, 35]
    assert ratio == pytest.approx(np.exp(-300 / 200), rel=1e-3)


def test_noise_has_the_ratio_that_is_asked_for() -> None:
    level = np.full((400, 400), 0.1, np.float32)
    generator = np.random.default_rng(1)
    noise = atmosphere.sensor_noise(level, reference=0.1, ratio=120, generator=generator)
    assert noise.std() == pytest.approx(0.1 / 120, rel=0.02)
    darker = atmosphere.sensor_noise(level / 4, reference=0.1, ratio=120, generator=generator)
    assert darker.std() == pytest.approx(0.05 / 120, rel=0.02)


@pytest.mark.parametrize(
    ("wavelength", "absorption", "within"),
    # NASA's ocean colour processing: SeaWiFS at 510, 555, 670 and MODIS Aqua, per atm cm; the
    # last three lie between nodes where the band is steep, or at its weak end.
    [
        (443, 0.00319, 0.06), (488, 0.02032, 0.06), (510, 0.0420, 0.06), (531, 0.06838, 0.06),
        (547, 0.08622, 0.06), (555, 0.09338, 0.06), (667, 0.0489, 0.06), (670, 0.04685, 0.06),
        (678, 0.03787, 0.13), (748, 0.01235, 0.13), (869, 0.001936, 0.13),
    ],
)  # fmt: skip
def test_ozone(wavelength: float, absorption: float, within: float) -> None:
    """Beer's law on both ways; half of the ozone leaves the root of the transmittance."""
    passed = float(atmosphere.ozone_transmittance(wavelength, Air(ozone_du=300), OVERHEAD))
    assert -np.log(passed) / (2 * 0.3) == pytest.approx(absorption, rel=within)
    half = float(atmosphere.ozone_transmittance(wavelength, Air(ozone_du=150), OVERHEAD))
    assert half**2 == pytest.approx(passed, rel=1e-5)
    assert float(atmosphere.ozone_transmittance(1600, Air(), OVERHEAD)) == 1.0


@pytest.mark.parametrize("coefficient", [0.01, 0.55, 3.0])
def test_vapour_absorbs_between_weak_and_strong_lines(coefficient: float) -> None:
    """A band of many lines: faster than the root of the amount, slower than the amount itself.

    The statistical model of Goody 1952 (QJRMS 78, 165) has ``u / sqrt(1 + u / b)``; with lines
    near the strong limit (b = 0.5 cm) the power law follows it within 6 % for 1 to 12 cm of slant
    path. The coefficients are chosen, so no number of a band is checked.
    """
    columns = np.linspace(0.5, 6.0, 12)
    depth = np.array([
        -np.log(float(atmosphere.vapour_transmittance(
            coefficient / 100, Air(water_cm=column), OVERHEAD
        ))) for column in columns
    ])  # fmt: skip
    goody = 2 * columns / np.sqrt(1 + 2 * columns / 0.5)
    ratio = depth / goody
    assert ratio / ratio.mean() == pytest.approx(1, abs=0.06)
    growth = np.diff(np.log(depth)) / np.diff(np.log(columns))
    assert np.all((growth > 0.5) & (growth < 1))
    assert float(atmosphere.vapour_transmittance(coefficient, Air(water_cm=0), OVERHEAD)) == 1.0
    slant = atmosphere.vapour_transmittance(coefficient, Air(), Geometry(60.0, 0, 60.0, 0))
    twice = atmosphere.vapour_transmittance(coefficient, Air(water_cm=3.0), OVERHEAD)
    assert float(slant) == pytest.approx(float(twice), rel=1e-5)


@pytest.mark.parametrize("thickness", [0.0, 0.3, 3.0, 20.0, 70.0])
def test_a_cloud_reflects_what_doubling_of_thin_layers_gives(thickness: float) -> None:
    """Two streams by adding equal layers: ``r + t^2 r / (1 - r^2)``, nothing absorbed."""
    reflected = thickness / 2**24 * (1 - 0.85) / 2
    for _ in range(24):
        passed = 1 - reflected
        reflected += passed**2 * reflected / (1 - reflected**2)
    assert float(atmosphere.cloud_reflectance(thickness)) == pytest.approx(reflected, abs=1e-4)


@pytest.mark.parametrize("thickness", [5.0, 20.0, 70.0])
def test_clouds_are_somewhat_darker_than_those_of_another_approximation(thickness: float) -> None:
    """Lacis and Hansen 1974 (JAS 31, 118): ``sqrt(3) t' / (2 + sqrt(3) t')``."""
    scaled = np.sqrt(3) * (1 - 0.85) * thickness
    result = float(atmosphere.cloud_reflectance(thickness))
    assert 0 < scaled / (2 + scaled) - result < 0.13
