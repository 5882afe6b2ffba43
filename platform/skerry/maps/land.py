"""The land that a tile of the base map shows."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skerry.maps.land_file import CELL_UNITS, DETAILS, MAX_ZOOM, LandFile

_FILE = Path(__file__).parent / "data/land.bin"


@cache
def open_land() -> LandFile:
    """Return the file that the package ships."""
    return LandFile(_FILE)


def draw_land(z: int, x: int, y: int, side: int) -> NDArray[np.uint8]:
    """Return a tile, `side` x `side` pixels: 255 on land, 0 at sea.

    Raises
    ------
    UnavailableError
        If the file of land is missing or damaged: a map without land would look like sea.
    ValueError
        If `z` is deeper than `MAX_ZOOM`.
    """
    if z > MAX_ZOOM:
        raise ValueError(f"no land is drawn at zoom {z}")
    number = next(at for at, detail in enumerate(DETAILS) if detail.deepest >= z)
    down = DETAILS[number].cells - z
    canvas = Image.new("L", (side, side), 0)
    if down <= 0:
        scale, cells = 2.0**-down, [(x >> -down, y >> -down)]
    else:
        count = 2**down
        scale = 1 / count
        cells = [(x * count + at % count, y * count + at // count) for at in range(count**2)]
    for column, row in cells:
        shift = np.array([column * scale - x, row * scale - y]) * side
        _draw_cell(canvas, number, (column, row), scale * side / CELL_UNITS, shift)
    return np.asarray(canvas)


def _draw_cell(
    canvas: Image.Image,
    detail: int,
    cell: tuple[int, int],
    scale: float,
    shift: NDArray[np.float64],
) -> None:
    """Draw the rings of a cell: fill the hulls, then clear their holes."""
    draw, side = ImageDraw.Draw(canvas), canvas.width
    low, high = -shift / scale, (side - shift) / scale  # of the canvas, in units
    for ring in open_land().read_cell(detail, *cell):
        left, top, right, bottom = ring.bounds
        if right < low[0] or bottom < low[1] or left > high[0] or top > high[1]:
            continue
        pixels = ring.points * scale + shift
        draw.polygon(pixels.ravel().tolist(), fill=0 if ring.is_hole else 255)
