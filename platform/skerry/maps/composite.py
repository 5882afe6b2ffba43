"""True colour: three bands of an item as red, green and blue."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from skerry.maps.chunks import read_window
from skerry.maps.colour import COLOURS, Style, index_colours
from skerry.maps.encode import encode_colours, encode_empty
from skerry.maps.levels import Pyramid
from skerry.maps.warp import TILE_SIZE, choose_level, locate_tile, sample_tile
from skerry.storage.chunk_cache import ChunkCache

_FULL = np.round(np.maximum(np.arange(COLOURS + 1) - 1, 0) * 255 / (COLOURS - 1)).astype(np.uint8)
"""Palette index (1 to 255) to brightness."""


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
    picture = np.zeros((TILE_SIZE, TILE_SIZE, 4), np.uint8)
    opaque = np.ones((TILE_SIZE, TILE_SIZE), np.bool_)
    for at, (pyramid, style) in enumerate(zip(pyramids, styles, strict=True)):
        grid = locate_tile(pyramid.crs, *tile)
        level = choose_level(pyramid, grid)
        sample = sample_tile(level, grid, partial(read_window, chunks, pyramid), pyramid.circle)
        if sample is None:
            return encode_empty(TILE_SIZE)
        steps = index_colours(sample.values, style, pyramid.packing)
        opaque &= steps > 0
        if sample.inside is not None:
            opaque &= sample.inside
        picture[..., at] = _FULL.take(steps)
    if not opaque.any():
        return encode_empty(TILE_SIZE)
    picture[..., 3] = 255
    picture[~opaque] = 0
    return encode_colours(picture)
