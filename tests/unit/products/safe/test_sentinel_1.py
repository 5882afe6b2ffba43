"""Sentinel-1 IW GRD: simulated, written as SAFE, and read again."""

import json
import re
import shutil
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from lxml import etree

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product
from skerry.products.safe.files import list_folder
from skerry.products.safe.members import unfold
from skerry.products.safe.product import SafeFolder, load_format
from skerry.products.safe.reading import assemble
from skerry.products.safe.sentinel_1 import members_of_tree
from skerry.products.safe.sentinel_1_names import compute_product_id
from skerry.products.sensors.mapping import load_mapping
from skerry.products.writing import write_product
from skerry.simulate.scene import Scene
from skerry.simulate.sentinel_1.orbit import Orbit, fly_over
from skerry.simulate.sentinel_1.product import simulate_s1_iw_grd

pytestmark = pytest.mark.slow

SIZE = 90
WITHOUT_POINTS = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
"""For images to which no ground control points were added."""


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return simulate_s1_iw_grd(tmp_path_factory.mktemp("s1"), size=SIZE, seed=3)


@pytest.fixture(scope="module")
def tree(product):
    return open_product(product)


@pytest.mark.parametrize(
    "chosen",
    [{"ground_range": slice(None, None, 2)}, {"azimuth_time": -1},
     {"azimuth_time": slice(None, None, -3), "ground_range": 7}],
)  # fmt: skip
def test_a_part_of_a_picture_is_that_of_its_values(tree, chosen):
    grd = _member(tree, "VV")["measurements/grd"]
    part = grd.isel(chosen)
    np.testing.assert_array_equal(part.data.compute(), grd.compute().isel(chosen))


@pytest.fixture
def copy(product, tmp_path):
    return Path(shutil.copytree(product, tmp_path / product.name))


def _member(tree, polarisation):
    return next(item for name, item in tree.children.items() if name.endswith(polarisation))


def _find(product, pattern):
    return next(product.glob(pattern))


def test_the_members_are_named_after_cycle_and_data_take(product, tree):
    _, _, _, _, start, _, _, datatake, identifier, _ = product.name.split("_")
    stem = f"S01SIWGRD_{start}_0000_A350_{identifier}_{datatake}"
    seconds = {name.split("_")[2] for name in tree.children}
    assert seconds <= {"0000", "0001"}
    assert [name.replace("_0001_", "_0000_") for name in tree.children] == [
        f"{stem}_VH",
        f"{stem}_VV",
    ]


def test_the_members_carry_the_letter_of_their_unit(copy):
    manifest = copy / "manifest.safe"
    text = manifest.read_text()
    manifest.write_text(
        text.replace("<safe:number>A</safe:number>", "<safe:number>C</safe:number>")
    )
    assert all("_C350_" in name for name in open_product(copy).children)


def test_a_leap_second_is_the_second_after_it(copy):
    for file in copy.glob("annotation/*.xml"):
        text = re.sub(
            r"(<productFirstLineUtcTime>)[^<]*",
            r"\g<1>2016-12-31T23:59:60.500000",
            file.read_text(),
        )
        file.write_text(text)
    tree = open_product(copy)
    times = _member(tree, "VV")["measurements"]["azimuth_time"].to_numpy()
    assert times[0] == np.datetime64("2017-01-01T00:00:00.5")


def test_the_id_is_the_checksum_of_the_manifest(product):
    """The product specification names CRC-16; 123456789 has the published check value."""
    assert compute_product_id(b"123456789") == "29B1"
    assert compute_product_id((product / "manifest.safe").read_bytes()) in product.name


def test_a_renamed_product_has_the_same_members(product, tree, tmp_path):
    renamed = Path(shutil.copytree(product, tmp_path / "renamed.SAFE"))
    assert list(open_product(renamed).children) == list(tree.children)


def test_nothing_is_read_before_it_is_asked_for(copy):
    tree = open_product(copy)
    grd = _member(tree, "VV")["measurements/grd"]
    assert grd.chunks is not None
    _find(copy, "measurement/*-vv-*.tiff").unlink()
    with pytest.raises(InvalidInputError, match=r"-vv-.*tiff"):
        grd.compute()


