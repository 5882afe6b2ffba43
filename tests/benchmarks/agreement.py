"""Do pictures show the same numbers? They are asked for in grey and read back as values."""

import io

import httpx
import numpy as np
from PIL import Image
from pyproj import Transformer
from rasterio.transform import from_bounds
from rasterio.warp import Resampling, reproject
from tests.benchmarks.product import NOISE

from skerry.maps.levels import Pyramid
from skerry.maps.mercator import EARTH_HALF
from skerry.maps.warp import choose_level, locate_tile, tile_bounds

EQUAL = 0.99
"""Share of pixels that have to be equal."""

ZOOMS = (10, 11, 12, 13, 14)
TILES_A_ZOOM = 5
_FULL = 0.97  # a tile is taken when this share of its pixels has data
GREY = "gray"
"""The colormap, known to every peer, whose colours are the values."""

# Each picture rounds to a grey; neighbouring cells of a field differ by the product's noise.
_EQUAL_WITHIN = 2 / 255 + 2 * NOISE

Tile = tuple[int, int, int]
Request = tuple[list[str], dict[str, str]]


def choose_tiles(pyramid: Pyramid) -> list[Tile]:
    """Return tiles of several zooms, spread over the product, nearly all of them data."""
    rng = np.random.default_rng(7)
    west, south, east, north = pyramid.bounds
    transformer = Transformer.from_crs(pyramid.crs, "EPSG:3857", always_xy=True)
    selected: list[Tile] = []
    for zoom in ZOOMS:
        side, result = 2 * EARTH_HALF / 2**zoom, set()
        for _ in range(400):
            px, py = rng.random(2)
            x, y = transformer.transform(west + px * (east - west), south + py * (north - south))
            tile = (zoom, int((x + EARTH_HALF) // side), int((EARTH_HALF - y) // side))
            if tile not in result and np.isfinite(warp_exactly(pyramid, tile)).mean() > _FULL:
                result.add(tile)
            if len(result) == TILES_A_ZOOM:
                break
        selected += sorted(result)
    return selected


def warp_exactly(pyramid: Pyramid, tile: Tile) -> np.ndarray:
    """Return physical values (256, 256) by rasterio's nearest neighbour; NaN without data."""
    level = choose_level(pyramid, locate_tile(pyramid.crs, *tile))
    stored = np.zeros((256, 256), pyramid.dtype)
    reproject(
        level.array[...], stored, src_transform=level.transform, src_crs=pyramid.crs,
        dst_transform=from_bounds(*tile_bounds(*tile), 256, 256), dst_crs="EPSG:3857",
        resampling=Resampling.nearest, tolerance=0,
    )  # fmt: skip
    return pyramid.packing.decode(stored)


def compare_pictures(ours: Request, theirs: Request) -> float:
    """Return the share of pixels that are equal in the pictures of two servers."""
    pairs = zip(fetch_values(*ours), fetch_values(*theirs), strict=True)
    return float(np.mean([measure_equality(own, other) for own, other in pairs]))


def compare_exactly(
    pyramid: Pyramid, tiles: list[Tile], urls: list[str], headers: dict[str, str]
) -> float:
    """Return the share of pixels of a server that equal the independent warp."""
    pairs = zip(fetch_values(urls, headers), tiles, strict=True)
    shares = [
        measure_equality(own, np.clip(warp_exactly(pyramid, tile), 0, 1)) for own, tile in pairs
    ]
    return float(np.mean(shares))


def measure_equality(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pixels with equal values, or with none in both."""
    close = np.abs(first - second) <= _EQUAL_WITHIN
    return float((close | (np.isnan(first) & np.isnan(second))).mean())


def fetch_values(urls: list[str], headers: dict[str, str]) -> list[np.ndarray]:
    """Return the pictures as values 0 to 1, NaN where transparent."""
    with httpx.Client(headers=headers, trust_env=False, timeout=120) as client:
        return [read_values(client.get(url).raise_for_status().content) for url in urls]


def read_values(png: bytes) -> np.ndarray:
    """Return the greys of a picture as 0 to 1, NaN where it is transparent."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    values = picture[..., 0] / 255
    values[picture[..., 3] == 0] = np.nan
    return values
