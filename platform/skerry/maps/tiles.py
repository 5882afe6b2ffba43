"""One tile of one variable or of three: locate, choose a level, sample, colour, encode."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps.colour import COLOURS, Style, index_colours, make_palette
from skerry.maps.encode import encode_colours, encode_empty, encode_palette, encode_rgba
from skerry.maps.levels import Pyramid, read_window
from skerry.maps.warp import MAX_ZOOM, TILE_SIZE, choose_level, locate_tile, sample_tile
from skerry.storage.chunk_cache import ChunkCache

_BRIGHTNESS = np.round(np.maximum(np.arange(COLOURS + 1) - 1, 0) * 255 / (COLOURS - 1)).astype("u1")
"""Of each palette index from 1 to 255."""

DRAWING = 3
"""Version of drawing, part of ETags: raise it if a product and style give other pixels."""


class TileFormat(StrEnum):
    """The kind of PNG: 8-bit palette (small and fast) or 32-bit RGBA."""

    PALETTE = "palette"
    RGBA = "rgba"


def check_tile(z: int, x: int, y: int) -> None:
    """Refuse a tile that does not exist.

    Raises
    ------
    InvalidInputError
        If the zoom is beyond what is served.
    NotFoundError
        If column or row is outside the zoom's 2^z x 2^z tiles.
    """
    if not 0 <= z <= MAX_ZOOM:
        raise InvalidInputError(f"There is no zoom {z}.", remedy=f"Ask for zoom 0 to {MAX_ZOOM}.")
    if not (0 <= x < 2**z and 0 <= y < 2**z):
        raise NotFoundError(
            f"There is no tile {x}/{y} at zoom {z}.",
            remedy=f"Columns and rows go from 0 to {2**z - 1}.",
        )


def draw_tile(
    pyramid: Pyramid,
    chunks: ChunkCache,
    style: Style,
    tile: tuple[int, int, int],
    tile_format: TileFormat,
) -> bytes:
    """Return a tile as PNG, 256 x 256; where the product has nothing it is transparent.

    Parameters
    ----------
    tile
        Zoom, column and row of the XYZ scheme.
    """
    indices = _index_pixels(pyramid, chunks, style, tile)
    if indices is None or not indices.any():
        return encode_empty(TILE_SIZE)
    palette = make_palette(style)
    if tile_format is TileFormat.RGBA:
        return encode_rgba(indices, palette)
    return encode_palette(indices, palette)


def draw_composite(
    pyramids: Sequence[Pyramid],
    chunks: ChunkCache,
    styles: Sequence[Style],
    tile: tuple[int, int, int],
) -> bytes:
    """Return a tile as RGBA PNG, 256 x 256; transparent where a band has no value.

    Parameters
    ----------
    pyramids, styles
        Levels and styles of red, green and blue; only the styles' ranges count, from black to
        full colour.
    tile
        Zoom, column and row of the XYZ scheme.
    """
    colours = np.zeros((TILE_SIZE, TILE_SIZE, 4), np.uint8)
    opaque = np.ones((TILE_SIZE, TILE_SIZE), np.bool_)
    for at, (pyramid, style) in enumerate(zip(pyramids, styles, strict=True)):
        indices = _index_pixels(pyramid, chunks, style, tile)
        if indices is None:
            return encode_empty(TILE_SIZE)
        opaque &= indices > 0
        colours[..., at] = _BRIGHTNESS.take(indices)
    if not opaque.any():
        return encode_empty(TILE_SIZE)
    colours[..., 3] = 255
    colours[~opaque] = 0
    return encode_colours(colours)


def _index_pixels(
    pyramid: Pyramid, chunks: ChunkCache, style: Style, tile: tuple[int, int, int]
) -> NDArray[np.uint8] | None:
    """Return the palette index of each pixel (y, x); None if the product is not on the tile.

    Index 0 is transparent: outside of the product, where there is no data (numbers that its
    packing calls missing, NaN), and in classes that the style does not list, such as "no data".
    """
    grid = locate_tile(pyramid.crs, *tile)
    level = choose_level(pyramid, grid)
    sample = sample_tile(level, grid, partial(read_window, chunks, pyramid), pyramid.circle)
    if sample is None:
        return None
    indices = index_colours(sample.values, style, pyramid.packing)
    if sample.inside is not None:
        np.multiply(indices, sample.inside, out=indices, casting="unsafe")
    return indices
