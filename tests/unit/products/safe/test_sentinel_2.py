"""Sentinel-2 L1C and what L1C and L2A have in common: angles, meteorology, metadata."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.safe import grib
from skerry.products.safe.product import SafeFolder
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate import simulate_s2_l1c

pytestmark = pytest.mark.slow

R10M, R60M = (f"measurements/reflectance/r{item}m" for item in (10, 60))


@pytest.fixture(scope="module")
def l1c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_s2_l1c(tmp_path_factory.mktemp("l1c"), size=120, seed=3)


def test_every_band_of_l1c_stands_where_eopf_has_it(l1c: Path) -> None:
    tree = open_product(l1c)
    assert {
        path: sorted(map(str, tree[f"measurements/reflectance/{path}"].data_vars))
        for path in ("r10m", "r20m", "r60m")
    } == {
        "r10m": ["b02", "b03", "b04", "b08"],
        "r20m": ["b05", "b06", "b07", "b11", "b12", "b8a"],
        "r60m": ["b01", "b09", "b10"],
    }
    assert tree.attrs["other_metadata"]["missing"] == []
    assert tree.attrs["stac_discovery"]["properties"]["product:type"] == "S02MSIL1C"
    assert tree["quality/l1c_quicklook/r10m/tci"].shape == (3, 120, 120)


def test_the_radiometric_offset_counts(l1c: Path) -> None:
    with rasterio.open(next(l1c.glob("GRANULE/*/IMG_DATA/*_B02.jp2"))) as source:
        raw = source.read(1)
    values = open_product(l1c)[R10M]["b02"].to_numpy()
    measured = raw > 0
    assert values[measured] == pytest.approx((raw[measured] - 1000.0) / 10_000, abs=1e-6)
    document = l1c / "MTD_MSIL1C.xml"
    assert document.read_text("utf-8").count("<RADIO_ADD_OFFSET band_id=") == 13


def test_an_angle_that_is_nan_stays_out_of_the_item(l1c: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(l1c, tmp_path / l1c.name))
    document = next(copy.glob("GRANULE/*/MTD_TL.xml"))
    text = re.sub(
        r"(<Mean_Sun_Angle>.*?<AZIMUTH_ANGLE[^>]*>)[^<]*", r"\g<1>NaN", document.read_text(),
        flags=re.DOTALL,
    )  # fmt: skip
    document.write_text(text)
    full, result = (
        open_product(place).attrs["stac_discovery"]["properties"] for place in (l1c, copy)
    )
    assert set(full) - set(result) == {"view:sun_azimuth"}


def test_the_air_is_bright_in_the_blue_and_band_10_sees_cirrus_only(l1c: Path, safe: Path) -> None:
    top, ground = open_product(l1c), open_product(safe)
    clear = top["conditions/mask/l1c_classification/r60m/b00"].to_numpy() == 0
    blue = top[R60M]["b01"].to_numpy()
    assert np.nanmedian(blue[clear]) > 0.06
    assert np.nanmedian(ground[R60M]["b01"]) < 0.05
    vapour = top[R60M]["b10"].to_numpy()
    assert np.nanpercentile(np.abs(vapour[clear]), 95) < 0.002
    assert np.nanmin(vapour[~clear]) > 0.005


def test_angles_have_names_and_keep_their_digits(l1c: Path) -> None:
    geometry = open_product(l1c)["conditions/geometry"].to_dataset()
    assert geometry["angle"].to_numpy().tolist() == ["zenith", "azimuth"]
    assert geometry["band"].to_numpy()[8] == "b8a"
    assert geometry["detector"].dtype == np.int64
    assert {variable.dtype for variable in geometry.data_vars.values()} == {np.dtype("float64")}
    sun = geometry["sun_angles"].sel(angle="zenith")
    mean = geometry["mean_sun_angles"].sel(angle="zenith")
    assert float(sun.min()) <= float(mean) + 0.1
    assert np.unique(sun).size > 3
    view = geometry["viewing_incidence_angles"].sel(angle="zenith", band="b04")
    assert float(view.max()) < 12
    assert np.isnan(view).any()


def test_detectors_of_the_footprints_are_those_of_the_angles(l1c: Path) -> None:
    tree = open_product(l1c)
    seen = np.unique(tree["conditions/mask/detector_footprint/r10m/b02"])
    assert set(seen) - {0} == set(tree["conditions/geometry/detector"].to_numpy())


def test_meteorology(l1c: Path) -> None:
    ecmwf = open_product(l1c)["conditions/meteorology/ecmwf"].to_dataset()
    cams = open_product(l1c)["conditions/meteorology/cams"].to_dataset()
    assert set(ecmwf.data_vars) == {"tcwv", "msl", "tco3", "u10", "v10", "r"}
    assert len(cams.data_vars) == 11
    assert ecmwf["tcwv"].dims == ("latitude", "longitude")
    assert (np.diff(ecmwf["latitude"]) < 0).all()
    assert float(ecmwf["tcwv"].mean()) == pytest.approx(15.0, rel=0.01)  # 1.5 cm
    assert float(cams["aod550"].mean()) == pytest.approx(0.12, rel=0.01)
    assert ecmwf["valid_time"].to_numpy() == np.datetime64("2026-05-01T10:00:00", "ns")


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-250.0, 101_325.0, 81),
        np.full(81, 0.0066),
        np.full(81, -3.5),
        np.linspace(-1e-6, 1e-6, 81),
        np.zeros(81),
    ],
)
def test_gdal_reads_the_grib_fields_that_are_written(tmp_path: Path, values: np.ndarray) -> None:
    mapping = load_mapping("sentinel_2_l2a")
    group = next(item for item in mapping.groups if item.path.endswith("ecmwf"))
    field = (("latitude", "longitude"), values.reshape(9, 9).astype(np.float32))
    data = xr.Dataset(
        dict.fromkeys(group.variables, field),
        coords={
            "latitude": np.linspace(54.0, 53.0, 9), "longitude": np.linspace(-0.5, 1.1, 9),
            "time": np.datetime64("2026-05-01T00:00", "ns"), "step": np.int64(714),
        },
    )  # fmt: skip
    names = {"GRANULE/*": "one", "AUX_ECMWF?": "AUX_ECMWFT"}
    grib.write(SafeFolder(tmp_path, mapping, names), group, data)
    with rasterio.open(tmp_path / "GRANULE/one/AUX_DATA/AUX_ECMWFT", driver="GRIB") as source:
        read = source.read(2)
        tags = source.tags(6)
        corner = source.transform * (0.5, 0.5)
    spread = float(values.max() - values.min())
    assert read == pytest.approx(values.reshape(9, 9), abs=spread / 60_000 + 1e-9, rel=1e-6)
    assert tags["GRIB_ELEMENT"] == "R"
    assert tags["GRIB_FORECAST_SECONDS"] == str(714 * 60)
    assert corner == pytest.approx((-0.5, 54.0), abs=2e-3)


def test_what_the_metadata_say(l1c: Path) -> None:
    attrs = open_product(l1c).attrs
    properties = attrs["stac_discovery"]["properties"]
    assert [property_["name"] for property_ in properties["bands"]][8] == "b8a"
    assert properties["bands"][0]["solar_illumination"] == 1884.69
    assert properties["providers"][0]["name"] == "Skerry, simulated"
    assert properties["sat:absolute_orbit"] == 50_000
    assert properties["proj:bbox"] == [399_960.0, 5_998_800.0, 401_160.0, 6_000_000.0]
    other = attrs["other_metadata"]
    assert other["band_description"]["b12"]["central_wavelength"] == 2202.4
    assert other["NUC_table_ID"] == 3
    assert other["horizontal_CRS_name"] == "WGS84 / UTM zone 33N"
    assert attrs["processing_history"]["Level-1C Product"][0]["version"] == "05.11"


def test_a_sentinel_product_of_another_type_says_so(tmp_path: Path) -> None:
    product = tmp_path / "S3A_OL_2_WFR____SIM.SEN3"
    product.mkdir()
    (product / "xfdumanifest.xml").write_text("<x/>")
    with pytest.raises(
        InvalidInputError,
        match="is a Sentinel-3 OL level 2 WFR product, which Skerry does not read",
    ) as caught:
        open_product(product)
    assert "S02MSIL1C" in str(caught.value.remedy)


def test_the_manifest_names_every_file(l1c: Path) -> None:
    from lxml import etree

    manifest = etree.parse(l1c / "manifest.safe")
    names = {
        stream.find("fileLocation").get("href"): int(stream.get("size"))
        for stream in manifest.iterfind(".//byteStream")
    }
    there = {
        f"./{path.relative_to(l1c).as_posix()}": path.stat().st_size
        for path in l1c.rglob("*")
        if path.is_file() and path.name != "manifest.safe"
    }
    assert names == there
