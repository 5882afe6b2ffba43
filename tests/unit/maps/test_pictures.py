"""The base map, legends and PNGs as people and other readers see them."""

import io

import numpy as np
import pytest
from PIL import Image

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps import basemap
from skerry.maps.basemap import draw_basemap, format_degrees
from skerry.maps.colour import Category, Style
from skerry.maps.encode import encode_empty, encode_palette, encode_rgba
from skerry.maps.legend import describe_units, draw_legend


def read(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


def colour_at(z: int, longitude: float, latitude: float) -> tuple[int, ...]:
    """The base map's colour at a place of one of the whole world's tiles."""
    n = 256 * 2**z
    x = (longitude + 180) / 360 * n
    y = (1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * n
    tile = read(draw_basemap(z, int(x // 256), int(y // 256))).convert("RGB")
    return tile.getpixel((int(x % 256), int(y % 256)))


def test_land_and_sea_differ():
    sahara, atlantic = colour_at(3, 10.0, 22.0), colour_at(3, -40.0, 25.0)
    assert sahara == basemap._LAND
    assert atlantic == basemap._SEA


def test_deep_zooms_show_no_coast_and_still_a_graticule():
    tile = read(draw_basemap(12, 2200, 1450)).convert("RGB")
    colours = {colour for _, colour in tile.getcolors(4096)}
    assert basemap._PLAIN in colours
    assert basemap._SEA not in colours
    assert len(colours) > 3


def test_the_base_map_is_opaque_and_small():
    for tile in ((0, 0, 0), (5, 17, 11), (22, 2**21, 2**21)):
        png = draw_basemap(*tile)
        assert read(png).convert("RGBA").getextrema()[3] == (255, 255)
        assert len(png) < 20_000


def test_base_map_tiles_outside_the_world_are_refused():
    with pytest.raises(NotFoundError):
        draw_basemap(2, 4, 0)
    with pytest.raises(InvalidInputError):
        draw_basemap(40, 0, 0)


@pytest.mark.parametrize(
    ("degree", "letters", "text"),
    [(45, "NS", "45°N"), (-0.5, "EW", "0.5°W"), (0, "NS", "0°"), (0.1 + 0.2, "EW", "0.3°E")],
)
def test_degrees_for_people(degree, letters, text):
    assert format_degrees(degree, letters) == text


@pytest.mark.parametrize("shape", [(256, 256), (1, 1), (7, 300)])
def test_pngs_are_read_back_as_drawn(shape):
    rng = np.random.default_rng(5)
    indices = rng.integers(0, 256, shape, dtype=np.uint8)
    palette = rng.integers(0, 256, (256, 3), dtype=np.uint8)
    expected = np.concatenate([palette, np.full((256, 1), 255, np.uint8)], axis=1)
    expected[0, 3] = 0
    for encode in (encode_palette, encode_rgba):
        seen = np.asarray(read(encode(indices, palette)).convert("RGBA"))
        np.testing.assert_array_equal(seen[..., 3], expected[indices][..., 3])
        opaque = indices > 0
        np.testing.assert_array_equal(seen[opaque], expected[indices][opaque])


def test_the_empty_picture_is_transparent_and_one():
    assert encode_empty(256) is encode_empty(256)
    assert read(encode_empty(256)).convert("RGBA").getextrema()[3] == (0, 0)


def test_a_legend_ends_in_the_colours_of_its_range():
    picture = read(draw_legend("Turbidity", "FNU", Style("gray", 0, 50)))
    dark, light = (picture.getpixel((x, 40)) for x in (14, picture.width - 15))
    assert max(dark) < 10
    assert min(light) > 245


def test_a_long_meaning_of_a_class_is_not_cut():
    short, long = (
        np.asarray(read(draw_legend("Colours", "", Style(categories=(Category(1, text, "#f00"),)))))
        for text in ("Water", "TOA radiance for OLCI acquisition band 08, from 0 to 100, " * 2)
    )
    assert long.shape[0] > short.shape[0]
    assert (long[30:, -12:] == 255).all(), "nothing reaches the right margin"


def test_a_legend_says_simulated_and_grows_with_classes():
    style = Style(categories=tuple(Category(n, f"class {n}", "#123456") for n in range(8)))
    plain = read(draw_legend("Scene classification", "1", style))
    marked = read(draw_legend("Scene classification", "1", style, simulated=True))
    assert marked.height > plain.height > 8 * 16


@pytest.mark.parametrize(("units", "text"), [("FNU", "FNU"), ("1", "no unit"), ("", "no unit")])
def test_units_are_never_nothing(units, text):
    assert describe_units(units) == text
