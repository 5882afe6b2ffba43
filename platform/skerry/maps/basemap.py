"""The base map under the products: sea, land, places and a graticule, without any server.

Land and places come from files in ``data/``; ``data/SOURCES.md`` names their owners.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skerry.maps.encode import encode_palette
from skerry.maps.land import draw_land
from skerry.maps.land_file import MAX_ZOOM as LAND_MAX_ZOOM
from skerry.maps.lettering import open_font
from skerry.maps.mercator import EARTH_HALF, project
from skerry.maps.places import find_places
from skerry.maps.tiles import check_tile
from skerry.maps.warp import TILE_SIZE, tile_bounds

_FINER = 3  # drawn this much larger, then reduced: smooth edges
_SEA, _LAND, _PLAIN = (219, 229, 235), (244, 241, 233), (235, 237, 236)
_LINE, _LETTERS, _NAMES = (186, 200, 208), (122, 138, 148), (66, 78, 88)
_SHADES = 20  # steps from one tone to the next, for smooth edges
_LABEL_PIXELS = 11
_NAME_PIXELS, _LONGEST_NAME_PIXELS = 12, 200
_WORLD_ZOOM = 3  # up to here one parallel and one meridian carry all labels
_LABEL_EVERY = 3  # deeper, the crossings of every third line
_STEPS_DEGREES = (30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_LINE_DISTANCE_PIXELS = 130


@lru_cache(maxsize=2048)
def draw_basemap(z: int, x: int, y: int) -> bytes:
    """Return a tile of the base map as an opaque palette PNG, 256 x 256.

    Raises
    ------
    InvalidInputError, NotFoundError
        If there is no such tile.
    """
    check_tile(z, x, y)
    land = _draw_land(z, x, y)
    lines, letters = _draw_graticule(z, x, y)
    names = _draw_places(z, x, y)
    # a single index from four shares: names over letters over lines over land
    indices = 1 + land
    for at, shares in enumerate((lines, letters, names), start=1):
        indices = np.where(shares > 0, 1 + at * _SHADES + shares, indices)
    return encode_palette(indices.astype(np.uint8), _make_palette(z <= LAND_MAX_ZOOM))


@lru_cache(maxsize=2)
def _make_palette(with_land: bool) -> NDArray[np.uint8]:
    """Return (256, 3): sea to land, then ground to lines, to letters and to places' names."""
    sea, land = (_SEA, _LAND) if with_land else (_PLAIN, _PLAIN)
    ground = tuple((low + high) / 2 for low, high in zip(sea, land, strict=True))
    share = np.arange(_SHADES + 1)[:, None] / _SHADES
    palette = np.zeros((256, 3))
    for at, (low, high) in enumerate(
        ((sea, land), (ground, _LINE), (ground, _LETTERS), (ground, _NAMES))
    ):
        first = 1 + at * _SHADES
        palette[first + (at > 0) : first + _SHADES + 1] = (
            np.array(low) * (1 - share) + np.array(high) * share
        )[at > 0 :]
    return np.round(palette).astype(np.uint8)


def _draw_land(z: int, x: int, y: int) -> NDArray[np.uint8]:
    """Return shares of land; 0 beyond the deepest zoom with a good coastline."""
    if z > LAND_MAX_ZOOM:
        return np.zeros((TILE_SIZE, TILE_SIZE), np.uint8)
    return _reduce(Image.fromarray(draw_land(z, x, y, TILE_SIZE * _FINER)))


def _draw_places(z: int, x: int, y: int) -> NDArray[np.uint8]:
    canvas = Image.new("L", (TILE_SIZE, TILE_SIZE), 0)
    draw, font = ImageDraw.Draw(canvas), open_font(_NAME_PIXELS)
    for name, column, row in find_places(z, x, y, TILE_SIZE, _LONGEST_NAME_PIXELS):
        draw.ellipse([column - 2, row - 2, column + 2, row + 2], fill=255)
        draw.text((column + 6, row), name, fill=255, font=font, anchor="lm")
    return _to_shades(np.asarray(canvas))


