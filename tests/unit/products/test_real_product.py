"""The real Sentinel-2 L2A product, where `SKERRY_REAL_DATA` names the folder that holds it."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from shapely.geometry import shape

from skerry.processors import mask_water, turbidity_dogliotti2015
from skerry.products import footprint, open_product, write_geozarr

pytestmark = pytest.mark.real_data

R60M = "measurements/reflectance/r60m"


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    folder = Path(os.environ["SKERRY_REAL_DATA"]) / "safe"
    return open_product(next(folder.glob("S2?_MSIL2A_*.SAFE")))


def test_what_is_missing_is_said(tree: xr.DataTree) -> None:
    missing = tree.attrs["other_metadata"]["missing"]
    assert missing[0].startswith("datastrip metadata")
    assert [item for item in missing if "r10m/b" in item] == [
        f"measurements/reflectance/r10m/{band}" for band in ("b02", "b03", "b04", "b08")
    ]
    assert len([item for item in missing if "reflectance/r20m/" in item]) == 10
    assert not [item for item in missing if "r60m" in item]
    assert tree.attrs["other_metadata"]["simulated"] is False


def test_every_60_m_band_is_there_with_its_offset(tree: xr.DataTree) -> None:
    data = tree[R60M]
    assert len(data.data_vars) == 11
    assert {variable.encoding["add_offset"] for variable in data.data_vars.values()} == {-0.1}
    assert np.isnan(data["b04"]).mean() == pytest.approx(0.4, abs=0.05)


def test_the_item_and_its_footprint(tree: xr.DataTree) -> None:
    item = tree.attrs["stac_discovery"]
    assert item["properties"]["datetime"].startswith("2022-10-05T11:54:11")
    assert item["properties"]["grid:code"] == "MGRS-29UNU"
    outline = shape(footprint(tree))
    assert 0.85 < outline.intersection(shape(item["geometry"])).area / outline.area <= 1.0


def _turbidity(tree: xr.DataTree, pole_fraction: float) -> npt.NDArray[np.float32]:
    data = tree[R60M]
    water = mask_water(tree["conditions/mask/l2a_classification/r60m/scl"])
    result = turbidity_dogliotti2015(data["b04"], data["b8a"], pole_fraction=pole_fraction)
    values = result.where(water).to_numpy()
    return values[np.isfinite(values)]


def test_turbidity_of_lough_derg(tree: xr.DataTree) -> None:
    wild = _turbidity(tree, pole_fraction=0.999)
    assert np.median(wild) == pytest.approx(2.9, abs=0.05)
    assert np.percentile(wild, 98) > 700
    masked = _turbidity(tree, pole_fraction=0.5)
    assert np.median(masked) == pytest.approx(2.9, abs=0.05)
    assert np.percentile(masked, 98) < 150
    assert len(masked) > 0.95 * len(wild)


def test_it_comes_back_from_geozarr(tree: xr.DataTree, tmp_path: Path) -> None:
    write_geozarr(
        tree,
        tmp_path / "real.zarr",
        leave_out=("quality", "conditions/mask/detector_footprint", "conditions/geometry"),
    )
    back = open_product(tmp_path / "real.zarr")
    for path in (R60M, "conditions/mask/l2a_classification/r20m"):
        xr.testing.assert_identical(
            back[path].to_dataset().compute(), tree[path].to_dataset().compute()
        )
