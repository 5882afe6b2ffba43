import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from pyproj import CRS

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products import open_product

R10M = "measurements/reflectance/r10m"
R20M = "measurements/reflectance/r20m"


def _band(safe: Path, name: str, resolution: int) -> Path:
    return next(safe.glob(f"GRANULE/*/IMG_DATA/R{resolution}m/*_{name}_{resolution}m.jp2"))


@pytest.mark.slow
def test_every_resolution_stands_where_eopf_has_it(safe: Path) -> None:
    tree = open_product(safe)
    assert set(tree[R10M].data_vars) == {"b02", "b03", "b04", "b08"}
    assert set(tree[R20M].data_vars) == {
        "b01", "b02", "b03", "b04", "b05", "b06", "b07", "b8a", "b11", "b12",
    }  # fmt: skip
    assert "b09" in tree["measurements/reflectance/r60m"]
    assert tree["conditions/mask/l2a_classification/r20m/scl"].shape == (150, 150)
    assert tree["quality/l2a_quicklook/r10m/tci"].dims == ("band", "y", "x")
    assert tree["conditions/geometry/sun_angles"].dims == ("angle", "y", "x")
    assert tree.attrs["other_metadata"]["missing"] == []


def test_numbers_become_reflectance_with_the_baselines_offset(safe: Path) -> None:
    with rasterio.open(_band(safe, "B04", 10)) as source:
        raw = source.read(1)
    values = open_product(safe)[R10M]["b04"].to_numpy()
    assert values.dtype == np.float32
    assert np.array_equal(np.isnan(values), raw == 0)
    measured = raw > 0
    expected = (raw[measured].astype(np.float64) - 1000) / 10_000
    assert values[measured] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_offsets_are_read_per_band_and_absent_before_baseline_04(
    safe: Path, tmp_path: Path
) -> None:
    document = (safe / "MTD_MSIL2A.xml").read_text("utf-8")
    one_band = document.replace('band_id="3">-1000', 'band_id="3">-500')
    old = document.replace("05.11</PROCESSING", "03.01</PROCESSING")
    old = "\n".join(line for line in old.splitlines() if "BOA_ADD_OFFSET" not in line)
    offsets = {}
    for name, text in {"one": one_band, "old": old}.items():
        copy = tmp_path / name
        _link_tree(safe, copy)
        (copy / "MTD_MSIL2A.xml").unlink()
        (copy / "MTD_MSIL2A.xml").write_text(text, "utf-8")
        bands = open_product(copy)[R10M]
        offsets[name] = [bands[band].encoding["add_offset"] for band in ("b03", "b04")]
    assert offsets == {"one": [-0.1, -0.05], "old": [0.0, 0.0]}


def test_a_new_baseline_without_offsets_is_refused(safe: Path, tmp_path: Path) -> None:
    copy = tmp_path / "product"
    _link_tree(safe, copy)
    text = (safe / "MTD_MSIL2A.xml").read_text("utf-8")
    lines = [line for line in text.splitlines() if "BOA_ADD_OFFSET" not in line]
    (copy / "MTD_MSIL2A.xml").unlink()
    (copy / "MTD_MSIL2A.xml").write_text("\n".join(lines), "utf-8")
    with pytest.raises(InvalidInputError, match="BOA_ADD_OFFSET"):
        open_product(copy)


def test_saturated_pixels_are_not_measured() -> None:
    from skerry.products.coding.packing import Packing

    packing = Packing(np.dtype(np.uint16), np.dtype(np.float32), 1e-4, -0.1, (0, 65535))
    values = packing.decode(np.array([0, 1000, 65535], np.uint16))
    assert np.isnan(values).tolist() == [True, False, True]
    assert values[1] == 0


def test_coordinates_are_pixel_centres_in_the_tiles_system(safe: Path) -> None:
    data = open_product(safe)[R20M]
    assert data.x.to_numpy()[:2].tolist() == [399_970.0, 399_990.0]
    assert data.y.to_numpy()[:2].tolist() == [5_999_990.0, 5_999_970.0]
    assert CRS.from_cf(data.spatial_ref.attrs).to_epsg() == 32633


def test_it_is_lazy_and_can_be_sent_to_a_worker(safe: Path) -> None:
    data = open_product(safe)[R20M].to_dataset()
    assert all(variable.chunks is not None for variable in data.data_vars.values())
    sent = pickle.loads(pickle.dumps(data))  # noqa: S301 -- our own bytes
    xr.testing.assert_identical(sent.compute(scheduler="threads"), data.compute())


def test_the_stac_item_says_when_where_and_what(safe: Path) -> None:
    tree = open_product(safe)
    item = tree.attrs["stac_discovery"]
    assert item["id"] == safe.name.removesuffix(".SAFE")
    assert item["properties"]["datetime"] == "2026-05-01T10:06:01Z"
    assert item["properties"]["platform"] == "sentinel-2a"
    assert item["properties"]["proj:code"] == "EPSG:32633"
    west, south, east, north = item["bbox"]
    assert 13 < west < east < 15
    assert 53 < south < north < 55
    assert item["geometry"]["coordinates"][0][0] == item["geometry"]["coordinates"][0][-1]


def test_what_is_missing_is_said_and_the_rest_opened(safe: Path, tmp_path: Path) -> None:
    copy = tmp_path / "partial.SAFE"
    _link_tree(safe, copy)
    _band(copy, "B08", 10).unlink()
    _band(copy, "SCL", 20).unlink()
    next(copy.glob("DATASTRIP/*/MTD_DS.xml")).unlink()
    tree = open_product(copy)
    assert set(tree[R10M].data_vars) == {"b02", "b03", "b04"}
    assert tree.attrs["other_metadata"]["missing"] == [
        "datastrip metadata (DATASTRIP/*/MTD_DS.xml)",
        "measurements/reflectance/r10m/b08",
        "conditions/mask/l2a_classification/r20m/scl",
    ]


@pytest.mark.slow
def test_a_zip_archive_reads_as_the_folder_does(safe: Path, safe_zip: Path) -> None:
    packed, plain = open_product(safe_zip), open_product(safe)
    assert packed.attrs == plain.attrs
    for path in (R10M, "quality/mask/r60m", "conditions/mask/l1c_classification/r60m"):
        xr.testing.assert_identical(packed[path].to_dataset(), plain[path].to_dataset())


def test_a_folder_that_holds_the_product_is_good_enough(safe: Path) -> None:
    result = open_product(safe.parent)
    assert result.attrs["stac_discovery"]["id"] == safe.name.removesuffix(".SAFE")


def test_bits_of_quality_masks_are_packed(safe: Path) -> None:
    mask = open_product(safe)["quality/mask/r60m"]["b01"]
    scl = open_product(safe)["conditions/mask/l2a_classification/r60m"]["scl"]
    assert mask.attrs["flag_masks"] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert np.array_equal(mask.to_numpy(), np.where(scl.to_numpy() == 0, 32, 0))


def test_nothing_there() -> None:
    with pytest.raises(NotFoundError, match="no-such-product"):
        open_product("no-such-product")


def _link_tree(source: Path, target: Path) -> None:
    """Copy a folder with hard links: quick, and unlinking in the copy leaves the source alone."""
    import os
    import shutil

    shutil.copytree(source, target, copy_function=os.link)
