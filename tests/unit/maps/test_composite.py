"""True colour and values at places, against the pixels that were written."""

import io

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer
from tests.pyramids import open_pyramid

from skerry.core.errors import InvalidInputError
from skerry.maps.colour import Category, Style
from skerry.maps.point import name_class, read_point
from skerry.maps.tiles import draw_composite
from skerry.products.coding.true_colour import find_bands
from skerry.storage.chunk_cache import ChunkCache

PACKED = {"scale_factor": 0.0001, "add_offset": -0.1, "_FillValue": 0}
TRANSFORM = (10.0, 0.0, 421_000.0, 0.0, -10.0, 5_096_000.0)
TILE = (14, 8829, 5829)  # 14 degrees east, 46 north
CACHE = ChunkCache(2**24)


def to_degrees(column: float, row: float) -> tuple[float, float]:
    """Longitude and latitude of a place on the written raster, in cells from its corner."""
    transformer = Transformer.from_crs("EPSG:32633", "OGC:CRS84", always_xy=True)
    return transformer.transform(421_000 + 10 * column, 5_096_000 - 10 * row)


@pytest.fixture
def bands(write_pyramid):
    """Return red, green and blue of one colour each, but for a gap in green."""
    pyramids = []
    for name, reflectance in (("b04", 0.06), ("b03", 0.12), ("b02", 0.24)):
        values = np.full((400, 400), round((reflectance + 0.1) / 0.0001), np.uint16)
        if name == "b03":
            values[:, :200] = 0
        path = write_pyramid(values, name=name, transform=TRANSFORM, attributes=PACKED)
        pyramids.append(open_pyramid(path, name, "1"))
    return pyramids


def test_the_three_bands_become_the_three_colours(bands):
    png = draw_composite(bands, CACHE, [Style("gray", 0.0, 0.3)] * 3, TILE)
    picture = np.asarray(Image.open(io.BytesIO(png)))
    assert picture.shape == (256, 256, 4)
    drawn = picture[picture[..., 3] == 255]
    np.testing.assert_allclose(np.unique(drawn[:, :3], axis=0), [[51, 102, 204]], atol=1)


def test_where_one_band_has_no_data_nothing_is_drawn(bands):
    png = draw_composite(bands, CACHE, [Style("gray", 0.0, 0.3)] * 3, TILE)
    alpha = np.asarray(Image.open(io.BytesIO(png)))[..., 3]
    full = draw_composite([bands[0]] * 3, CACHE, [Style("gray", 0.0, 0.3)] * 3, TILE)
    area = np.asarray(Image.open(io.BytesIO(full)))[..., 3]
    assert set(np.unique(alpha)) == {0, 255}
    assert 0 < (alpha == 255).sum() < (area == 255).sum()


def test_items_offer_true_colour_where_they_have_the_bands():
    assert find_bands(["b02", "b03", "b04", "b08"]) == ("b04", "b03", "b02")
    assert find_bands({"oa04_radiance", "oa06_radiance", "oa08_radiance"}) == (
        "oa08_radiance", "oa06_radiance", "oa04_radiance",
    )  # fmt: skip
    assert find_bands(["b02", "b03"]) == ()


def test_a_value_is_that_of_the_cell_in_which_the_place_lies(write_pyramid):
    stored = np.arange(1, 400 * 400 + 1, dtype=np.uint32).reshape(400, 400) % 60_000
    stored = stored.astype(np.uint16)
    path = write_pyramid(stored, transform=TRANSFORM, attributes=PACKED)
    pyramid = open_pyramid(path, "v", "1")
    for column, row in ((0.5, 0.5), (399.5, 0.5), (120.1, 250.9), (0.5, 399.5)):
        expected = stored[int(row), int(column)] * 0.0001 - 0.1
        value = read_point(pyramid, CACHE, *to_degrees(column, row))
        assert value == pytest.approx(expected, rel=1e-5)


def test_outside_and_in_gaps_there_is_no_value(bands):
    assert read_point(bands[1], CACHE, *to_degrees(100, 100)) is None  # the gap of green
    assert read_point(bands[1], CACHE, *to_degrees(300, 100)) == pytest.approx(0.12)
    for place in (to_degrees(-1, 100), to_degrees(100, 401), (-120.0, -45.0), (0.0, 90.0)):
        assert read_point(bands[0], CACHE, *place) is None


@pytest.mark.parametrize("place", [(181.0, 0.0), (0.0, -91.0), (float("nan"), 0.0)])
def test_a_place_that_is_none_is_refused(bands, place):
    with pytest.raises(InvalidInputError, match="no place"):
        read_point(bands[0], CACHE, *place)


def test_a_class_is_named():
    style = Style(categories=(Category(3, "water", "#0000ff"), Category(4, "land", "#00ff00")))
    assert (name_class(style, 4.0), name_class(style, 5.0), name_class(style, None)) == (
        "land", "", "",
    )  # fmt: skip
