"""Sentinel-3 SLSTR L1 RBT: the simulated product opens whole, lazily, as the mapping says."""

import shutil
import zipfile
from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.slstr.product import simulate_slstr_rbt

pytestmark = pytest.mark.long

SIZE = 80
GROUPS = ("anadir", "aoblique", "bnadir", "boblique", "inadir", "ioblique", "fnadir", "foblique")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slstr_rbt(tmp_path_factory.mktemp("slstr"), size=SIZE, seed=4)


@pytest.fixture(scope="module")
def tree(product: Path) -> xr.DataTree:
    return open_product(product)


@pytest.fixture
def copy(product: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may break."""
    return Path(shutil.copytree(product, tmp_path / product.name))


def test_every_variable_of_a_real_product_is_there(tree: xr.DataTree) -> None:
    names = [f"{node.path}/{name}" for node in tree.subtree for name in node.variables]
    assert len(names) == 921
    assert tree.attrs["other_metadata"]["missing"] == []
    assert set(tree["measurements"].children) == set(GROUPS)
    for path, count in {
        "/measurements/anadir": 12,
        "/measurements/boblique/orphan": 8,
        "/quality/inadir": 7,
        "/conditions/instrument/ioblique/s7": 27,
        "/conditions/instrument/fnadir/f1": 24,
        "/conditions/instrument/bnadir/s4": 16,
        "/conditions/meteorology": 26,
        "/conditions/viscal": 36,
    }.items():
        assert len(tree[path].variables) == count, path


def test_the_grids_fit_each_other(tree: xr.DataTree) -> None:
    sizes = {name: dict(tree[f"measurements/{name}"].sizes) for name in GROUPS}
    assert sizes["anadir"] == {"rows": SIZE, "columns": SIZE} == sizes["bnadir"]
    assert sizes["inadir"] == {"rows": SIZE // 2, "columns": SIZE // 2} == sizes["fnadir"]
    assert sizes["aoblique"] == {"rows": SIZE, "columns": 2 * sizes["ioblique"]["columns"]}
    fine, coarse = tree["measurements/anadir"], tree["measurements/inadir"]
    for name in ("x", "y", "latitude"):
        mean = fine[name].coarsen(rows=2, columns=2).mean()  # type: ignore[attr-defined]
        np.testing.assert_allclose(mean, coarse[name], atol=1e-5 if name == "latitude" else 1)


def test_the_views_see_the_same_ground(tree: xr.DataTree) -> None:
    nadir, oblique = tree["measurements/inadir"], tree["measurements/ioblique"]
    first = int(np.argmax(nadir["x"][0].values == float(oblique["x"][0, 0])))
    inside = nadir["longitude"][:, first : first + oblique.sizes["columns"]]
    np.testing.assert_allclose(inside, oblique["longitude"], atol=1e-6)


def test_packed_numbers_become_values_and_keep_their_packing(tree: xr.DataTree) -> None:
    radiance = tree["measurements/anadir/s1_radiance_an"]
    assert radiance.dtype == np.float32
    assert radiance.encoding["dtype"] == "int16"
    assert radiance.encoding["_FillValue"] == -32768
    assert radiance.attrs["units"] == "mW.m-2.sr-1.nm-1"
    numbers = (radiance / radiance.encoding["scale_factor"]).values
    filled = numbers[np.isfinite(numbers)]
    np.testing.assert_allclose(filled, np.rint(filled), atol=2e-3)
    assert np.isnan(radiance[0, 0])
    assert tree["measurements/inadir/s8_bt_in"].encoding["add_offset"] == 283.73
    assert tree["measurements/anadir"]["latitude"].dtype == np.float64


def test_times_are_times(tree: xr.DataTree) -> None:
    stamp = tree["measurements/inadir/time_stamp"]
    assert stamp.dtype == np.dtype("datetime64[ns]")
    assert np.all(np.diff(stamp.values) > np.timedelta64(0, "ns"))
    day = tree.attrs["stac_discovery"]["properties"]["datetime"][:10]
    assert str(stamp.values[0])[:10] == day
    series = tree["conditions/meteorology"].indexes["t_series"]
    assert series[1] - series[0] == np.timedelta64(3, "h")


def test_weather_leaves_out_the_dimensions_of_one(tree: xr.DataTree, product: Path) -> None:
    weather = tree["conditions/meteorology"]
    assert weather["dew_point_tp"].dims == ("rows", "columns")
    assert weather["u_wind_tp"].dims == ("t_series", "rows", "columns")
    assert weather["specific_humidity_tp"].attrs["parameter"] == "133"
    with h5netcdf.File(product / "met_tx.nc", "r") as file:
        assert file.variables["dew_point_tx"].dimensions == (
            "t_single", "z_atmos", "rows", "columns",
        )  # fmt: skip


def test_attributes_come_from_manifest_and_files(tree: xr.DataTree, product: Path) -> None:
    item, other = tree.attrs["stac_discovery"], tree.attrs["other_metadata"]
    assert item["id"] == tree.name == product.name.removesuffix(".SEN3")
    assert item["properties"]["platform"] == "sentinel-3a"
    assert item["properties"]["product:timeliness"] == "P1M"
    assert item["properties"]["bands"][7]["eo:center_wavelength"] == pytest.approx(10.854)
    shapes = {
        entry["name"]: (entry["rows"], entry["columns"])
        for entry in item["properties"]["proj:shape"]
    }
    assert shapes["nadir 1 km"] == (SIZE // 2, SIZE // 2)
    west, south, east, north = item["bbox"]
    longitude = tree["measurements/anadir"]["longitude"]
    assert west <= float(longitude.min()) + 0.01
    assert float(longitude.max()) - 0.01 <= east
    assert south < north
    assert other["voltage_gain_applied_to_detector_signal_s1_an"] == 1.0
    assert other["an_scan_period_in_microseconds"] == 299985
    assert other["ephemeris"]["start"]["velocity"]["z"] == 7366.5
    assert other["simulated"] is True
    assert "SIMULATED" in tree.attrs["title"]
    start = np.datetime64(item["properties"]["start_datetime"].removesuffix("Z"), "us")
    assert other["calibration_time"] == start.astype(np.int64)


def test_opening_reads_no_image(tree: xr.DataTree) -> None:
    for node in tree.subtree:
        for name, variable in node.variables.items():
            if name not in node.xindexes:
                assert variable.chunks is not None, f"{node.path}/{name}"


def test_what_is_written_back_is_the_same(product: Path, tmp_path: Path) -> None:
    tree = open_product(product).load()
    again = write_safe(
        tree, tmp_path / f"{tree.name}.SEN3", load_mapping("sentinel_3_slstr_rbt"), {},
        skeletons={"manifest": b"<XFDU/>"},
    )  # fmt: skip
    other = open_product(again).load()
    assert other.groups == tree.groups
    for node in tree.subtree:
        one, two = (each.to_dataset(inherit=False) for each in (node, other[node.path]))
        xr.testing.assert_identical(one.drop_attrs(deep=False), two.drop_attrs(deep=False))
        for name, variable in one.variables.items():
            assert variable.encoding == two[name].encoding, f"{node.path}/{name}"
    for key in ("geometry", "bbox", "id"):
        assert other.attrs["stac_discovery"][key] == tree.attrs["stac_discovery"][key]


def test_a_zip_archive_opens_the_same(product: Path, tree: xr.DataTree, tmp_path: Path) -> None:
    archive = tmp_path / f"{product.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(product.iterdir()):
            target.write(path, f"{product.name}/{path.name}")
    zipped = open_product(archive)
    assert zipped.groups == tree.groups
    name = "measurements/ioblique/s9_bt_io"
    np.testing.assert_array_equal(zipped[name], tree[name])


def test_a_missing_file_is_listed(copy: Path) -> None:
    (copy / "S2_radiance_ao.nc").unlink()
    (copy / "viscal.nc").unlink()
    partial = open_product(copy)
    missing = partial.attrs["other_metadata"]["missing"]
    assert {item for item in missing if "viscal" not in item} == {
        "measurements/aoblique/s2_radiance_ao",
        "measurements/aoblique/orphan/s2_radiance",
        "quality/aoblique/s2_exception_ao",
        "quality/aoblique/orphan/s2_exception",
    }
    assert len(missing) == 40
    assert "conditions/viscal" not in partial
    assert "calibration_time" not in partial.attrs["other_metadata"]
    assert "s1_radiance_ao" in partial["measurements/aoblique"]


def test_a_truncated_file_is_missing(copy: Path) -> None:
    file = copy / "S8_BT_in.nc"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    other = open_product(copy).attrs["other_metadata"]
    assert "measurements/inadir/s8_bt_in" in other["missing"]
    assert "S8_BT_in.nc" in other["unhealed"][0]


def test_sizes_that_contradict_each_other_are_refused(copy: Path) -> None:
    file = copy / "S1_radiance_an.nc"
    file.unlink()
    with h5netcdf.File(file, "w") as small:
        small.dimensions = {"rows": 10, "columns": SIZE}
        small.create_variable("S1_radiance_an", ("rows", "columns"), np.int16)
    with pytest.raises(InvalidInputError, match="rows"):
        open_product(copy)


def test_a_manifest_without_times_is_refused(copy: Path) -> None:
    manifest = copy / "xfdumanifest.xml"
    text = manifest.read_text()
    manifest.write_text(text.replace("startTime>", "noTime>"))
    with pytest.raises(InvalidInputError, match="startTime"):
        open_product(copy)


def test_another_sensors_files_are_not_an_slstr_product(copy: Path) -> None:
    for pattern in ("S?_*.nc", "F?_*.nc"):
        for path in copy.glob(pattern):
            path.unlink()
    with pytest.raises(
        InvalidInputError, match="has the name of a Sentinel-3 SLSTR L1 RBT product, and has no"
    ):
        open_product(copy)


def test_simulating_twice_is_refused_and_sizes_are_checked(product: Path, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="exists already"):
        simulate_slstr_rbt(product.parent, size=SIZE, seed=4)
    for size in (81, 10, 3002):
        with pytest.raises(InvalidInputError, match=str(size)):
            simulate_slstr_rbt(tmp_path, size=size)
    with pytest.raises(InvalidInputError):
        simulate_slstr_rbt(tmp_path, size=SIZE, day="yesterday")
