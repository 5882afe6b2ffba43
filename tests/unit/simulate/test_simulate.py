from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.errors import NotGeoreferencedWarning

from skerry.core.digests import digest_tree
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.processors import mask_water, ndci, turbidity_dogliotti2015
from skerry.products import open_product
from skerry.simulate import simulate_s2_l2a

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def truth(safe: Path) -> dict[str, np.ndarray]:
    with xr.open_dataset(safe.parent / f"{safe.stem}.truth.nc", engine="h5netcdf") as stored:
        truth = {str(name): item.to_numpy() for name, item in stored.data_vars.items()}
    return truth | {"water": truth["water"] == 1}


def test_it_says_that_it_is_simulated(safe: Path) -> None:
    tree = open_product(safe)
    assert safe.name.endswith("_SIM.SAFE")
    assert tree.attrs["title"].startswith("SIMULATED")
    assert tree.attrs["other_metadata"]["simulated"] is True
    assert (safe / f"{safe.stem}-ql.jpg").is_file()


def test_gdal_reads_it_as_a_sentinel_2_product(safe: Path) -> None:
    # The container itself has no place; its subdatasets do.
    with pytest.warns(NotGeoreferencedWarning):
        product = rasterio.open(safe / "MTD_MSIL2A.xml")
    with product:
        assert product.driver == "SENTINEL2"
        finest = next(subdataset for subdataset in product.subdatasets if ":10m:" in subdataset)
    with rasterio.open(finest) as bands:
        assert bands.crs.to_epsg() == 32633
        assert tuple(bands.bounds) == (399_960.0, 5_997_000.0, 402_960.0, 6_000_000.0)


def test_the_same_arguments_give_the_same_bytes(safe: Path, tmp_path: Path) -> None:
    again = simulate_s2_l2a(tmp_path, size=300, seed=3)
    assert again.name == safe.name
    assert digest_tree(again) == digest_tree(safe)


def test_days_differ_in_weather_and_seeds_in_place(tmp_path: Path) -> None:
    scenes = {
        (seed, day): open_product(
            simulate_s2_l2a(tmp_path / str(seed), size=60, seed=seed, day=day)
        )
        for seed, day in [(1, "2026-05-01"), (1, "2026-05-06"), (2, "2026-05-01")]
        if (tmp_path / str(seed)).mkdir(exist_ok=True) is None
    }
    classes = {
        key: tree["conditions/mask/l2a_classification/r20m/scl"].to_numpy()
        for key, tree in scenes.items()
    }
    first, later, elsewhere = classes.values()
    assert (first != later).any()
    clear = np.isin(first, (4, 5, 6)) & np.isin(later, (4, 5, 6))
    assert np.array_equal(first[clear], later[clear])
    assert (first != elsewhere).any()


def test_classes_agree_with_the_reflectances(safe: Path) -> None:
    tree = open_product(safe)
    scl = tree["conditions/mask/l2a_classification/r20m/scl"].to_numpy()
    data = tree["measurements/reflectance/r20m"]
    red, nir, swir = (data[name].to_numpy() for name in ("b04", "b8a", "b11"))
    assert set(np.unique(scl)) == {0, 3, 4, 5, 6, 9, 10}
    assert np.median(red[scl == 9]) > 0.5
    assert np.median(nir[scl == 6]) < 0.05
    assert np.median(swir[scl == 6]) < 0.01
    leaves, soil = (np.median(nir[scl == item] / red[scl == item]) for item in (4, 5))
    assert leaves > soil > 1
    assert np.isnan(red[scl == 0]).mean() > 0.95


def test_turbidity_is_found_again(safe: Path, truth: dict[str, np.ndarray]) -> None:
    tree = open_product(safe)
    data = tree["measurements/reflectance/r20m"]
    water = mask_water(tree["conditions/mask/l2a_classification/r20m/scl"])
    result = turbidity_dogliotti2015(data["b04"], data["b8a"]).where(water).to_numpy()
    seen = truth["water"] & np.isfinite(result)
    assert seen.sum() > 0.9 * truth["water"].sum()
    error = result[seen] - truth["turbidity"][seen]
    # Glint raises all of it; the land beside the plume raises the near infrared there.
    assert np.corrcoef(result[seen], truth["turbidity"][seen])[0, 1] > 0.9
    assert 0 < error.mean() < 1.5
    assert np.sqrt((error**2).mean()) < 5
    assert 0.6 < np.median(result[seen] / truth["turbidity"][seen]) < 1.4


def test_the_bloom_raises_the_chlorophyll_index(safe: Path, truth: dict[str, np.ndarray]) -> None:
    data = open_product(safe)["measurements/reflectance/r20m"]
    index = ndci(data["b04"], data["b05"]).to_numpy()
    calm = truth["water"] & (np.abs(truth["turbidity"] - 8) < 2)
    little = calm & (truth["chlorophyll"] < 8)
    much = calm & (truth["chlorophyll"] > 25)
    assert np.nanmedian(index[much]) > np.nanmedian(index[little]) + 0.05


@pytest.mark.parametrize("size", [0, 61, 100, 54, 10_986])
def test_sizes_that_do_not_fit_the_grids(tmp_path: Path, size: int) -> None:
    with pytest.raises(InvalidInputError, match=str(size)):
        simulate_s2_l2a(tmp_path, size=size)


@pytest.mark.parametrize("tile", ["", "T3UVV", "33UVVV", "TTTTT"])
def test_tile_names_that_are_none(tmp_path: Path, tile: str) -> None:
    with pytest.raises(InvalidInputError):
        simulate_s2_l2a(tmp_path, size=60, tile=tile)


def test_a_product_is_not_overwritten(tmp_path: Path) -> None:
    simulate_s2_l2a(tmp_path, size=60)
    with pytest.raises(ConflictError):
        simulate_s2_l2a(tmp_path, size=60)
