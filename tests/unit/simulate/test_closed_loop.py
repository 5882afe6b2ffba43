"""Simulated scenes: what processors find, against what was put in.

The bounds are those of `platform/library/processors.md`. The forward models of the simulator know
nothing of the retrievals (other formulas, an atmosphere, adjacency, noise), so that an error in
either shows.
"""

import ast
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from skerry.processors.cloud_masks import PixelClass
from skerry.processors.registry import get_processor
from skerry.products import open_product
from skerry.simulate.optics import BAND_OPTICS, model_reflectance

pytestmark = pytest.mark.slow


def _open(path: Path) -> tuple[xr.DataTree, xr.Dataset]:
    return open_product(path), xr.open_dataset(path.with_suffix(".truth.nc")).load()


def _score(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Return recall and precision."""
    both = (found & true).sum()
    return float(both / true.sum()), float(both / found.sum())


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(item)) for item in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_simulators_know_nothing_of_the_retrievals() -> None:
    """Of processors they import the numbers of scene classes, and nothing else."""
    import skerry.simulate

    folder = Path(skerry.simulate.__file__).parent
    result = {
        (node.module, alias.name)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skerry.processors")
        for alias in node.names
    }
    assert result == {("skerry.processors.masks", "SceneClass")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed_loop")


@pytest.fixture(scope="module")
def level_2a(folder: Path) -> tuple[xr.DataTree, xr.Dataset, np.ndarray]:
    """Return a scene, its truth, and where its water is clear: True in dims (y, x)."""
    from skerry.simulate import simulate_s2_l2a

    tree, truth = _open(simulate_s2_l2a(folder, size=600, seed=3))
    hidden = truth["cloud"] | truth["cirrus"] | truth["shadow"] | truth["ice"]
    return tree, truth, ((truth["any_water"] == 1) & (hidden == 0)).values


@pytest.fixture(scope="module")
def water_index(
    level_2a: tuple[xr.DataTree, xr.Dataset, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return NDCI, that of the water itself, chlorophyll, and where all of them are known."""
    tree, truth, clear = level_2a
    index = get_processor("ndci").apply(tree)["ndci"].values
    finite = clear & np.isfinite(index) & (truth["turbidity"].values < 5)
    return index, _model_index(truth), truth["chlorophyll"].values, finite


def test_clear_water_of_level_2a_is_found(
    level_2a: tuple[xr.DataTree, xr.Dataset, np.ndarray],
) -> None:
    tree, _, clear = level_2a
    water = get_processor("flag-mask").apply(tree, flags="water")["mask"].values == 1
    recall, precision = _score(water, clear)
    assert recall > 0.95
    assert precision > 0.95


def test_turbidity_of_level_2a(level_2a: tuple[xr.DataTree, xr.Dataset, np.ndarray]) -> None:
    tree, truth, clear = level_2a
    turbidity = get_processor("turbidity").apply(tree)["turbidity"].values
    finite = clear & np.isfinite(turbidity)
    measured = np.isfinite(tree["measurements/reflectance/r20m/b04"].values)
    assert finite.sum() > 0.999 * (clear & measured).sum()
    result, true = turbidity[finite], truth["turbidity"].values[finite]
    assert np.corrcoef(result, true)[0, 1] > 0.9
    assert abs((result - true).mean()) < 2.0
    assert np.sqrt(((result - true) ** 2).mean()) < 6.0
    assert abs(np.median(result / true - 1)) < 0.4


def test_ndci_of_level_2a_is_the_waters_own(
    water_index: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    index, true_index, _, known = water_index
    error = (index - true_index)[known]
    assert abs(error.mean()) < 0.12, "glint and haze brighten both bands: towards 0"
    assert error.std() < 0.09


def test_ndci_stands_for_chlorophyll(
    water_index: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    index, true_index, chlorophyll, known = water_index
    assert _rank_correlation(true_index[known], chlorophyll[known]) > 0.95, "the index is a proxy"
    assert _rank_correlation(index[known], chlorophyll[known]) > 0.35, "one pixel is mostly noise"


def test_the_mean_of_25_pixels_of_ndci_follows_chlorophyll(
    water_index: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    index, _, chlorophyll, known = water_index
    wet = _average(np.where(known, 1.0, 0.0)) > 0.99
    means = [_average(np.where(known, item, 0.0))[wet] for item in (index, chlorophyll)]
    assert _rank_correlation(*means) > 0.6


def _model_index(truth: xr.Dataset) -> np.ndarray:
    """Return the index of the water's own reflectance."""
    inside = [truth[name].values for name in ("tsm", "chlorophyll", "cdom")]
    red, edge = (model_reflectance(BAND_OPTICS[name], *inside) for name in ("B04", "B05"))
    return np.asarray((edge - red) / (edge + red))


def _average(field: np.ndarray, pixels: int = 5) -> np.ndarray:
    rows, columns = (size // pixels for size in field.shape)
    cut = field[: rows * pixels, : columns * pixels]
    return np.asarray(cut.reshape(rows, pixels, columns, pixels).mean((1, 3)))


@pytest.mark.long
def test_spectral_mask_of_level_1c(folder: Path) -> None:
    from skerry.simulate import simulate_s2_l1c

    tree, truth = _open(simulate_s2_l1c(folder, size=600, seed=3))
    classes = get_processor("s2-cloud-mask").apply(tree)["pixel_class"].values
    cloud, cirrus, shadow, water = (
        truth[name].values == 1 for name in ("cloud", "cirrus", "shadow", "any_water")
    )
    clear = ~(cloud | cirrus | shadow) & (classes != PixelClass.NO_DATA)
    recall, precision = _score(classes == PixelClass.CLOUD, cloud)
    assert recall > 0.95
    assert precision > 0.95
    obscured = np.isin(classes, [PixelClass.CLOUD, PixelClass.CIRRUS])
    recall, precision = _score(obscured, cloud | cirrus)
    assert recall > 0.85
    assert precision > 0.9
    recall, precision = _score(classes == PixelClass.CLOUD_SHADOW, shadow & ~water)
    assert recall > 0.7
    assert precision > 0.7
    for number, true in ((PixelClass.WATER, water), (PixelClass.LAND, ~water)):
        recall, precision = _score((classes == number) & clear, true & clear)
        assert recall > 0.95
        assert precision > 0.95


@pytest.mark.long
@pytest.mark.parametrize(("kind", "size"), [("s2-l1c", 300), ("olci-efr", 129)])
def test_ice_in_winter(folder: Path, kind: str, size: int) -> None:
    """Both masks tell ice on water from clouds, with the sun at 70 to 75 degrees for OLCI."""
    from skerry.simulate import simulate_product

    tree, truth = _open(simulate_product(kind, folder, size=size, seed=3, day="2026-02-01"))
    mask = "s2-cloud-mask" if kind == "s2-l1c" else "olci-cloud-mask"
    classes = get_processor(mask).apply(tree)["pixel_class"].values
    hidden = truth["cloud"] + truth["cirrus"] + truth["shadow"]
    seen = (hidden.values == 0) & (classes != PixelClass.NO_DATA)
    ice, cloud = (truth[name].values == 1 for name in ("ice", "cloud"))
    assert (ice & seen).sum() > 500
    recall, precision = _score((classes == PixelClass.SNOW_ICE) & seen, ice & seen)
    assert recall > 0.95
    assert precision > 0.9
    assert (classes == PixelClass.SNOW_ICE)[cloud].mean() < 0.02


def test_reflectance_and_radiance_of_level_1c(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the picture without noise, and the sun's place and distance by other formulas."""
    from pyproj import Transformer

    from skerry.simulate import sun
    from skerry.simulate.sentinel_2 import product as sentinel_2
    from skerry.simulate.sentinel_2.bands import BANDS
    from skerry.simulate.sentinel_2.picture import Picture
    from skerry.simulate.sentinel_2.radiometry import Radiometry

    tree = open_product(sentinel_2.simulate_s2_l1c(folder / "clean", size=180, seed=4))
    moment = datetime.combine(sentinel_2.DEFAULT_DAY, sentinel_2.SENSING)
    scene = sentinel_2.make_scene(180, 4, moment.date())
    monkeypatch.setattr(Radiometry, "add_noise", lambda _self, seen, _noise: seen)
    clean = Picture(scene, "L1C", 180, moment)
    clean.render()
    for resolution in (10, 20, 60):
        group = tree[f"measurements/reflectance/r{resolution}m"].to_dataset()
        for name, numbers in clean.reflectances[resolution].items():
            actual, band = group[name.lower()].values, BANDS[name]
            true = np.where(numbers > 0, (numbers - 1000.0) / 10_000, np.nan)
            error = (actual - true)[np.isfinite(true)]
            shade = band.reference_reflectance(float(np.cos(np.radians(clean.sun[0]))))
            noise = np.sqrt(np.nanmean(np.clip(true, 0, None)) * shade) / band.signal_to_noise
            count = error.size
            assert abs(error.mean()) < 5 * noise / np.sqrt(count) + 5e-5, name
            assert error.std() == pytest.approx(np.hypot(noise, 1e-4 / np.sqrt(6)), rel=0.15), name
        radiance = get_processor("s2-radiance").apply(tree, resolution=f"r{resolution}m")
        x, y = np.meshgrid(group["x"], group["y"])
        place = Transformer.from_crs(tree.attrs["stac_discovery"]["properties"]["proj:code"], 4326,
                                     always_xy=True).transform(x, y)  # fmt: skip
        zenith, _ = sun.solar_position(moment, *place)
        light = np.cos(np.radians(zenith)) * sun.sun_distance_factor(moment) / np.pi
        for name in clean.reflectances[resolution]:
            expected = group[name.lower()].values * BANDS[name].irradiance * light
            actual = radiance[f"{name.lower()}_radiance"].values
            seen = np.isfinite(expected)
            np.testing.assert_allclose(actual[seen], expected[seen], rtol=2e-5)


@pytest.mark.long
@pytest.mark.parametrize("size", [129, 100])  # tie points 64 columns apart, and fewer
def test_reflectance_of_olci(simulated: Callable[..., Path], size: int) -> None:
    """Against the model without noise: bias below 0.1 %, spread that of the instrument."""
    from skerry.simulate.olci import product as olci
    from skerry.simulate.olci.bands import BANDS
    from skerry.simulate.olci.grid import RESOLUTIONS, Grid
    from skerry.simulate.olci.optics import model_toa_reflectance

    tree = open_product(simulated("olci-efr", size=size))
    moment = datetime.combine(olci.DEFAULT_DAY, olci.SENSING)
    image = olci.Image(Grid(size, RESOLUTIONS["efr"], moment), 3)
    seen = ~image.invalid & ~image.duplicated
    reflectance = get_processor("olci-reflectance").apply(tree)
    for band in BANDS:
        result = reflectance[f"{band.name}_reflectance"].values
        true = model_toa_reflectance(band, image.scene, image.geometry, 270)
        ratio = (result / true - 1)[seen]
        level = true * band.solar_flux * image.geometry.sun_cosine / np.pi
        noise = 4 * np.sqrt(band.reference_radiance / level)[seen] / band.signal_to_noise
        assert abs(ratio.mean()) < 1e-3, band.name
        assert (ratio / noise).std() == pytest.approx(1.0, abs=0.1), band.name


@pytest.mark.long
@pytest.mark.parametrize("view", ["nadir", "oblique"])
def test_reflectance_of_slstr(simulated: Callable[..., Path], view: str) -> None:
    """Against the model without noise, in both views: bias below 0.1 %, spread of the noise."""
    from skerry.simulate.scene import Scene
    from skerry.simulate.slstr import product as slstr
    from skerry.simulate.slstr import solar_channels
    from skerry.simulate.slstr.grids import Swath, view_angles

    tree = open_product(simulated("slstr-rbt", size=120))
    swath = Swath(120, datetime.combine(slstr.DEFAULT_DAY, slstr.OVERPASS))
    day = swath.moment.date()
    grid = f"a{view[0]}"
    here = swath.locate(*swath.positions(grid))
    scene = Scene.over(3, day, *swath.locate(*swath.positions("in")))
    vapour = slstr.Pass(3, swath, scene).vapour(*here)
    angles = view_angles(swath, grid, view=view[0])
    look = slstr.Look(scene.sample(*here), angles, vapour)
    result = get_processor("slstr-reflectance").apply(tree, view=view)
    air = slstr.Air(water_cm=float(vapour.mean()) / 10)
    for name, channel in solar_channels.CHANNELS.items():
        radiance = solar_channels.model_radiance(
            channel, look.fields, look.geometry, air, distance=1.0, pixel_m=500.0
        )
        ones = np.ones((), np.float32)
        true = radiance / solar_channels.to_radiance(channel, ones, look.geometry, 1.0)
        values = result[f"{name}_reflectance_{grid}"].values
        measured = np.isfinite(tree[f"measurements/a{view}/{name}_radiance_{grid}"].values)
        assert np.isfinite(values[measured]).all(), "half a pixel lies off the tie points"
        seen = np.isfinite(values) & (true > 0.005)
        noise = np.sqrt(solar_channels.NOISE_REFERENCE * true) / solar_channels.NOISE_RATIO
        ratio = ((values - true) / noise)[seen]
        assert abs(((values - true)[seen]).mean() / true[seen].mean()) < 2e-3, name
        assert ratio.std() == pytest.approx(1.0, abs=0.15), name
        edge = ((values - true) / noise)[[0, -1]][seen[[0, -1]]]
        assert abs(edge.mean()) < 4 / np.sqrt(edge.size), f"{name}, first and last row"
    cloud = look.fields.cloud & np.isfinite(result[f"s1_reflectance_{grid}"].values)
    bright, infrared, vapour_band = (
        np.median(result[f"{item}_reflectance_{grid}"].values[cloud]) for item in ("s1", "s5", "s4")
    )
    assert bright > infrared > 0.3, "water clouds are bright at 1.6 um, ice is not"
    assert vapour_band > 0.3


@pytest.mark.long
def test_olci_clouds_and_reflectance(folder: Path) -> None:
    from skerry.simulate.olci.product import simulate_olci

    tree, truth = _open(simulate_olci(folder, kind="efr", size=193, seed=3))
    classes = get_processor("olci-cloud-mask").apply(tree)["pixel_class"].values
    cloud = (truth["cloud"].values == 1) & (classes != PixelClass.NO_DATA)
    recall, precision = _score(classes == PixelClass.CLOUD, cloud)
    assert recall > 0.9
    assert precision > 0.9
    reflectance = get_processor("olci-reflectance").apply(tree, bands=["oa10"])
    values = reflectance["oa10_reflectance"].values
    clear = (truth["water"].values == 1) & ~cloud & (truth["cirrus"].values == 0)
    clear &= np.isfinite(values)
    assert 0.005 < np.median(values[clear]) < 0.15, "dark water under a clear atmosphere"
    assert np.median(values[cloud & np.isfinite(values)]) > 0.3


@pytest.mark.long
def test_slstr_temperature_of_the_sea(folder: Path) -> None:
    from skerry.simulate.slstr.product import simulate_slstr_rbt

    tree, truth = _open(simulate_slstr_rbt(folder, size=240, seed=3))
    hidden = truth["cloud"] | truth["cirrus"] | truth["ice"] | truth["land"]
    temperature = tree["measurements/inadir/s8_bt_in"].values
    sea = (hidden == 0).values & np.isfinite(temperature)
    difference = (temperature - truth["surface_temperature"].values)[sea]
    assert -2.0 < difference.mean() < -0.5, "emissivity and vapour take about a kelvin at 11 um"
    assert difference.std() < 0.2
    from skerry.processors.planck import brightness_temperature

    radiance = get_processor("slstr-thermal-radiance").apply(tree)["s8_radiance_in"]
    centre = float(tree["conditions/instrument/inadir/s8/s8_band_centre_in"].mean()) * 1e6
    back = brightness_temperature(radiance, wavelength_um=centre).values
    assert np.nanmax(np.abs(back - temperature)) < 0.01


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "size", "image", "ties"),
    [("olci-efr", 129, "measurements/oa08_radiance", "conditions/geometry/s{}a"),
     ("slstr-rbt", 120, "measurements/aoblique/s1_radiance_ao",
      "conditions/geometry_to/solar_{}_to")],
)  # fmt: skip
def test_the_sun_on_another_grid(
    simulated: Callable[..., Path], kind: str, size: int, image: str, ties: str
) -> None:
    """Angles at tie points, brought to the image and to a grid, are where the sun stands there."""
    from odc.geo.geobox import GeoBox

    from skerry.products.regridding import regrid_product
    from skerry.simulate.sun import solar_position

    tree = open_product(simulated(kind, size=size))
    swath = tree[image]
    longitude, latitude = (swath[name].values for name in ("longitude", "latitude"))
    middle = float(longitude.mean()), float(latitude.mean())
    box = (middle[0] - 0.05, middle[1] - 0.03, middle[0] + 0.05, middle[1] + 0.03)
    target = GeoBox.from_bbox(box, "EPSG:4326", resolution=0.003)
    names = [ties.format(item) for item in (("z", "a") if "{}a" in ties else ("zenith", "azimuth"))]
    result = regrid_product(tree, target, [image, *names])
    moment = datetime.fromisoformat(tree.attrs["stac_discovery"]["properties"]["datetime"])
    x, y = np.meshgrid(target.coords["longitude"].values, target.coords["latitude"].values)
    zenith, azimuth = solar_position(moment, x, y)
    angles = [result[item.rpartition("/")[2]].values for item in names]
    assert np.isfinite(angles[0]).mean() > 0.5
    assert np.nanmax(np.abs(angles[0] - zenith)) < 2e-3
    turned = (angles[1] - azimuth + 180) % 360 - 180
    assert np.nanmax(np.abs(turned)) < 0.02