def test_the_image_is_the_file(product, tree):
    for polarisation in ("vv", "vh"):
        with rasterio.open(_find(product, f"measurement/*-{polarisation}-*.tiff")) as source:
            expected = source.read(1)
            points, crs = source.gcps
        member = _member(tree, polarisation.upper())
        grd = member["measurements/grd"]
        np.testing.assert_array_equal(grd, expected)
        assert (grd.dtype, grd.encoding["dtype"]) == (np.uint16, np.uint16)
        gcp = member["conditions/gcp"].to_dataset()
        assert crs.to_epsg() == 4326
        assert len(points) == gcp.latitude.size
        assert points[-1].x == pytest.approx(float(gcp.longitude[-1, -1]), abs=1e-9)


@WITHOUT_POINTS
def test_writing_the_tree_again_gives_the_same_tree(product, tree, tmp_path):
    mapping = load_mapping("sentinel_1_iw_grd")
    groups = unfold(mapping, members_of_tree(tree)).groups
    files = list_folder(product)
    parts = {group.file: files.find(group.file).rpartition("/")[2] for group in groups}
    folder = SafeFolder(tmp_path / product.name, mapping, parts)
    for group in groups:
        data = tree[group.path].to_dataset()
        load_format(group.format).write(folder, group, data)
    shutil.copyfile(product / "manifest.safe", folder.root / "manifest.safe")
    for path in product.glob("annotation/*.xml"):
        again = folder.root / "annotation" / path.name
        written = etree.parse(again)
        # Size and times of the image are not records: the simulator's frame has them.
        written.getroot().append(etree.parse(path).find("imageAnnotation"))
        written.write(again)
    result = assemble(list_folder(folder.root), mapping)
    for group in groups:
        xr.testing.assert_identical(result[group.path].to_dataset(), tree[group.path].to_dataset())


def test_a_zip_archive_opens_to_the_same_values(product, tree, tmp_path):
    archive = tmp_path / f"{product.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(product.rglob("*")):
            if path.is_file():
                target.write(path, Path(product.name, path.relative_to(product)).as_posix())
    opened = open_product(archive)
    for group in tree.groups:
        xr.testing.assert_identical(opened[group].to_dataset(), tree[group].to_dataset())


@pytest.mark.parametrize(
    ("polarisations", "code"), [(("VV",), "1SSV"), (("HH", "HV"), "1SDH"), (("HH",), "1SSH")]
)
def test_other_polarisations(tmp_path, polarisations, code):
    result = simulate_s1_iw_grd(tmp_path, size=60, polarisations=polarisations)
    tree = open_product(result)
    assert f"_{code}_" in result.name
    assert tuple(sorted(name[-2:] for name in tree.children)) == polarisations
    assert tree.attrs["other_metadata"]["missing"] == []
    properties = tree.attrs["stac_discovery"]["properties"]
    assert sorted(properties["sar:polarizations"]) == list(polarisations)


def test_a_partial_product_says_what_it_lacks(copy):
    _find(copy, "measurement/*-vh-*.tiff").unlink()
    _find(copy, "annotation/calibration/noise-*-vv-*.xml").unlink()
    tree = open_product(copy)
    missing = tree.attrs["other_metadata"]["missing"]
    vh, vv = tree.children
    assert f"{vh}/measurements/grd" in missing
    assert f"{vv}/quality/noise_range/noise_range_lut" in missing
    assert not [item for item in missing if "calibration" in item]
    assert "noise_range" not in tree[f"{vv}/quality"].children
    assert tree[f"{vv}/measurements/grd"].shape == (SIZE, SIZE)


def test_a_polarisation_without_annotation_is_missing(copy):
    for path in copy.rglob("*-vh-*"):
        path.unlink()
    tree = open_product(copy)
    assert [name[-2:] for name in tree.children] == ["VV"]
    assert any("_VH/measurements/grd" in attr for attr in tree.attrs["other_metadata"]["missing"])


def test_an_image_without_annotation_still_opens(copy):
    _find(copy, "annotation/*-vh-*.xml").unlink()
    tree = open_product(copy)
    assert _member(tree, "VH")["measurements/grd"].shape == (SIZE, SIZE)
    assert any("_VH/conditions/gcp" in attr for attr in tree.attrs["other_metadata"]["missing"])


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5])
def test_a_truncated_image_is_missing_and_the_other_polarisation_opens(copy, kept):
    image = _find(copy, "measurement/*-vv-*.tiff")
    data = image.read_bytes()
    image.write_bytes(data[: int(len(data) * kept)])
    tree = open_product(copy)
    other = tree.attrs["other_metadata"]
    vh, vv = tree.children
    assert f"{vv}/measurements/grd" in other["missing"]
    assert len(other["unhealed"]) == 1
    assert image.name in other["unhealed"][0]
    assert tree[f"{vh}/measurements/grd"].shape == (SIZE, SIZE)
    assert "grd" not in tree[f"{vv}/measurements"].data_vars


