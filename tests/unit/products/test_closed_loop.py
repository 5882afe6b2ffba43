"""Simulated scenes: what processors find, against what was put in.

The bounds are those of `platform/library/processors.md`. The forward models of the simulator know
nothing of the retrievals (other formulas, an atmosphere, adjacency, noise), so that an error in
either shows.
"""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from skerry.processors.cloud_masks import PixelClass
from skerry.processors.registry import get_processor
from skerry.products import open_product


def _open(path: Path) -> tuple[xr.DataTree, xr.Dataset]:
    return open_product(path), xr.open_dataset(path.with_suffix(".truth.nc")).load()


def _score(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Return recall and precision."""
    both = (found & true).sum()
    return float(both / true.sum()), float(both / found.sum())


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed_loop")


def test_turbidity_and_ndci_of_level_2a(folder: Path) -> None:
    from skerry.products.simulate import simulate_s2_l2a

    tree, truth = _open(simulate_s2_l2a(folder, size=600, seed=3))
    hidden = truth["cloud"] | truth["cirrus"] | truth["shadow"] | truth["ice"]
    clear = ((truth["any_water"] == 1) & (hidden == 0)).values
    water = get_processor("flag-mask").apply(tree, flags="water")["mask"].values == 1
    recall, precision = _score(water, clear)
    assert recall > 0.95
    assert precision > 0.95

    turbidity = get_processor("turbidity").apply(tree)["turbidity"].values
    known = clear & np.isfinite(turbidity)
    assert known.sum() > 0.95 * clear.sum()
    found, true = turbidity[known], truth["turbidity"].values[known]
    assert np.corrcoef(found, true)[0, 1] > 0.9
    assert abs((found - true).mean()) < 2.0
    assert np.sqrt(((found - true) ** 2).mean()) < 6.0
    assert abs(np.median(found / true - 1)) < 0.4

    index = get_processor("ndci").apply(tree)["ndci"].values
    known = clear & np.isfinite(index) & (truth["turbidity"].values < 5)
    chlorophyll = truth["chlorophyll"].values[known]
    ranks = np.corrcoef(_rank(index[known]), _rank(chlorophyll))[0, 1]
    assert ranks > 0.4, "the index grows with chlorophyll"


def test_spectral_mask_of_level_1c(folder: Path) -> None:
    from skerry.products.simulate import simulate_s2_l1c

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


def test_olci_clouds_and_reflectance(folder: Path) -> None:
    from skerry.products.simulate.olci import simulate_olci

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


def test_slstr_temperature_of_the_sea(folder: Path) -> None:
    from skerry.products.simulate.slstr import simulate_slstr_rbt

    tree, truth = _open(simulate_slstr_rbt(folder, size=240, seed=3))
    hidden = truth["cloud"] | truth["cirrus"] | truth["ice"] | truth["land"]
    temperature = tree["measurements/inadir/s8_bt_in"].values
    sea = (hidden == 0).values & np.isfinite(temperature)
    difference = (temperature - truth["surface_temperature"].values)[sea]
    assert -4 < difference.mean() < 0, "water vapour takes up to some kelvin at 11 um"
    assert difference.std() < 0.3
    from skerry.processors.planck import brightness_temperature

    radiance = get_processor("slstr-thermal-radiance").apply(tree)["s8_radiance_in"]
    centre = float(tree["conditions/instrument/inadir/s8/s8_band_centre_in"].mean()) * 1e6
    back = brightness_temperature(radiance, wavelength_um=centre).values
    assert np.nanmax(np.abs(back - temperature)) < 0.01
