"""Footprints, quicklooks and cloud optimized GeoTIFFs."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from PIL import Image
from pyproj import Transformer
from shapely import get_num_coordinates
from shapely.geometry import Point, shape

from skerry.core.errors import InvalidInputError
from skerry.processors import turbidity_dogliotti2015
from skerry.products import footprint, open_product, write_cog, write_quicklook

pytestmark = pytest.mark.slow


def test_the_footprint_encloses_the_valid_data_only(safe: Path) -> None:
    data = open_product(safe)["measurements/reflectance/r10m"]
    outline = shape(footprint(open_product(safe)))
    assert outline.is_valid
    assert len(outline.exterior.coords) < 20
    to_degrees = Transformer.from_crs(32633, 4326, always_xy=True)

    def place(row: int, column: int) -> Point:
        return Point(to_degrees.transform(float(data.x[column]), float(data.y[row])))

    assert outline.contains(place(150, 150))
    assert outline.contains(place(297, 2))
    assert np.isnan(data["b04"].isel(y=2, x=297))
    assert not outline.contains(place(2, 297))


def test_a_datasets_footprint_covers_any_valid_variable(odd_dataset: xr.Dataset) -> None:
    left, right = odd_dataset.x < 405_000, odd_dataset.x > 410_000
    data = (
        odd_dataset[["turbidity"]].where(left).assign(other=odd_dataset["turbidity"].where(right))
    )
    outline = footprint(data)
    assert outline["type"] == "MultiPolygon"
    assert len(outline["coordinates"]) == 2


def test_scattered_gaps_make_no_endless_footprint(odd_dataset: xr.Dataset) -> None:
    generator = np.random.default_rng(1)
    keep = xr.zeros_like(odd_dataset["turbidity"], dtype=bool)
    for _ in range(3000):
        row, column = generator.integers(0, 1030), generator.integers(0, 772)
        keep[row : row + 4, column : column + 4] = True
    values = xr.ones_like(odd_dataset["turbidity"]).where(keep)
    outline = shape(footprint(values.to_dataset()))
    assert outline.is_valid
    assert get_num_coordinates(outline) <= 410
    west, south, east, north = outline.bounds
    assert (east - west) > 0.2
    assert (north - south) > 0.17


def test_no_valid_pixel_no_footprint(odd_dataset: xr.Dataset) -> None:
    with pytest.raises(InvalidInputError, match="no valid pixel"):
        footprint(odd_dataset[["turbidity"]].where(False))


def test_the_quicklook_is_small_and_says_simulated(safe: Path, tmp_path: Path) -> None:
    tree = open_product(safe)
    write_quicklook(tree, tmp_path / "marked.png")
    write_quicklook(tree, tmp_path / "plain.png", simulated=False)
    marked = np.asarray(Image.open(tmp_path / "marked.png"))
    plain = np.asarray(Image.open(tmp_path / "plain.png"))
    assert max(marked.shape[:2]) <= 512
    rows = np.flatnonzero((marked != plain).any(axis=(1, 2)))
    assert rows.min() > 0.8 * marked.shape[0]
    # White letters with a red outline, many of them.
    assert (marked[..., 0] > marked[..., 1].astype(int) + 100).sum() > 100
    assert plain[5, -5, 3] == 0  # the corner without data
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_true_colour_is_taken_from_red_green_blue(safe: Path, tmp_path: Path) -> None:
    tree = open_product(safe)
    write_quicklook(tree, tmp_path / "plain.png", simulated=False)
    image = np.asarray(Image.open(tmp_path / "plain.png").convert("RGBA")).astype(int)
    scl = tree["conditions/mask/l2a_classification/r20m/scl"].to_numpy()
    edge = np.linspace(0, 149, image.shape[0]).round().astype(int)
    classes = scl[np.ix_(edge, edge)]
    cloud = np.median(image[classes == 9], axis=0)
    water = np.median(image[classes == 6], axis=0)
    assert (cloud[:3] > 240).all()
    assert water[1] > water[0]


def test_radiance_has_true_colour_whatever_the_bands_are_called(tmp_path: Path) -> None:
    """Each band is white at the end of its range, so that clouds do not darken the rest."""
    whites = {"oa04_radiance": 130.0, "oa06_radiance": 120.0, "oa08_radiance": 100.0}
    bands = {
        name: (
            ("y", "x"),
            np.array([[white, white / 2], [0.0, np.nan]], np.float32),
            {"units": "mW.m-2.sr-1.nm-1", "display_max": white},
        )
        for name, white in whites.items()
    }
    write_quicklook(xr.Dataset(bands), tmp_path / "olci.png", simulated=False)
    image = np.asarray(Image.open(tmp_path / "olci.png"))
    assert image[0, 0].tolist() == [255, 255, 255, 255]
    assert image[0, 1, 0] == image[0, 1, 2]
    assert image[1, 0].tolist() == [0, 0, 0, 255]
    assert image[1, 1, 3] == 0


def test_the_named_variable_is_drawn_rather_than_the_first(tmp_path: Path) -> None:
    numbers = np.linspace(0, 1, 400).reshape(20, 20)
    data = xr.Dataset({"vh": (("y", "x"), numbers * 0), "vv": (("y", "x"), numbers)})
    write_quicklook(data, tmp_path / "vv.png", drawn_first=["hh", "vv"])
    assert len(Image.open(tmp_path / "vv.png").convert("RGB").getcolors() or []) > 50


def test_a_single_variable_is_drawn_in_its_palette(safe: Path, tmp_path: Path) -> None:
    data = open_product(safe)["measurements/reflectance/r20m"]
    turbidity = turbidity_dogliotti2015(data["b04"], data["b8a"])
    write_quicklook(turbidity.to_dataset(), tmp_path / "t.png", simulated=True)
    image = Image.open(tmp_path / "t.png")
    assert image.size == (150, 150)
    colours = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 50


def test_classes_are_drawn_in_their_colours(safe: Path, tmp_path: Path) -> None:
    scl = open_product(safe)["conditions/mask/l2a_classification/r20m/scl"]
    write_quicklook(scl.to_dataset(name="scl"), tmp_path / "scl.png")
    image = np.asarray(Image.open(tmp_path / "scl.png").convert("RGB"))
    assert (image[scl.to_numpy() == 6] == (0, 0, 255)).all()


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError):
        write_quicklook(xr.Dataset(), tmp_path / "none.png")


def test_a_packed_band_becomes_a_packed_cog(safe: Path, tmp_path: Path) -> None:
    band = open_product(safe)["measurements/reflectance/r10m"]["b04"]
    write_cog(band, tmp_path / "b04.tif")
    with rasterio.open(tmp_path / "b04.tif") as source:
        assert source.dtypes == ("uint16",)
        assert source.nodata == 0
        assert source.scales == (1e-4,)
        assert source.offsets == (-0.1,)
        assert source.crs.to_epsg() == 32633
        assert tuple(source.transform[:6]) == (10.0, 0.0, 399_960.0, 0.0, -10.0, 6_000_000.0)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        raw = source.read(1, masked=True)
    values = raw.astype(np.float64).filled(np.nan) * 1e-4 - 0.1
    np.testing.assert_allclose(values, band.to_numpy(), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["b04.tif"]


def test_floats_become_a_cog_with_overviews(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_cog(odd_dataset["turbidity"], tmp_path / "t.tif")
    with rasterio.open(tmp_path / "t.tif") as source:
        assert source.overviews(1)
        assert np.isnan(source.nodata)
        assert source.units == ("FNU",)
        np.testing.assert_array_equal(source.read(1), odd_dataset["turbidity"])


def test_gaps_take_the_nodata_that_was_asked_for(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_cog(odd_dataset["turbidity"], tmp_path / "t.tif", nodata=-9999)
    with rasterio.open(tmp_path / "t.tif") as source:
        values = source.read(1, masked=True)
    assert not np.isnan(values.data).any()
    np.testing.assert_array_equal(values.mask, np.isnan(odd_dataset["turbidity"]))


def test_a_cog_says_what_it_is(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    turbidity = odd_dataset["turbidity"].assign_attrs(comment="Indicative only")
    write_cog(turbidity, tmp_path / "t.tif", description="Simulated: odd sizes")
    with rasterio.open(tmp_path / "t.tif") as source:
        assert source.tags()["TIFFTAG_IMAGEDESCRIPTION"] == "Simulated: odd sizes"
        assert source.tags(1)["comment"] == "Indicative only"
        assert source.tags(1)["long_name"] == "turbidity"


def test_a_cog_can_be_packed_as_asked(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    write_cog(odd_dataset["turbidity"], tmp_path / "t.tif", scale=0.01, offset=0, nodata=-32768)
    with rasterio.open(tmp_path / "t.tif") as source:
        assert source.dtypes == ("int16",)
        values = source.read(1, masked=True) * 0.01
    np.testing.assert_allclose(values.filled(np.nan), odd_dataset["turbidity"], atol=0.0051)


def test_classes_become_a_cog_without_averages(odd_dataset: xr.Dataset, tmp_path: Path) -> None:
    classes = odd_dataset["scl"].copy(data=np.where(odd_dataset["scl"] < 6, 1, 11).astype("u1"))
    write_cog(classes, tmp_path / "c.tif")
    with rasterio.open(tmp_path / "c.tif", overview_level=0) as source:
        assert set(np.unique(source.read(1))) <= {1, 11}


def test_no_cog_of_something_without_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="georeferenced"):
        write_cog(xr.DataArray(np.zeros((2, 2)), dims=("y", "x"), name="v"), tmp_path / "v.tif")