@pytest.mark.parametrize("folder", ["annotation", "annotation/calibration"])
def test_a_truncated_document_is_refused(copy, folder):
    document = _find(copy, f"{folder}/*.xml")
    document.write_bytes(document.read_bytes()[:-200])
    with pytest.raises(InvalidInputError, match="not well-formed"):
        open_product(copy)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<sigmaNought count=", "<sigmaNought bad='x' >x </sigmaNought><a count="),
        ("<line>0</line>", "<line>first</line>"),
    ],
)
def test_numbers_that_are_none_are_refused(copy, old, new):
    document = _find(copy, "annotation/calibration/calibration-*-vv-*.xml")
    text = document.read_text()
    assert old in text
    changed = text.replace(old, new, 1)
    if "<a " in new:
        changed = changed.replace("</sigmaNought>", "</sigmaNought>", 1)
        place = changed.index("<a count=")
        changed = changed[:place] + changed[place:].replace("</sigmaNought>", "</a>", 1)
    document.write_text(changed)
    with pytest.raises(InvalidInputError, match="calibrationVector"):
        open_product(copy)


def test_points_that_make_no_grid_are_refused(copy):
    document = _find(copy, "annotation/*-vv-*.xml")
    text = document.read_text()
    begin = text.index("<geolocationGridPoint>")
    end = text.index("</geolocationGridPoint>") + len("</geolocationGridPoint>")
    document.write_text(text[:begin] + text[end:])
    with pytest.raises(InvalidInputError, match="geolocationGrid"):
        open_product(copy)


def test_an_image_of_another_size_than_its_annotation_is_refused(copy):
    document = _find(copy, "annotation/*-vv-*.xml")
    text = document.read_text()
    document.write_text(text.replace(f"<numberOfLines>{SIZE}<", f"<numberOfLines>{SIZE + 1}<"))
    with pytest.raises(InvalidInputError, match="measurements"):
        open_product(copy)


@WITHOUT_POINTS
def test_an_image_of_other_numbers_is_refused(copy):
    image = _find(copy, "measurement/*-vv-*.tiff")
    with rasterio.open(
        image, "w", driver="GTiff", width=SIZE, height=SIZE, count=1, dtype="float32", crs=4326
    ) as sink:
        sink.write(np.ones((1, SIZE, SIZE), np.float32))
    with pytest.raises(InvalidInputError, match="float32"):
        open_product(copy)


def test_a_product_of_another_mode_is_refused(copy):
    """An extra wide swath is not read as an interferometric one."""
    for path in sorted(copy.rglob("*-iw-*")):
        path.rename(path.with_name(path.name.replace("-iw-", "-ew-")))
    with pytest.raises(InvalidInputError):
        open_product(copy)


def test_noise_of_products_before_2018_is_read(copy):
    """IPF before 2.90 wrote noiseVector and noiseLut, and no azimuth vectors."""
    document = _find(copy, "annotation/calibration/noise-*-vv-*.xml")
    text = document.read_text().partition("<noiseAzimuthVectorList")[0] + "</noise>"
    text = text.replace("noiseRangeVector", "noiseVector").replace("noiseRangeLut", "noiseLut")
    document.write_text(text)
    tree = open_product(copy)
    assert "noise_range_lut" in _member(tree, "VV")["quality/noise_range"]
    assert "noise_azimuth" not in _member(tree, "VV")["quality"].children
    assert tree.attrs["other_metadata"]["missing"] == []


def test_the_attributes_describe_the_product(tree):
    item = tree.attrs["stac_discovery"]
    properties = item["properties"]
    assert item["bbox"][0] < 14.3 < item["bbox"][2]
    assert properties["sat:relative_orbit"] == 87
    assert properties["platform"] == "sentinel-1a"
    assert tree.attrs["other_metadata"]["simulated"] is True
    assert tree.attrs["title"].startswith("SIMULATED")
    own = _member(tree, "VV").attrs["stac_discovery"]
    assert own["properties"]["view:incidence_angle"] == pytest.approx(39.2, abs=0.01)
    assert own["properties"]["sar:polarizations"] == ["VV"]
    json.dumps(tree.attrs, allow_nan=False)


