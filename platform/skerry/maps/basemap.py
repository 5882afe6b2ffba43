"""The base map under the products: sea, land and a graticule, drawn here, from no server."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skerry.maps.encode import encode_palette
from skerry.maps.lettering import open_font
from skerry.maps.outline import load_land, project
from skerry.maps.tiles import check_tile
from skerry.maps.warp import EARTH_HALF, TILE_SIZE, tile_bounds

LAND_MAX_ZOOM = 8
"""Deeper than this a 1:110m coast would be wrong by many pixels, so no land is drawn."""

_FINER = 3  # drawn this much larger, then reduced: smooth edges
_SEA, _LAND, _PLAIN = (219, 229, 235), (244, 241, 233), (235, 237, 236)
_LINE, _LETTERS = (186, 200, 208), (122, 138, 148)
_SHADES = 20  # steps from one tone to the next, for smooth edges
_LABEL_PIXELS = 11
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
    # one index out of three shares: letters over lines over land
    indices = 1 + land
    indices = np.where(lines > 0, 1 + _SHADES + lines, indices)
    indices = np.where(letters > 0, 1 + 2 * _SHADES + letters, indices)
    return encode_palette(indices.astype(np.uint8), _make_palette(z <= LAND_MAX_ZOOM))


@lru_cache(maxsize=2)
def _make_palette(with_land: bool) -> NDArray[np.uint8]:
    """Return (256, 3): 1.. sea to land, then ground to line, then ground to letters."""
    sea, land = (_SEA, _LAND) if with_land and load_land() else (_PLAIN, _PLAIN)
    ground = tuple((low + high) / 2 for low, high in zip(sea, land, strict=True))
    share = np.arange(_SHADES + 1)[:, None] / _SHADES
    palette = np.zeros((256, 3))
    for at, (low, high) in enumerate(((sea, land), (ground, _LINE), (ground, _LETTERS))):
        first = 1 + at * _SHADES
        palette[first + (at > 0) : first + _SHADES + 1] = (
            np.array(low) * (1 - share) + np.array(high) * share
        )[at > 0 :]
    return np.round(palette).astype(np.uint8)


def _draw_land(z: int, x: int, y: int) -> NDArray[np.uint8]:
    canvas = Image.new("L", (TILE_SIZE * _FINER, TILE_SIZE * _FINER), 0)
    if z <= LAND_MAX_ZOOM:
        west, south, east, north = tile_bounds(z, x, y)
        scale = TILE_SIZE * _FINER / (east - west)
        draw = ImageDraw.Draw(canvas)
        for ring in load_land():
            left, low, right, high = ring.bounds
            if right < west or left > east or high < south or low > north:
                continue
            pixels = (ring.points - (west, north)) * (scale, -scale)
            draw.polygon(pixels.ravel().tolist(), fill=0 if ring.is_hole else 255)
    return _reduce(canvas)


def _draw_graticule(z: int, x: int, y: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    lines = Image.new("L", (TILE_SIZE * _FINER, TILE_SIZE * _FINER), 0)
    letters = Image.new("L", (TILE_SIZE, TILE_SIZE), 0)
    line, letter = ImageDraw.Draw(lines), ImageDraw.Draw(letters)
    font, step = open_font(_LABEL_PIXELS), _choose_step(z)
    meridians, parallels = _list_degrees(z, x, y, step)
    for _, px in meridians:
        line.line([(px * _FINER, 0), (px * _FINER, TILE_SIZE * _FINER)], fill=255, width=_FINER)
    for latitude, py in parallels:
        line.line([(0, py * _FINER), (TILE_SIZE * _FINER, py * _FINER)], fill=255, width=_FINER)
        for longitude, px in meridians:
            label = f"{format_degrees(latitude, 'NS')} {format_degrees(longitude, 'EW')}"
            letter.text((px + 4, py - _LABEL_PIXELS - 4), label, fill=255, font=font)
    return _reduce(lines), _to_shades(np.asarray(letters))


def _choose_step(z: int) -> float:
    degrees_per_pixel = 360 / (TILE_SIZE * 2**z)
    wanted = _LINE_DISTANCE_PIXELS * degrees_per_pixel
    return next((step for step in reversed(_STEPS_DEGREES) if step >= wanted), _STEPS_DEGREES[0])


def _list_degrees(
    z: int, x: int, y: int, step: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return (degree, pixel) of the lines in the tile, and a label's length beyond it."""
    west, south, east, north = tile_bounds(z, x, y)
    pixel = (east - west) / TILE_SIZE
    margin = 110 * pixel
    first = math.ceil((west - margin) / EARTH_HALF * 180 / step)
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
