"""What maps say of numbers, against what `skerry.open` says of the same store."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skerry.maps.colour import Style
from skerry.maps.levels import Pyramid
from skerry.maps.opening import open_pyramid
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
    wanted = open_product(path)["v"].to_numpy()
    for row, column in np.ndindex(wanted.shape):
        value = read_point(pyramid, cache, column + 0.5, SIDE - row - 0.5)
        if np.isnan(wanted[row, column]):
            assert value is None
        else:
            assert value == pytest.approx(float(wanted[row, column]), rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_tiles_are_transparent_where_the_open_product_has_gaps(write_pyramid, cache, case):
    path, pyramid = write(write_pyramid, case)
    wanted = open_product(path)["v"].to_numpy()
    style = Style.from_variable(find_drawable(path)["v"])
    assert style.minimum >= np.nanmin(wanted) - abs(np.nanmin(wanted)) * 0.01
    assert style.maximum <= np.nanmax(wanted) + abs(np.nanmax(wanted)) * 0.01
    png = draw_tile(pyramid, cache, style, (5, 16, 15), TileFormat.RGBA)
    alpha = np.asarray(Image.open(io.BytesIO(png)))[..., 3]
    # Tile 16/15 of zoom 5 goes from 0 to 11.25 degrees east and to 11.18 north.
    pixels = (np.arange(SIDE) + 0.5) / 11.25 * 256
    rows = 255 - pixels[::-1].astype(int)  # so near the equator rows are as high as columns
    shown = alpha[np.ix_(rows, pixels.astype(int))] > 0
    np.testing.assert_array_equal(shown, ~np.isnan(wanted))


@pytest.mark.parametrize(
    ("case", "first"), [("wide integers", 1_234_567), ("packed in 32 bits", 2147.483647)]
)
def test_every_digit_is_kept(write_pyramid, cache, case, first):
    assert read_point(write(write_pyramid, case)[1], cache, 0.5, SIDE - 0.5) == first


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e308])
def test_what_no_answer_can_say_is_no_value_at_a_place(write_pyramid, number):
    values = np.array([[number, 2.0], [3.0, 4.0]])
    folder = write_pyramid(
        values, crs="OGC:CRS84", transform=(1.0, 0.0, 0.0, 0.0, -1.0, 2.0),
        attributes={"scale_factor": 10.0},
    )  # fmt: skip
    pyramid, chunks = open_pyramid(folder, "v", "version"), ChunkCache(1 << 20)
    assert read_point(pyramid, chunks, 0.5, 1.5) is None
    assert read_point(pyramid, chunks, 1.5, 1.5) == 20.0
