"""Tiles against an independent warp: rasterio's nearest neighbour with the exact transformer."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image
from pyproj import Transformer
from rasterio.transform import from_bounds
from rasterio.warp import Resampling, reproject
from tests.pyramids import open_pyramid
from tests.unit.maps.conftest import write_levels

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps.colour import Category, Style, index_colours, make_palette
from skerry.maps.encode import encode_empty
from skerry.maps.levels import Level, Pyramid
from skerry.maps.mercator import EARTH_HALF
from skerry.maps.point import read_point
from skerry.maps.tiles import TileFormat, check_tile, draw_tile
from skerry.maps.warp import choose_level, locate_tile, tile_bounds
from skerry.products.coding.packing import Packing
from skerry.storage.chunk_cache import ChunkCache

GRAY = Style("gray", 0.0, 1.0)
PACKED = {"scale_factor": 0.0001, "add_offset": -0.1, "_FillValue": 0}


def scene(height: int, width: int, *, seed: int = 1) -> np.ndarray:
    """Packed reflectance: a gradient, noise in every cell and a hole of nodata."""
    rows, cols = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 900, (height, width))
    values = (1100 + 7000 * (rows / height + cols / width) / 2 + noise).astype(np.uint16)
    values[height // 3 : height // 2, width // 4 : width // 3] = 0
    return values


def tiles_over(pyramid: Pyramid, zoom: int) -> list[tuple[int, int, int]]:
    """The tile over the product's centre and those over two of its corners."""
    west, south, east, north = pyramid.bounds
    transformer = Transformer.from_crs(pyramid.crs, "EPSG:3857", always_xy=True)
    result = set()
    for px, py in ((0.5, 0.5), (0.01, 0.01), (0.99, 0.99)):
        x, y = transformer.transform(west + px * (east - west), south + py * (north - south))
        side = 2 * EARTH_HALF / 2**zoom
        result.add((zoom, int((x + EARTH_HALF) // side), int((EARTH_HALF - y) // side)))
    return sorted(result)


def warp_exactly(level: Level, crs: str, tile: tuple[int, int, int], fill: Any) -> np.ndarray:
    """Rasterio's own nearest neighbour of the whole level."""
    target = np.full((256, 256), fill, level.array.dtype)
    reproject(
        level.array[...],
        target,
        src_transform=level.transform,
        src_crs=crs,
        dst_transform=from_bounds(*tile_bounds(*tile), 256, 256),
        dst_crs="EPSG:3857",
        resampling=Resampling.nearest,
        init_dest_nodata=False,
        tolerance=0,
    )
    return target


def paint(physical: np.ndarray, style: Style) -> np.ndarray:
    """RGBA by matplotlib, straight from physical values; NaN is transparent."""
    share = (physical - style.minimum) / (style.maximum - style.minimum)
    picture = colormaps[style.colormap].resampled(255)(np.clip(share, 0, 1), bytes=True)
    picture[np.isnan(physical)] = 0
    return picture


def read_rgba(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def compare(pyramid: Pyramid, tile: tuple[int, int, int], style: Style = GRAY) -> float:
    """Return the share of pixels that equal the independent picture."""
    level = choose_level(pyramid, locate_tile(pyramid.crs, *tile))
    fill = 0 if pyramid.dtype.kind == "u" else np.nan
    stored = warp_exactly(level, pyramid.crs, tile, fill)
    scale, offset = pyramid.packing.factors
    meant = stored.view(pyramid.packing.stored)
    physical = np.where(np.isin(meant, pyramid.packing.missing), np.nan, meant * scale + offset)
    expected = paint(physical, style)
    drawn = read_rgba(draw_tile(pyramid, ChunkCache(10**8), style, tile, TileFormat.PALETTE))
    visible = expected[..., 3] > 0
    # a step of the palette may fall either way where a value meets its border
    near = np.abs(drawn.astype(int) - expected.astype(int)).max(axis=-1) <= 1
    assert visible.any()
    assert (drawn[..., 3] > 0).sum() == pytest.approx(visible.sum(), rel=0.02, abs=12)
    return float((near & ((drawn[..., 3] > 0) == visible)).mean())


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory):
    top = tmp_path_factory.mktemp("scene")
    return open_pyramid(write_levels(top, scene(1098, 1098), attributes=PACKED), "v", "1")


@pytest.mark.parametrize("zoom", [4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 17])
def test_pixels_equal_an_independent_warp(pyramid, zoom):
    for tile in tiles_over(pyramid, zoom):
        assert compare(pyramid, tile) >= 0.99, tile


@pytest.mark.parametrize(
    ("shape", "zooms"),
    [((701, 515), (11, 13)), ((257, 1001), (11, 14)), ((3, 5), (14, 17)), ((1, 1), (17, 19))],
)
def test_odd_sizes(write_pyramid, shape, zooms):
    pyramid = open_pyramid(write_pyramid(scene(*shape) + 1, attributes=PACKED), "v", "1")
    for zoom in zooms:
        for tile in tiles_over(pyramid, zoom)[:1]:
            assert compare(pyramid, tile) >= 0.99, tile


def test_all_levels_are_used(pyramid):
    used = [
        choose_level(pyramid, locate_tile(pyramid.crs, *tiles_over(pyramid, zoom)[0])).resolution
        for zoom in (5, 11, 12, 13, 14, 18)
    ]
    assert used == [80, 40, 20, 10, 10, 10]


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", (60.0, 0, 500_000.0, 0, -60.0, 9_200_000.0)),  # 82 degrees north
        ("EPSG:32701", (60.0, 0, 300_000.0, 0, -60.0, 8_200_000.0)),  # south, near 180 degrees
        ("EPSG:4326", (0.002, 0, 13.0, 0, -0.002, 46.0)),
        ("EPSG:4326", (0.002, 0, 13.0, 0, 0.002, 45.0)),  # rows run north
        ("EPSG:3413", (500.0, 0, -400_000.0, 0, -500.0, -900_000.0)),  # polar stereographic
    ],
)
def test_other_projections(write_pyramid, crs, transform):
    path = write_pyramid(scene(600, 600), attributes=PACKED, crs=crs, transform=transform)
    pyramid = open_pyramid(path, "v", "1")
    for zoom in (6, 9, 10):
        for tile in tiles_over(pyramid, zoom)[:1]:
            assert compare(pyramid, tile) >= 0.99, tile


def test_a_product_across_the_antimeridian_shows_on_both_sides(write_pyramid):
    # UTM 1 south, 60 km either side of 180 degrees at 17 degrees south
    transform = (120.0, 0, 120_000.0, 0, -120.0, 8_180_000.0)
    path = write_pyramid(
        scene(1000, 1000), attributes=PACKED, crs="EPSG:32701", transform=transform
    )
    pyramid = open_pyramid(path, "v", "1")
    west, _, east, _ = pyramid.geographic_bounds
    assert west > east
    zoom, row = 7, 70
    for column in (0, 2**zoom - 1):
        tile = (zoom, column, row)
        assert compare(pyramid, tile) >= 0.99
    assert not read_rgba(
        draw_tile(pyramid, ChunkCache(10**8), GRAY, (zoom, 64, row), TileFormat.PALETTE)
    ).any()


@pytest.mark.slow
@pytest.mark.parametrize(("west", "columns"), [(0, 360), (170, 20), (-190, 20), (200, 130)])
def test_longitudes_beyond_180_degrees_are_the_same_places(write_pyramid, west, columns):
    rows = 120
    values = np.random.default_rng(5).integers(1, 9999, (rows, columns)).astype(np.uint16)
    full = np.zeros((rows, 360), np.uint16)  # the same numbers, from -180 to 180 degrees
    full[:, (np.arange(columns) + west + 180) % 360] = values
    pyramids = [
        open_pyramid(
            write_pyramid(
                numbers, crs="OGC:CRS84", transform=(1.0, 0, left, 0, -1.0, 60.0),
                attributes=PACKED, folder=name,
            ),
            "v", "1",
        )
        for numbers, left, name in ((values, west, "a.zarr"), (full, -180, "b.zarr"))
    ]  # fmt: skip
    shown = 0
    for tile in [(0, 0, 0), *((3, x, y) for x in (0, 1, 3, 4, 7) for y in (2, 4))]:
        drawn, expected = (
            read_rgba(draw_tile(item, ChunkCache(10**8), GRAY, tile, TileFormat.PALETTE))
            for item in pyramids
        )
        assert (drawn == expected).all(axis=-1).mean() > 0.999, tile
        shown += (expected[..., 3] > 0).sum()
    assert shown
    caches = [ChunkCache(10**8) for _ in pyramids]
    for longitude in np.arange(-179.5, 180):
        actual, same = (
            read_point(item, cache, longitude, 0.5)
            for item, cache in zip(pyramids, caches, strict=True)
        )
        assert actual == same
    left, _, right, _ = pyramids[0].geographic_bounds
    assert (left, right) == (
        (-180, 180)
        if columns == 360
        else ((west + 180) % 360 - 180, (west + columns + 180) % 360 - 180)
    )


def test_floats_with_gaps(write_pyramid):
    values = np.random.default_rng(2).random((400, 400), np.float32) * 40
    values[100:150] = np.nan
    pyramid = open_pyramid(write_pyramid(values), "v", "1")
    for tile in tiles_over(pyramid, 13):
        assert compare(pyramid, tile, Style("viridis", 0, 40)) >= 0.98


def test_classes_keep_their_colours_and_unknown_ones_are_transparent(write_pyramid):
    values = np.repeat(np.array([4, 6, 77], np.uint8), 100)[None].repeat(300, axis=0)
    pyramid = open_pyramid(write_pyramid(values), "v", "1")
    style = Style(categories=(Category(4, "a", "#00ff00"), Category(6, "b", "#0000ff")))
    cache, seen = ChunkCache(10**8), set()
    for tile in tiles_over(pyramid, 13):
        drawn = read_rgba(draw_tile(pyramid, cache, style, tile, TileFormat.PALETTE))
        seen |= {tuple(int(part) for part in pixel) for pixel in drawn.reshape(-1, 4)}
    assert seen == {(0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)}


def test_rgba_shows_what_the_palette_shows(write_pyramid):
    pyramid = open_pyramid(write_pyramid(scene(400, 400), attributes=PACKED), "v", "1")
    tile = tiles_over(pyramid, 12)[0]
    pictures = [
        draw_tile(pyramid, ChunkCache(10**8), GRAY, tile, kind)
        for kind in (TileFormat.PALETTE, TileFormat.RGBA)
    ]
    modes = [Image.open(io.BytesIO(picture)).mode for picture in pictures]
    assert modes == ["P", "RGBA"]
    np.testing.assert_array_equal(read_rgba(pictures[0]), read_rgba(pictures[1]))


def test_a_tile_beside_the_product_is_the_shared_empty_one(write_pyramid):
    pyramid = open_pyramid(write_pyramid(scene(400, 400), attributes=PACKED), "v", "1")
    zoom, x, y = tiles_over(pyramid, 12)[0]
    for tile in ((zoom, x + 5, y), (zoom, 0, 0), (zoom, x, 2**zoom - 1)):
        png = draw_tile(pyramid, ChunkCache(10**8), GRAY, tile, TileFormat.RGBA)
        assert png is encode_empty(256)
    assert not read_rgba(png).any()


@pytest.mark.slow
def test_threads_draw_the_same_bytes(pyramid):
    tiles = [tile for zoom in (9, 11, 13, 14) for tile in tiles_over(pyramid, zoom)] * 4
    alone = [
        draw_tile(pyramid, ChunkCache(10**8), GRAY, tile, TileFormat.PALETTE) for tile in tiles
    ]
    shared = ChunkCache(400_000)  # small, so that chunks come and go
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(
            lambda tile: draw_tile(pyramid, shared, GRAY, tile, TileFormat.PALETTE), tiles
        )
        assert list(together) == alone


def test_a_new_content_version_is_shown_at_once(write_pyramid):
    cache, values = ChunkCache(10**8), scene(300, 300)
    path = write_pyramid(values, attributes=PACKED)
    old = open_pyramid(path, "v", "first")
    tile = tiles_over(old, 13)[0]
    before = draw_tile(old, cache, GRAY, tile, TileFormat.PALETTE)
    write_pyramid(values + 500, attributes=PACKED, folder="other/product.zarr")
    path.rename(path.with_suffix(".old"))
    (path.parent / "other/product.zarr").rename(path)
    new = open_pyramid(path, "v", "second")
    assert compare(new, tile) >= 0.99
    assert draw_tile(new, cache, GRAY, tile, TileFormat.PALETTE) != before


def test_a_zoom_without_overview_is_refused(write_pyramid, monkeypatch):
    monkeypatch.setattr("skerry.maps.warp._LIMIT_CELLS", 1000)
    pyramid = open_pyramid(write_pyramid(scene(300, 300), attributes=PACKED), "v", "1")
    with pytest.raises(InvalidInputError, match="no overview"):
        draw_tile(pyramid, ChunkCache(10**8), GRAY, tiles_over(pyramid, 9)[0], TileFormat.PALETTE)


@pytest.mark.parametrize("tile", [(-1, 0, 0), (23, 0, 0)])
def test_a_zoom_that_is_not_served(tile):
    with pytest.raises(InvalidInputError, match=str(tile[0])):
        check_tile(*tile)


@pytest.mark.parametrize("tile", [(3, 8, 0), (3, 0, 8), (3, -1, 0), (0, 0, 1)])
def test_a_tile_outside_the_world(tile):
    with pytest.raises(NotFoundError, match="no tile"):
        check_tile(*tile)


def test_a_style_is_read_from_the_catalogue_and_changed_within_reason():
    style = Style.from_variable({"colormap": "turbo", "display_min": 0, "display_max": 50})
    assert style == Style("turbo", 0.0, 50.0)
    assert style.change(minimum=None, maximum=10, colormap="gray") == Style("gray", 0.0, 10.0)
    for wrong in (
        {"minimum": 50, "maximum": None, "colormap": None},
        {"minimum": float("nan"), "maximum": None, "colormap": None},
        {"minimum": None, "maximum": float("inf"), "colormap": None},
        {"minimum": None, "maximum": None, "colormap": "rainbowish"},
    ):
        with pytest.raises(InvalidInputError):
            style.change(**wrong)


def test_flags_become_classes():
    style = Style.from_variable(
        {
            "flag_values": [4, 6],
            "flag_meanings": "vegetation open_water",
            "flag_colors": "#00ff00 #0000ff",
        }
    )
    assert [category.meaning for category in style.categories] == ["vegetation", "open water"]
    assert make_palette(style)[:3].tolist() == [[0, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_the_class_no_data_is_transparent_and_in_no_legend(write_pyramid):
    flags = {
        "flag_values": [0, 6], "flag_meanings": "no_data water", "flag_colors": "#000000 #0000ff",
    }  # fmt: skip
    style = Style.from_variable(flags)
    assert [category.value for category in style.categories] == [6]
    classes = np.array([[0, 6]], np.uint8)
    assert index_colours(classes, style, Packing(classes.dtype, np.dtype(float))).tolist() == [
        [0, 1]
    ]


def test_a_constant_product_gets_a_range_and_nonsense_is_named():
    assert Style.from_variable({"display_min": 3, "display_max": 3}) == Style("viridis", 3.0, 4.0)
    large = Style.from_variable({"display_min": 1e17, "display_max": 1e17})
    plain = Packing(np.dtype(float), np.dtype(float))
    assert index_colours(np.array([1e17]), large, plain).tolist() == [1]
    for wrong in ("low", float("nan"), [1]):
        with pytest.raises(InvalidInputError, match="display_min"):
            Style.from_variable({"display_min": wrong})


def test_a_class_without_a_proper_colour_gets_one():
    style = Style.from_variable({"flag_values": [1, 2], "flag_colors": "javascript #00ff00"})
    assert make_palette(style)[2].tolist() == [0, 255, 0]
