"""Maps draw the same from a folder and from a bucket."""

import shutil

import numpy as np
import pytest
from tests.object_stores import store
from tests.pyramids import open_pyramid as open_in_folder

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps.colour import Style
from skerry.maps.opening import open_pyramid
from skerry.maps.store import GeoZarrReader
from skerry.maps.tiles import TileFormat, draw_tile
from skerry.storage.chunk_cache import ChunkCache
from skerry.storage.objects import Objects

__all__ = ["store"]

KEY = "imports/1/product.zarr"


def test_a_tile_is_the_same_picture(store: Objects, write_pyramid) -> None:
    values = np.arange(400 * 400, dtype="f4").reshape(400, 400)
    path = write_pyramid(values)
    with store.filling("imports/1/") as folder:
        shutil.copytree(path, folder / "product.zarr")
    style = Style("viridis", 0, 160_000)
    cache = ChunkCache(2**26)
    tile = (14, 8816, 5826)  # 13.73 degrees east, 46.03 north
    drawn = draw_tile(open_pyramid(store, KEY, "v", "1"), cache, style, tile, TileFormat.PALETTE)
    again = open_in_folder(path, "v", "1")
    assert drawn == draw_tile(again, ChunkCache(2**26), style, tile, TileFormat.PALETTE)
    misses = cache.misses
    assert misses
    draw_tile(open_pyramid(store, KEY, "v", "1"), cache, style, tile, TileFormat.PALETTE)
    assert cache.misses == misses, "the second tile needs no byte of the store"


def test_what_is_missing_or_too_large_is_named(store: Objects, write_pyramid) -> None:
    path = write_pyramid(np.zeros((64, 64), "f4"))
    with store.filling("imports/1/") as folder:
        shutil.copytree(path, folder / "product.zarr")
    with pytest.raises(NotFoundError):
        open_pyramid(store, "imports/2/product.zarr", "v", "1")
    with pytest.raises(NotFoundError):
        open_pyramid(store, KEY, "w", "1")
    reader = GeoZarrReader(store, KEY)
    assert reader.exists("zarr.json")
    assert not reader.exists("zarr.jso")
    store.write(f"{KEY}/0/zarr.json", bytes(2**24 + 1))
    with pytest.raises(InvalidInputError, match="at most 16,777,216"):
        reader.read("0/zarr.json", None)
