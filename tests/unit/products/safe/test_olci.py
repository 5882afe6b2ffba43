"""OLCI Level 1 products: simulated as SAFE, read as a tree, written again."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
import xarray as xr

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product
from skerry.products.safe import hdf5, netcdf
from skerry.products.safe.files import list_folder
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.atmosphere import rayleigh_thickness
from skerry.simulate.olci.bands import BANDS
from skerry.simulate.olci.grid import RESOLUTIONS, Grid
from skerry.simulate.olci.manifest import make_skeleton
from skerry.simulate.olci.optics import model_toa_reflectance
from skerry.simulate.olci.product import Image, simulate_olci

pytestmark = pytest.mark.slow

SIZE = 70
ORPHANS = ("measurements/orphans", "conditions/orphans", "quality/orphans")


@pytest.fixture(scope="module")
def efr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_olci(tmp_path_factory.mktemp("efr"), size=SIZE, seed=3, day="2026-05-01")


@pytest.fixture(scope="module")
def tree(efr: Path) -> xr.DataTree:
    return open_product(efr)


@pytest.fixture(scope="module")
def image() -> Image:
    from datetime import UTC, datetime

    return Image(Grid(SIZE, RESOLUTIONS["efr"], datetime(2026, 5, 1, 9, 20, 30, tzinfo=UTC)), 3)


def _copy(product: Path, to: Path) -> Path:
    return Path(shutil.copytree(product, to / product.name))


def _raw(product: Path, file: str, name: str) -> Any:
    with h5py.File(product / file) as source:
        return source[name][()]


def test_the_tree_has_every_variable_with_its_dimensions_and_types(tree: xr.DataTree) -> None:
    assert sum(len(node.variables) for node in tree.subtree) == 137
    assert {node.path: len(node.data_vars) for node in tree.subtree if node.data_vars} == {
        "/measurements": 21, "/measurements/orphans": 21, "/quality": 22, "/quality/orphans": 22,
        "/conditions/image": 2, "/conditions/geometry": 4, "/conditions/instrument": 4,
        "/conditions/meteorology": 6, "/conditions/orphans": 4,
    }  # fmt: skip
    expected = {
        "measurements/oa21_radiance": ("rows columns", "float32"),
        "measurements/latitude": ("rows columns", "float64"),
        "measurements/altitude": ("rows columns", "float32"),
        "measurements/time_stamp": ("rows", "datetime64[ns]"),
        "measurements/orphans/removed_pixels": ("removed_pixels", "int64"),
        "quality/oa01_radiance_unc": ("rows columns", "float32"),
        "quality/quality_flags": ("rows columns", "uint32"),
        "conditions/image/detector_index": ("rows columns", "float64"),
        "conditions/orphans/frame_offset": ("rows removed_pixels", "float32"),
        "conditions/orphans/nb_removed_pixels": ("rows", "uint16"),
        "conditions/orphans/sza": ("rows removed_pixels", "float64"),
        "conditions/geometry/saa": ("tp_rows tp_columns", "float64"),
        "conditions/instrument/lambda0": ("bands detectors", "float32"),
        "conditions/instrument/detectors": ("detectors", "int64"),
        "conditions/meteorology/horizontal_wind": ("wind_vector tp_rows tp_columns", "float32"),
        "conditions/meteorology/atmospheric_temperature_profile": (
            "pressure_level tp_rows tp_columns", "float32",
        ),
    }  # fmt: skip
    actual = {
        path: (" ".join(map(str, tree[path].dims)), str(tree[path].dtype)) for path in expected
    }
    assert actual == expected
    assert tree["measurements"].sizes == {"rows": SIZE, "columns": SIZE}
    assert tree["conditions/geometry"].sizes == {"tp_rows": SIZE, "tp_columns": 4}


def test_values_are_the_numbers_of_the_files_unpacked(efr: Path, tree: xr.DataTree) -> None:
    numbers = _raw(efr, "Oa08_radiance.nc", "Oa08_radiance")
    values = np.where(numbers == 65535, np.nan, numbers * 0.008974685333669186)
    radiance = tree["measurements/oa08_radiance"]
    np.testing.assert_array_equal(radiance, values.astype(np.float32))
    assert radiance.encoding["dtype"] == "uint16"
    assert radiance.encoding["_FillValue"] == 65535
    assert radiance.attrs["units"] == "mW.m-2.sr-1.nm-1"
    latitude = _raw(efr, "geo_coordinates.nc", "latitude") * 1e-6
    np.testing.assert_array_equal(tree["measurements/latitude"], latitude)
    profile = _raw(efr, "tie_meteo.nc", "atmospheric_temperature_profile")
    assert profile.shape == (SIZE, 4, 25)
    np.testing.assert_array_equal(
        tree["conditions/meteorology/atmospheric_temperature_profile"], np.moveaxis(profile, 2, 0)
    )
    elapsed = _raw(efr, "time_coordinates.nc", "time_stamp")
    moments = np.datetime64("2000-01-01", "ns") + elapsed.astype("timedelta64[us]")
    np.testing.assert_array_equal(tree["quality/time_stamp"], moments)


def test_simulated_values_come_back_within_half_a_step(tree: xr.DataTree, image: Image) -> None:
    for band in BANDS[::5]:
        radiance = tree[f"measurements/{band.name}_radiance"]
        step = radiance.encoding["scale_factor"]
        np.testing.assert_allclose(radiance, image.measure(band), rtol=0, atol=0.51 * step)
    longitude, latitude = image.coordinates
    np.testing.assert_allclose(tree["measurements/longitude"], longitude, rtol=0, atol=6e-7)
    np.testing.assert_allclose(tree["measurements/latitude"], latitude, rtol=0, atol=6e-7)
    np.testing.assert_array_equal(tree["measurements/time_stamp"], image.grid.times)


def test_radiance_closes_on_the_products_own_sun_and_irradiance(
    tree: xr.DataTree, image: Image
) -> None:
    detectors = tree["conditions/image/detector_index"].to_numpy()
    seen = np.isfinite(detectors) & ~image.duplicated
    index = np.where(seen, detectors, 0).astype(int)
    for number, band in enumerate(BANDS):
        flux = tree["conditions/instrument/solar_flux"].to_numpy()[number][index]
        radiance = tree[f"measurements/{band.name}_radiance"].to_numpy()
        reflectance = np.pi * radiance / (flux * image.geometry.sun_cosine)
        expected = model_toa_reflectance(band, image.scene, image.geometry, 270)
        noise = np.abs(reflectance - expected)[seen] / expected[seen]
        assert np.median(noise) < 2 / band.signal_to_noise + 0.01


def test_flags_are_where_the_truth_says(efr: Path, tree: xr.DataTree) -> None:
    flags = tree["quality/quality_flags"]
    masks = dict(
        zip(flags.attrs["flag_meanings"].split(), flags.attrs["flag_masks"], strict=True)
    )  # fmt: skip
    assert masks["land"] == 2**31
    assert len(masks) == 13
    raised = {name: (flags.to_numpy() & mask) > 0 for name, mask in masks.items()}
    seen = ~raised["invalid"]
    radiance = tree["measurements/oa01_radiance"].to_numpy()
    np.testing.assert_array_equal(np.isfinite(radiance), seen)
    truth = efr.with_name(f"{efr.name.removesuffix('.SEN3')}.truth.nc")
    with xr.open_dataset(truth, engine="h5netcdf") as known:
        assert "SIMULATED" in known.attrs["title"]
        np.testing.assert_array_equal(raised["land"], (known["land"] == 1) & seen)
        np.testing.assert_array_equal(raised["fresh_inland_water"], (known["lake"] == 1) & seen)
        np.testing.assert_array_equal(raised["bright"], (known["cloud"] == 1) & seen)
        assert raised["coastline"].any()
        assert not (raised["coastline"] & ~raised["land"]).any()
        water = known["oa06_water_reflectance"].to_numpy()
        np.testing.assert_array_equal(np.isfinite(water), known["water"] == 1)
        assert 0 < np.nanmin(water) < np.nanmax(water) < 0.3
    repeated = np.flatnonzero(raised["duplicated"][0])
    np.testing.assert_array_equal(radiance[:, repeated], radiance[:, repeated - 1])


def test_attributes_come_from_the_manifest(tree: xr.DataTree) -> None:
    item = tree.attrs["stac_discovery"]
    properties = item["properties"]
    assert tree.name == item["id"]
    assert item["id"].startswith("S3A_OL_1_EFR____20260501T092030_20260501T092033_")
    assert item["id"].endswith("_SIM")
    assert properties["platform"] == "sentinel-3a"
    assert properties["product:timeliness"] == "PT3H"
    assert properties["proj:shape"] == [SIZE, SIZE]
    assert properties["start_datetime"] == "2026-05-01T09:20:30Z"
    start, middle, end = (
        np.datetime64(str(properties[name]).removesuffix("Z"), "us")
        for name in ("start_datetime", "datetime", "end_datetime")
    )
    assert abs((middle - start) - (end - middle)) <= np.timedelta64(1, "us")
    assert middle > start
    assert [band["name"] for band in properties["bands"]] == [band.name for band in BANDS]
    assert properties["bands"][3]["eo:center_wavelength"] == pytest.approx(0.49)
    west, south, east, north = item["bbox"]
    assert west < tree["measurements/longitude"].to_numpy().mean() < east
    assert south < tree["measurements/latitude"].to_numpy().mean() < north
    other = tree.attrs["other_metadata"]
    assert other["simulated"] is True
    assert other["missing"] == []
    assert other["data_information"]["sampling"]["columns_per_tiepoint"] == 23  # 3 x 23 + 1 columns
    assert other["ephemeris"]["stop"]["velocity"]["z"] == 7366.0
    assert tree.attrs["title"].startswith("SIMULATED")


def test_opening_reads_no_values_and_each_file_once(
    efr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[str] = []
    opened: list[str] = []
    read, start = hdf5.read_window, hdf5._open

    def read_noted(files: Any, name: str, source: str, key: Any) -> Any:
        windows.append(source)
        return read(files, name, source, key)

    def open_noted(files: Any, name: str) -> Any:
        opened.append(name)
        return start(files, name)

    monkeypatch.setattr(netcdf, "read_window", read_noted)
    monkeypatch.setattr(hdf5, "_open", open_noted)
    fresh = open_product(_copy(efr, tmp_path))
    assert windows == ["reference_pressure_level"]
    assert len(opened) == len(set(opened)) == 50
    first = fresh["measurements"].data_vars["oa12_radiance"][:1].to_numpy()
    assert np.nanmax(first) > 0
    assert windows[1:] == ["Oa12_radiance"]


def test_a_zip_archive_holds_the_same(efr: Path, tree: xr.DataTree, tmp_path: Path) -> None:
    archive = tmp_path / f"{efr.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in efr.iterdir():
            target.write(path, f"{efr.name}/{path.name}")
    zipped = open_product(archive)
    assert zipped.attrs["other_metadata"]["missing"] == []
    xr.testing.assert_identical(zipped.load(), tree)


def test_reduced_resolution_has_no_orphan_pixels(tmp_path: Path) -> None:
    tree = open_product(simulate_olci(tmp_path, kind="err", size=40, seed=3))
    assert tree.attrs["stac_discovery"]["properties"]["product:type"] == "S03OLCERR"
    assert tree.attrs["stac_discovery"]["properties"]["gsd"] == 1080
    assert tree.attrs["other_metadata"]["missing"] == []
    assert not any(path.strip("/") in ORPHANS for path in tree.groups)
    assert tree["conditions/geometry"].sizes["tp_columns"] == 4
    step = tree["measurements/time_stamp"].diff("rows").to_numpy()
    assert set(step) == {np.timedelta64(176_006, "us")}


def test_a_product_written_again_has_the_same_numbers(
    efr: Path, tree: xr.DataTree, tmp_path: Path, image: Image
) -> None:
    again = write_safe(
        tree, tmp_path / efr.name, load_mapping("sentinel_3_olci_efr"), {},
        skeletons={"manifest": make_skeleton(image.grid)},
    )  # fmt: skip
    xr.testing.assert_identical(open_product(again).load(), tree)
    for file, name in {
        "Oa03_radiance.nc": "Oa03_radiance", "Oa03_radiance_unc.nc": "Oa03_radiance_unc",
        "removed_pixels.nc": "Oa21_radiance", "tie_geometries.nc": "OZA",
        "instrument_data.nc": "frame_offset", "time_coordinates.nc": "time_stamp",
        "tie_meteo.nc": "horizontal_wind",
    }.items():  # fmt: skip
        before, after = (_raw(item, file, name) for item in (efr, again))
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


def test_a_partial_product_opens_and_says_what_is_missing(efr: Path, tmp_path: Path) -> None:
    partial = _copy(efr, tmp_path)
    for name in ("Oa05_radiance.nc", "qualityFlags.nc", "tie_meteo.nc"):
        (partial / name).unlink()
    tree = open_product(partial)
    missing = tree.attrs["other_metadata"]["missing"]
    assert "measurements/oa05_radiance" in missing
    assert "quality/quality_flags" in missing
    assert len([item for item in missing if item.startswith("conditions/meteorology/")]) == 8
    assert len(missing) == 10
    assert "oa05_radiance" not in tree["measurements"].data_vars
    assert np.isfinite(tree["measurements/oa06_radiance"].to_numpy()).any()


def test_a_truncated_file_is_named(efr: Path, tmp_path: Path) -> None:
    broken = _copy(efr, tmp_path)
    full = (broken / "Oa03_radiance.nc").read_bytes()
    (broken / "Oa03_radiance.nc").write_bytes(full[: len(full) // 2])
    result = open_product(broken)
    assert "measurements/oa03_radiance" in result.attrs["other_metadata"]["missing"]
    (message,) = result.attrs["other_metadata"]["unhealed"]
    assert message.startswith(f"damaged: Oa03_radiance.nc in {broken} is damaged")
    assert np.isfinite(result["measurements/oa04_radiance"].to_numpy()).any()


def test_damaged_values_are_named_when_read(efr: Path, tmp_path: Path) -> None:
    broken = _copy(efr, tmp_path)
    with h5py.File(broken / "Oa03_radiance.nc") as source:
        chunk = source["Oa03_radiance"].id.get_chunk_info(0)
    with (broken / "Oa03_radiance.nc").open("r+b") as target:
        target.seek(chunk.byte_offset + 10)
        target.write(b"\xff" * 50)
    tree = open_product(broken)
    with pytest.raises(InvalidInputError, match=r"Oa03_radiance\.nc in .*is damaged"):
        tree["measurements/oa03_radiance"].load()


def test_a_file_of_another_size_is_refused(efr: Path, tmp_path: Path) -> None:
    mixed = _copy(efr, tmp_path)
    other = simulate_olci(tmp_path / "other", size=SIZE - 8, seed=3)
    shutil.copyfile(other / "Oa11_radiance.nc", mixed / "Oa11_radiance.nc")
    with pytest.raises(InvalidInputError, match=r"rows = 62.*others? .*have 70|rows"):
        open_product(mixed)


def test_another_product_of_the_instrument_is_refused(efr: Path, tmp_path: Path) -> None:
    level2 = tmp_path / "S3A_OL_2_WFR____20260501T092030_SIM.SEN3"
    level2.mkdir()
    shutil.copyfile(efr / "xfdumanifest.xml", level2 / "xfdumanifest.xml")
    shutil.copyfile(efr / "Oa03_radiance.nc", level2 / "Oa03_reflectance.nc")
    with pytest.raises(
        InvalidInputError,
        match="is a Sentinel-3 OL level 2 WFR product, which Skerry does not read",
    ):
        open_product(level2)


def test_the_same_arguments_give_the_same_product(efr: Path, tmp_path: Path) -> None:
    same = simulate_olci(tmp_path, size=SIZE, seed=3, day="2026-05-01")
    other = simulate_olci(tmp_path, size=SIZE, seed=3, day="2026-05-02")
    numbers = [_raw(item, "Oa17_radiance.nc", "Oa17_radiance") for item in (efr, same, other)]
    np.testing.assert_array_equal(numbers[0], numbers[1])
    assert (numbers[0] != numbers[2]).any()
    assert set(list_folder(efr).sizes) == set(list_folder(same).sizes)
    with pytest.raises(ConflictError, match="exists already"):
        simulate_olci(tmp_path, size=SIZE, seed=3, day="2026-05-01")


@pytest.mark.parametrize(("kind", "size"), [("efr", 20), ("err", 1300), ("xfr", 100)])
def test_what_cannot_be_simulated_is_said(kind: Any, size: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        simulate_olci(tmp_path, kind=kind, size=size)


def test_the_sky_over_dark_water_is_as_bright_as_published(image: Image) -> None:
    """Clear-sky radiance over water is near ESA's reference radiances where gas does not absorb."""
    scene = image.scene
    clear = scene.water & ~scene.cloud & ~scene.cirrus & ~scene.shadow
    for band in BANDS[:12]:
        radiance = image.measure(band)[clear & ~image.invalid]
        ratio = np.median(radiance) / band.reference_radiance
        assert (0.7 if band.centre_nm < 600 else 0.45) < ratio < 1.2, band.name
    assert rayleigh_thickness(550, 1013.25) == pytest.approx(0.0973, rel=0.02)
