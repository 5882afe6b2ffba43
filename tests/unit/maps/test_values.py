"""What maps say of numbers, against what `skerry.open` says of the same store."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.pyramids import open_pyramid

from skerry.maps import legend
from skerry.maps.colour import Style, make_palette
from skerry.maps.legend import draw_legend
from skerry.maps.levels import Pyramid
from skerry.maps.point import read_point
from skerry.maps.tiles import TileFormat, draw_tile
from skerry.products import find_drawable, open_product
from skerry.storage.chunk_cache import ChunkCache

SIDE = 8
DEGREES = (1.0, 0.0, 0.0, 0.0, -1.0, float(SIDE))
"""Cells of one degree north-east of 0, 0."""
CASES: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "packed": ("u2", [0, 1, 65535, 1000], {"scale_factor": 1e-4, "add_offset": -0.1,
        "_FillValue": 0}),
    "unsigned": ("i2", [-1, 5, -30000, 7], {"_Unsigned": "true", "_FillValue": -1,
        "scale_factor": 0.01}),
    "signed": ("u1", [255, 1, 200, 3], {"_Unsigned": "false", "scale_factor": 0.5}),
    "several missing values": ("i2", [-999, -1, 5, -32768, 9], {"missing_value": [-999, -1],
        "_FillValue": -32768}),
    "floats with a number for no data": ("f4", [-999, 1.5, np.nan, 280.15],
        {"_FillValue": "AAAAAAA4j8A="}),
    "missing_value alone": ("f4", [1e20, 1.5, 3, 280.15], {"missing_value": 1e20}),
    "scaled floats": ("f4", [0, 1.5, 3, 8], {"scale_factor": 2.0, "add_offset": 1.0}),
    "wide integers": ("u4", [1_234_567, 4_294_967_295, 7, 8], {"_FillValue": 8}),
    "packed in 32 bits": ("i4", [2_147_483_647, -5, 1_234_567, 0], {"scale_factor": 1e-6}),
    "text as factor": ("i2", [1, 2, 3, 4], {"scale_factor": "0.1"}),
}  # fmt: skip


@pytest.fixture
def cache() -> ChunkCache:
    return ChunkCache(1 << 20)


def write(write_pyramid: Any, case: str) -> tuple[Any, Pyramid]:
    dtype, numbers, attributes = CASES[case]
    values = np.resize(np.array(numbers, dtype), (SIDE, SIDE + 1))[:, :SIDE]
    path = write_pyramid(values, crs="OGC:CRS84", transform=DEGREES, attributes=attributes)
    return path, open_pyramid(path, "v", "1")


@pytest.mark.parametrize("case", CASES)
def test_the_value_at_a_place_is_that_of_the_open_product(write_pyramid, cache, case):
    path, pyramid = write(write_pyramid, case)
    expected = open_product(path)["v"].to_numpy()
    for row, column in np.ndindex(expected.shape):
        value = read_point(pyramid, cache, column + 0.5, SIDE - row - 0.5)
        if np.isnan(expected[row, column]):
            assert value is None
        else:
            assert value == pytest.approx(float(expected[row, column]), rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_tiles_are_transparent_where_the_open_product_has_gaps(write_pyramid, cache, case):
    path, pyramid = write(write_pyramid, case)
    expected = open_product(path)["v"].to_numpy()
    style = Style.from_variable(find_drawable(path)["v"])
    assert style.minimum >= np.nanmin(expected) - abs(np.nanmin(expected)) * 0.01
    assert style.maximum <= np.nanmax(expected) + abs(np.nanmax(expected)) * 0.01
    png = draw_tile(pyramid, cache, style, (5, 16, 15), TileFormat.RGBA)
    alpha = np.asarray(Image.open(io.BytesIO(png)))[..., 3]
    # Tile 16/15 of zoom 5 goes from 0 to 11.25 degrees east and to 11.18 north.
    pixels = (np.arange(SIDE) + 0.5) / 11.25 * 256
    rows = 255 - pixels[::-1].astype(int)  # so near the equator rows are as high as columns
    shown = alpha[np.ix_(rows, pixels.astype(int))] > 0
    np.testing.assert_array_equal(shown, ~np.isnan(expected))


@pytest.mark.parametrize(
    ("case", "first"), [("wide integers", 1_234_567), ("packed in 32 bits", 2147.483647)]
)
def test_every_digit_is_kept(write_pyramid, cache, case, first):
    assert read_point(write(write_pyramid, case)[1], cache, 0.5, SIDE - 0.5) == first


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e308])
def test_what_no_answer_can_say_is_not_a_value_at_a_place(write_pyramid, number):
    values = np.array([[number, 2.0], [3.0, 4.0]])
    folder = write_pyramid(
        values, crs="OGC:CRS84", transform=(1.0, 0.0, 0.0, 0.0, -1.0, 2.0),
        attributes={"scale_factor": 10.0},
    )  # fmt: skip
    pyramid, chunks = open_pyramid(folder, "v", "version"), ChunkCache(1 << 20)
    assert read_point(pyramid, chunks, 0.5, 1.5) is None
    assert read_point(pyramid, chunks, 1.5, 1.5) == 20.0


@pytest.mark.parametrize("colormap", ["viridis", "gray", "RdYlGn"])
@pytest.mark.parametrize(
    ("dtype", "attributes"),
    [
        ("f4", {}),
        ("f8", {"scale_factor": 2.0, "add_offset": -1.0}),
        ("i2", {"scale_factor": 0.001, "add_offset": 10.0, "_FillValue": -32768}),
        ("i4", {"scale_factor": 0.0001, "_FillValue": -1}),
    ],
)
@pytest.mark.parametrize(("low", "high"), [(2.0, 10.0), (-3.0, 5.0), (280.0, 280.5)])
def test_the_legend_has_the_colours_of_the_tile(
    write_pyramid, cache, dtype, attributes, low, high, colormap
):
    """At both ends, between them, and beyond them, where the end's colour stands."""
    if dtype == "i2":
        low, high = (low, high) if high < 40 else (low - 250, high - 250)
    shares = [0.0, 0.25, 0.5, 0.75, 1.0, -0.5, 1.5]
    values = low + np.array([*shares, 0.0]) * (high - low)
    numbers = (values - attributes.get("add_offset", 0)) / attributes.get("scale_factor", 1)
    numbers[-1] = attributes.get("_FillValue", np.nan)
    stored = np.tile((numbers if dtype[0] == "f" else np.rint(numbers)).astype(dtype), (SIDE, 1))
    path = write_pyramid(stored, crs="OGC:CRS84", transform=DEGREES, attributes=attributes)
    style = Style(colormap, low, high)
    pyramid = open_pyramid(path, "v", "1")
    tile = Image.open(io.BytesIO(draw_tile(pyramid, cache, style, (5, 16, 15), TileFormat.RGBA)))
    drawn = Image.open(io.BytesIO(draw_legend("V", "K", style)))
    palette = make_palette(style)[1:].astype(int)
    per_cell = 256 * 32 / 360
    for column, share in enumerate(shares):
        *colour, alpha = tile.getpixel((int((column + 0.5) * per_cell), 200))
        assert alpha == 255
        place = 12 + round(min(max(share, 0), 1) * 275)
        shown = drawn.convert("RGB").getpixel((place, 40))
        steps = [int(np.abs(palette - np.array(item)).sum(axis=1).argmin())
                 for item in (colour, shown)]  # fmt: skip
        assert abs(steps[0] - steps[1]) <= (0 if share not in (0.25, 0.75) else 1)
    assert tile.getpixel((int(7.5 * per_cell), 200))[3] == 0


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 50.0, ["0", "12.5", "25", "37.5", "50"]),
        (-0.3, 0.1, ["-0.3", "-0.2", "-0.1", "0", "0.1"]),
        (101320.0, 101330.0, ["101320", "101322.5", "101325", "101327.5", "101330"]),
        (273.15, 273.25, ["273.15", "273.175", "273.2", "273.225", "273.25"]),
        (0.0, 2e-6, ["0", "5e-07", "1e-06", "1.5e-06", "2e-06"]),
        (-1e12, 1e12, ["-1e+12", "-5e+11", "0", "5e+11", "1e+12"]),
    ],
)
def test_the_legend_tells_its_ticks_apart(monkeypatch, low, high, texts):
    drawn = []
    spell = legend._spell_tick
    monkeypatch.setattr(
        legend, "_spell_tick", lambda value, style: drawn.append(spell(value, style)) or drawn[-1]
    )
    legend.draw_legend.__wrapped__("V", "K", Style("gray", low, high))
    assert drawn == texts