def _draw_graticule(z: int, x: int, y: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    lines = Image.new("L", (TILE_SIZE * _FINER, TILE_SIZE * _FINER), 0)
    letters = Image.new("L", (TILE_SIZE, TILE_SIZE), 0)
    line, letter = ImageDraw.Draw(lines), ImageDraw.Draw(letters)
    font, step = open_font(_LABEL_PIXELS), _choose_step(z)
    meridians, parallels = _list_degrees(z, x, y, step)
    for _, px in meridians:
        line.line([(px * _FINER, 0), (px * _FINER, TILE_SIZE * _FINER)], fill=255, width=_FINER)
    for _, py in parallels:
        line.line([(0, py * _FINER), (TILE_SIZE * _FINER, py * _FINER)], fill=255, width=_FINER)
    for latitude, py in parallels:
        for longitude, px in meridians:
            label = _name_crossing(z, latitude, longitude, step)
            letter.text((px + 4, py - _LABEL_PIXELS - 4), label, fill=255, font=font)
    return _reduce(lines), _to_shades(np.asarray(letters))


def _name_crossing(z: int, latitude: float, longitude: float, step: float) -> str:
    """Return the label of a crossing of the graticule; most crossings have none.

    On maps of the world parallels have labels along the meridian of Greenwich and meridians along
    the equator; at deeper zooms every third crossing each way has both labels.
    """
    north, east = format_degrees(latitude, "NS"), format_degrees(longitude, "EW")
    row, column = round(latitude / step), round(longitude / step)
    if z <= _WORLD_ZOOM:
        return east if row == 0 else north if column == 0 else ""
    return "" if row % _LABEL_EVERY or column % _LABEL_EVERY else f"{north} {east}"


def _choose_step(z: int) -> float:
    degrees_per_pixel = 360 / (TILE_SIZE * 2**z)
    least = _LINE_DISTANCE_PIXELS * degrees_per_pixel
    return next((step for step in reversed(_STEPS_DEGREES) if step >= least), _STEPS_DEGREES[0])


def _list_degrees(
    z: int, x: int, y: int, step: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return (degree, pixel) of the lines in the tile, and a label's length beyond it."""
    west, south, east, north = tile_bounds(z, x, y)
    pixel = (east - west) / TILE_SIZE
    margin = 110 * pixel
    first = math.ceil(max(-180.0, (west - margin) / EARTH_HALF * 180) / step)
    last = math.floor(east / EARTH_HALF * 180 / step)
    longitudes = np.arange(first, last + 1, dtype=np.float64) * step
    count = math.ceil(80 / step)
    low, high = (_latitude(edge) / step for edge in (south - margin, north))
    rows = np.arange(
        max(-count, math.ceil(low)), min(count, math.floor(high)) + 1, dtype=np.float64
    )
    latitudes = rows * step
    xs = (project(longitudes, np.zeros_like(longitudes))[:, 0] - west) / pixel
    ys = (north - project(np.zeros_like(latitudes), latitudes)[:, 1]) / pixel
    return (
        [(float(degree), float(at)) for degree, at in zip(longitudes, xs, strict=True)],
        [(float(degree), float(at)) for degree, at in zip(latitudes, ys, strict=True)],
    )


def _latitude(northing: float) -> float:
    return math.degrees(2 * math.atan(math.exp(northing / EARTH_HALF * math.pi)) - math.pi / 2)


def format_degrees(degree: float, letters: str) -> str:
    """Return degrees for people: ``45°N``, ``0.5°W``; `letters` are for positive and negative."""
    rounded = round(degree, 3)
    side = "" if rounded == 0 else letters[rounded < 0]
    return f"{abs(rounded):g}°{side}"


def _reduce(canvas: Image.Image) -> NDArray[np.uint8]:
    return _to_shades(np.asarray(canvas.reduce(_FINER)))


def _to_shades(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.round(grey.astype(np.float32) * (_SHADES / 255)).astype(np.uint8)
