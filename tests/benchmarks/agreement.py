"""Do pictures show the same numbers? Colours are turned back into values and compared."""

import io

import httpx
import numpy as np
from matplotlib import colormaps
from PIL import Image
from pyproj import Transformer
from rasterio.transform import Affine, from_bounds
from rasterio.warp import Resampling, reproject

from skerry.maps.levels import Pyramid
from skerry.maps.warp import EARTH_HALF, choose_level, locate_tile, tile_bounds

EQUAL = 0.99
"""Share of pixels that have to be equal."""

ZOOMS = (10, 11, 12, 13, 14)
TILES_A_ZOOM = 5
_FULL = 0.97  # a tile is taken when this share of its pixels has data
# Two steps of a palette: one to round the value, one to tell our 255 colours from others' 256.
_STEP = 2 / 255
_COLOURS = (colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.int32)

Tile = tuple[int, int, int]
Request = tuple[list[str], dict[str, str]]


def choose_tiles(pyramid: Pyramid) -> list[Tile]:
    """Return tiles of several zooms, spread over the product, nearly all of them data."""
    rng = np.random.default_rng(7)
    west, south, east, north = pyramid.bounds
    transformer = Transformer.from_crs(pyramid.crs, "EPSG:3857", always_xy=True)
    chosen: list[Tile] = []
    for zoom in ZOOMS:
        side, found = 2 * EARTH_HALF / 2**zoom, set()
        for _ in range(400):
            px, py = rng.random(2)
            x, y = transformer.transform(west + px * (east - west), south + py * (north - south))
            tile = (zoom, int((x + EARTH_HALF) // side), int((EARTH_HALF - y) // side))
            if tile not in found and np.isfinite(warp_exactly(pyramid, tile)).mean() > _FULL:
                found.add(tile)
            if len(found) == TILES_A_ZOOM:
                break
        chosen += sorted(found)
    return chosen


def warp_exactly(pyramid: Pyramid, tile: Tile) -> np.ndarray:
    """Return physical values (256, 256) by rasterio's nearest neighbour; NaN without data."""
    level = choose_level(pyramid, locate_tile(pyramid.crs, *tile))
    stored = np.zeros((256, 256), pyramid.dtype)
    reproject(
        level.array[...], stored, src_transform=Affine(*level.transform), src_crs=pyramid.crs,
        dst_transform=from_bounds(*tile_bounds(*tile), 256, 256), dst_crs="EPSG:3857",
        resampling=Resampling.nearest, tolerance=0,
    )  # fmt: skip
    values = stored * pyramid.packing.scale + pyramid.packing.offset
    values[stored == pyramid.packing.nodata] = np.nan
    return values


def compare_pictures(ours: Request, theirs: Request) -> float:
    """Return the share of pixels that are equal in the pictures of two servers."""
    pairs = zip(fetch_values(*ours), fetch_values(*theirs), strict=True)
    return float(np.mean([measure_equality(mine, other) for mine, other in pairs]))


def compare_exactly(
    pyramid: Pyramid, tiles: list[Tile], urls: list[str], headers: dict[str, str]
) -> float:
    """Return the share of pixels of a server that equal the independent warp."""
    pairs = zip(fetch_values(urls, headers), tiles, strict=True)
    shares = [
        measure_equality(mine, np.clip(warp_exactly(pyramid, tile), 0, 1)) for mine, tile in pairs
    ]
    return float(np.mean(shares))


def measure_equality(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of pixels with equal values, or with none in both."""
    close = np.abs(first - second) <= _STEP
    return float((close | (np.isnan(first) & np.isnan(second))).mean())


def fetch_values(urls: list[str], headers: dict[str, str]) -> list[np.ndarray]:
    """Return the pictures as values 0 to 1, NaN where transparent."""
    with httpx.Client(headers=headers, trust_env=False, timeout=120) as client:
        return [read_values(client.get(url).raise_for_status().content) for url in urls]


def read_values(png: bytes) -> np.ndarray:
    """Turn viridis back into values 0 to 1."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    colours, inverse = np.unique(picture.reshape(-1, 4), axis=0, return_inverse=True)
    distance = np.abs(colours[:, None, :3].astype(np.int32) - _COLOURS).sum(axis=-1)
    values = distance.argmin(axis=1) / (len(_COLOURS) - 1)
    values[colours[:, 3] == 0] = np.nan
    return values[inverse.reshape(-1)].reshape(picture.shape[:2])
