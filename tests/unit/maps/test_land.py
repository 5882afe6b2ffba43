"""The land of the base map: the file's form, its loss, and places whose coordinates are known."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skerry.core.errors import UnavailableError
from skerry.maps import basemap, land, places
from skerry.maps.basemap import draw_basemap
from skerry.maps.land import draw_land
from skerry.maps.land_file import (
    ALL_LAND,
    CELL_UNITS,
    DETAILS,
    MAX_ZOOM,
    LandFile,
    Ring,
    make_key,
    pack_cell,
    unpack_cell,
    write_land,
)

CAPES = {
    "Cabo da Roca": (-9.4989, 38.7804),
    "Cape Agulhas": (20.0087, -34.8298),
    "Skagen": (10.6304, 57.7366),
    "Land's End": (-5.7148, 50.0657),
    "Point Reyes": (-123.0231, 37.9956),
    "Cape Byron": (153.6364, -28.6388),
}
"""Lighthouses and ends of land: longitude, latitude."""


def locate(z: int, longitude: float, latitude: float) -> tuple[int, int]:
    """Column and row of a place among the pixels of a whole zoom; the test's own projection."""
    size = 256 * 2**z
    across = (longitude + 180) / 360
    down = (1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2
    return int(across * size), int(down * size)


def look_around(z: int, longitude: float, latitude: float, reach: int) -> np.ndarray:
    """Shares of land of the pixels up to `reach` away, over the borders of tiles."""
    column, row = locate(z, longitude, latitude)
    x, y = (column - 128) // 256, (row - 128) // 256
    both = np.block([[draw_land(z, x + i, y + j, 256) for i in (0, 1)] for j in (0, 1)])
    column, row = column - x * 256, row - y * 256
    return both[row - reach : row + reach + 1, column - reach : column + reach + 1]


@pytest.mark.parametrize("cape", CAPES)
def test_at_zoom_10_the_coast_lies_within_five_pixels_of_where_it_is(cape):
    near = look_around(10, *CAPES[cape], 5)
    assert near.max() == 255
    assert near.min() == 0


@pytest.mark.parametrize("zoom", range(MAX_ZOOM + 1))
def test_every_zoom_shows_what_is_land_and_what_is_sea(zoom):
    for longitude, latitude, expected in (
        (10.0, 22.0, 255), (-40.0, 25.0, 0), (25.0, -29.0, 255), (-140.0, -30.0, 0),
        (50.5, 42.0, 0), (135.0, -25.0, 255), (0.0, -80.0, 255),
    ):  # fmt: skip
        column, row = locate(zoom, longitude, latitude)
        tile = draw_land(zoom, column // 256, row // 256, 256)
        assert tile[row % 256, column % 256] == expected, (zoom, longitude, latitude)


@pytest.mark.parametrize("zoom", [detail.deepest for detail in DETAILS[:-1]])
def test_the_coast_stays_where_it_is_from_one_detail_to_the_next(zoom):
    """Four tiles of the finer detail, reduced, are the tile of the coarser one."""
    for longitude, latitude in ((5.3, 60.4), (-9.3, 38.7), (103.8, 1.3)):
        column, row = locate(zoom, longitude, latitude)
        x, y = column // 256, row // 256
        coarse = draw_land(zoom, x, y, 256).astype(float)
        finer = [[draw_land(zoom + 1, 2 * x + i, 2 * y + j, 256) for i in (0, 1)] for j in (0, 1)]
        reduced = np.block(finer).reshape(256, 2, 256, 2).mean(axis=(1, 3))
        assert (np.abs(coarse - reduced) > 128).mean() < 0.02


def test_neighbouring_tiles_meet_without_a_seam():
    """Inside of a continent a cell's edge shows no line of sea."""
    for z, x, y in ((10, 535, 440), (7, 68, 55), (5, 17, 14)):
        assert draw_land(z, x, y, 256).min() == 255


def test_cells_are_read_as_they_were_written(tmp_path: Path):
    rng = np.random.default_rng(1)
    rings = tuple(
        Ring(rng.integers(-32, CELL_UNITS + 32, (count, 2)).astype(np.int16), hole)
        for count, hole in ((400, False), (3, True), (70_000, False))
    )
    again = unpack_cell(pack_cell(rings))
    assert [ring.is_hole for ring in again] == [False, True, False]
    for ring, other in zip(rings, again, strict=True):
        np.testing.assert_array_equal(ring.points, other.points)
    write_land(tmp_path / "land.bin", {make_key(1, 3, 2): pack_cell(rings), 5: pack_cell(ALL_LAND)})
    file = LandFile(tmp_path / "land.bin")
    assert len(file.read_cell(1, 3, 2)) == 3
    assert file.read_cell(0, 5, 0) is ALL_LAND
    assert file.read_cell(0, 6, 0) == ()


@pytest.fixture
def without_files(monkeypatch, tmp_path: Path):
    """Let the package's files be gone, as after a broken installation."""
    land.open_land.cache_clear()
    places.load_places.cache_clear()
    draw_basemap.cache_clear()
    monkeypatch.setattr(land, "_FILE", tmp_path / "land.bin")
    yield tmp_path / "land.bin"
    land.open_land.cache_clear()
    draw_basemap.cache_clear()


def test_a_missing_file_is_an_error_and_no_sea(without_files):
    with pytest.raises(UnavailableError, match=r"land\.bin.*Install Skerry again"):
        draw_basemap(2, 1, 1)


@pytest.mark.parametrize("keep", [0, 5, 40, 100_000])
def test_a_damaged_or_foreign_land_file_is_an_error(without_files, keep):
    full = (Path(basemap.__file__).parent / "data/land.bin").read_bytes()
    without_files.write_bytes(full[:keep] if keep else b"something else")
    with pytest.raises(UnavailableError):
        draw_basemap(10, 529, 296)


def test_missing_places_are_an_error(monkeypatch, tmp_path: Path):
    places.load_places.cache_clear()
    monkeypatch.setattr(places, "_FILE", tmp_path / "places.tsv")
    with pytest.raises(UnavailableError, match=r"places\.tsv"):
        places.load_places()
    places.load_places.cache_clear()


def test_places_are_named_where_they_are_and_not_before_there_is_room():
    def find(zoom: int) -> dict[str, tuple[int, int]]:
        column, row = locate(zoom, 5.33, 60.39)
        around = places.find_places(zoom, column // 256, row // 256, 256, 0)
        return {name: (x + column // 256 * 256, y + row // 256 * 256) for name, x, y in around}

    assert "Bergen" not in find(4)
    column, row = locate(10, 5.33, 60.39)
    x, y = find(10)["Bergen"]
    assert abs(x - column) < 30
    assert abs(y - row) < 30


def test_a_name_that_crosses_a_tile_s_edge_goes_on_in_the_next():
    here = {name: column for name, column, _ in places.find_places(7, 68, 42, 256, 0)}
    there = {name: column for name, column, _ in places.find_places(7, 69, 42, 256, 200)}
    assert here["Dresden"] > 215
    assert there["Dresden"] == here["Dresden"] - 256


@pytest.mark.parametrize("zoom", [2, 3])
def test_the_world_carries_each_degree_once(zoom, monkeypatch):
    written: list[str] = []
    name = basemap._name_crossing

    def record(*given):
        written.append(name(*given))
        return written[-1]

    monkeypatch.setattr(basemap, "_name_crossing", record)
    for x in range(2**zoom):
        for y in range(2**zoom):
            basemap._draw_graticule(zoom, x, y)
    labels = [label for label in written if label]
    # a label near a tile's edge is drawn by both tiles; 12 meridians, and parallels to 60 degrees
    assert set(labels) <= {
        *(basemap.format_degrees(d, "EW") for d in range(-180, 181, 30)),
        *(basemap.format_degrees(d, "NS") for d in range(-60, 61, 30)),
    }
    assert all(" " not in label for label in labels)


def test_deeper_than_the_coast_is_good_no_sea_is_drawn():
    picture = Image.open(io.BytesIO(draw_basemap(MAX_ZOOM + 1, 1058, 592))).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(65536)}
    assert basemap._PLAIN in colours
    assert not colours & {basemap._SEA, basemap._LAND}