def test_the_same_arguments_give_the_same_pixels(product, tmp_path):
    again = simulate_s1_iw_grd(tmp_path, size=SIZE, seed=3)
    assert again.name == product.name
    for path in product.rglob("*"):
        if path.is_file():
            assert (again / path.relative_to(product)).read_bytes() == path.read_bytes()
    with pytest.raises(ConflictError):
        simulate_s1_iw_grd(tmp_path, size=SIZE, seed=3)


@pytest.mark.parametrize(
    "wrong", [{"size": 10}, {"size": 30_000}, {"polarisations": ("VV", "HH")}, {"day": "soon"}]
)
def test_wrong_arguments_are_refused(tmp_path, wrong):
    with pytest.raises(InvalidInputError):
        simulate_s1_iw_grd(tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_the_truth_is_that_of_the_scene(product):
    truth = xr.open_dataset(
        product.with_name(f"{product.stem}.truth.nc"), engine="h5netcdf", decode_coords=False
    )
    day = date.fromisoformat(product.name.split("_")[4][:8])
    scene = Scene.over(3, day, truth.longitude, truth.latitude)
    fields = scene.sample(truth.longitude, truth.latitude)
    # Coordinates are kept as float32: a pixel at a shore may fall on the other side.
    assert (fields.water == truth.water).mean() > 0.99
    assert truth.attrs["title"].startswith("SIMULATED")


def test_the_orbit_is_a_sentinel_1_orbit():
    """Sentinel-1: 98.6 minutes, 7.6 km/s over the turning Earth, 693 km high at the equator."""
    orbit = Orbit(0.0, 0.0)
    assert np.linalg.norm(orbit.position(np.array(0.0))) - 6_378_137 == pytest.approx(
        693e3, rel=1e-3
    )
    assert np.linalg.norm(orbit.velocity(np.array(0.0))) == pytest.approx(7.6e3, rel=0.01)


def test_points_lie_at_right_angles_to_the_flight_on_the_ellipsoid():
    from pyproj import Geod, Transformer

    image = fly_over(
        14.3, 53.65, lines=1000, samples=20_000, spacing_m=10.0, centre_incidence=0.684
    )
    line, sample = np.array([0.0, 999.0])[:, None], np.linspace(0, 19_999, 5)
    sight = image.see(line, sample)
    time = image.time_of(line)
    ray = sight.point - image.orbit.position(time)
    velocity = image.orbit.velocity(time)
    doppler = (ray * velocity).sum(-1) / sight.slant_range / np.linalg.norm(velocity, axis=-1)
    assert np.abs(doppler).max() < 1e-9
    to_earth = Transformer.from_crs(4979, 4978, always_xy=True)
    points = to_earth.transform(sight.longitude, sight.latitude, np.zeros(sight.longitude.shape))
    np.testing.assert_allclose(np.stack(points, -1), sight.point, atol=1e-3)
    geod = Geod(ellps="WGS84")
    _, _, across = geod.inv(
        sight.longitude[0, 0], sight.latitude[0, 0], sight.longitude[0, -1], sight.latitude[0, -1]
    )
    # Look angles are those of the middle line: elsewhere the spacing differs by 1 in 10,000.
    assert across == pytest.approx(199_990, rel=1e-4)
    assert float(image.see(np.array([499.5]), np.array([9999.5])).longitude[0]) == pytest.approx(
        14.3
    )


@pytest.mark.parametrize("form", ["eopf-zarr", "eopf-zarr-v2", "netcdf"])
def test_other_formats_give_the_same_product(tree, tmp_path, form):
    path = tmp_path / ("product.nc" if form == "netcdf" else "product.zarr")
    write_product(tree, path, form=form)
    again = open_product(path)
    assert sorted(again.groups) == sorted(tree.groups)
    for group in tree.groups:
        xr.testing.assert_identical(again[group].to_dataset(), tree[group].to_dataset())


@pytest.mark.parametrize("form", ["geozarr", "cog"])
def test_formats_of_grids_refuse_a_swath(tree, tmp_path, form):
    with pytest.raises(InvalidInputError, match=r"no raster.*Regrid a swath first"):
        write_product(tree, tmp_path / "out", form=form)
    assert not list(tmp_path.iterdir())
