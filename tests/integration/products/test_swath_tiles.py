"""Tiles of swaths lie where the swath's pixels lie: the nearest, found by hand on a sphere."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer
from tests.pyramids import open_pyramid

from skerry.maps.levels import Pyramid, read_window
from skerry.maps.mercator import EARTH_HALF
from skerry.maps.warp import choose_level, locate_tile, sample_tile, tile_bounds
from skerry.products import open_product, write_geozarr
from skerry.products.pictures.drawable import find_drawable
from skerry.products.pictures.map_rasters import rasterize_swath
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate import simulate_product
from skerry.storage.chunk_cache import ChunkCache

pytestmark = pytest.mark.long

EARTH_RADIUS = 6_371_000.0
SENSORS = {
    "olci-err": ("sentinel_3_olci_err", "oa08_radiance", 300, 1200.0),
    "slstr-rbt": ("sentinel_3_slstr_rbt", "s3_radiance", 300, 500.0),
    "s1-iw-grd": ("sentinel_1_iw_grd", "vv", 300, 40.0),
}
"""By kind: mapping file, variable on the map, edge of the scene, edge of a map pixel in metres."""


def to_space(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Metres from the middle of a sphere, ``(n, 3)``."""
    east, north = np.radians(longitude).ravel(), np.radians(latitude).ravel()
    return EARTH_RADIUS * np.stack(
        [np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1
    )


def find_nearest(swath: np.ndarray, here: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the nearest pixels are, and which, nearest first; every pixel is tried."""
    away, which = [], []
    for part in np.array_split(here, 40):
        squares = (part**2).sum(axis=1)[:, None] + (swath**2).sum(axis=1) - 2 * part @ swath.T
        some = np.argpartition(squares, count, axis=1)[:, :count]
        some = np.take_along_axis(
            some, np.argsort(np.take_along_axis(squares, some, axis=1), axis=1), axis=1
        )
        which.append(some)
        away.append(np.sqrt(np.maximum(np.take_along_axis(squares, some, axis=1), 0)))
    return np.concatenate(away), np.concatenate(which)


def read_swath(tree: xr.DataTree, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return longitude, latitude and value of all pixels, from the product alone."""
    if kind != "s1-iw-grd":
        group, name = {
            "olci-err": ("measurements", "oa08_radiance"),
            "slstr-rbt": ("measurements/anadir", "s3_radiance_an"),
        }[kind]
        data = tree[group].to_dataset()
        return tuple(data[key].to_numpy() for key in ("longitude", "latitude", name))
    member = next(name for name in tree.children if name.endswith("_VV"))
    data, points = (tree[f"{member}/{group}"] for group in ("measurements", "conditions/gcp"))
    echoes = data["grd"].to_numpy().astype(np.float64)
    echoes[echoes == 0] = np.nan
    means = echoes.reshape(75, 4, 75, 4).mean(axis=(1, 3))
    lines, pixels = (
        np.asarray(data[name])[:300].reshape(-1, 4).mean(axis=1) for name in ("line", "pixel")
    )
    places = []
    for key in ("longitude", "latitude"):
        along = [np.interp(pixels, points["pixel"], row) for row in points[key].to_numpy()]
        columns = [np.interp(lines, points["line"], column) for column in np.transpose(along)]
        places.append(np.transpose(columns))
    return places[0], places[1], means


def draw_middle(pyramid: Pyramid, longitude: float, latitude: float) -> tuple[np.ndarray, ...]:
    """Return longitude, latitude and value of a tile's pixels, at the finest level's zoom."""
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True).transform(
        longitude, latitude
    )
    pixel = 2 * EARTH_HALF / 256 * np.cos(np.radians(latitude)) / pyramid.levels[0].resolution
    zoom = round(np.log2(pixel))
    side = 2 * EARTH_HALF / 2**zoom
    tile = (zoom, int((x + EARTH_HALF) // side), int((EARTH_HALF - y) // side))
    grid = locate_tile(pyramid.crs, *tile)
    assert choose_level(pyramid, grid) is pyramid.levels[0]
    sample = sample_tile(pyramid.levels[0], grid, partial(read_window, ChunkCache(2**26), pyramid))
    assert sample is not None
    scale, offset = pyramid.packing.factors
    values = np.where(
        np.isin(sample.values, pyramid.packing.missing), np.nan, sample.values * scale + offset
    )
    if sample.inside is not None:
        values = np.where(sample.inside, values, np.nan)
    west, south, east, north = tile_bounds(*tile)
    steps = (np.arange(256) + 0.5) / 256
    xs, ys = np.meshgrid(west + steps * (east - west), north - steps * (north - south))
    places = Transformer.from_crs("EPSG:3857", "OGC:CRS84", always_xy=True).transform(xs, ys)
    return *places, values


@pytest.mark.slow
@pytest.mark.parametrize("kind", SENSORS)
def test_pixels_of_a_tile_are_the_swath_s_nearest(kind: str, tmp_path: Path) -> None:
    mapping_name, variable, size, resolution = SENSORS[kind]
    tree = open_product(
        simulate_product(kind, tmp_path / "scene", size=size, day="2026-05-01", seed=3)
    )
    write_geozarr(rasterize_swath(tree, load_mapping(mapping_name)), tmp_path / "map.zarr")
    layer = find_drawable(tmp_path / "map.zarr")[variable]
    pyramid = open_pyramid(tmp_path / "map.zarr", layer["path"], "1")
    longitude, latitude, values = read_swath(tree, kind)
    middle = (float(np.nanmean(longitude)), float(np.nanmean(latitude)))
    *places, drawn = draw_middle(pyramid, *middle)

    finite = np.isfinite(longitude) & np.isfinite(latitude)
    swath = to_space(longitude[finite], latitude[finite])
    pixels = np.flatnonzero(np.isfinite(drawn))
    assert pixels.size > 2000, "the tile shows much of the product"
    selected = np.random.default_rng(1).choice(pixels, 2000, replace=False)
    here = to_space(places[0].ravel()[selected], places[1].ravel()[selected])
    shown = drawn.ravel()[selected]
    away, nearest = find_nearest(swath, here, 16)
    candidates = values[finite][nearest]
    step = max(pyramid.packing.factors[0], 1e-6 * np.nanmax(np.abs(values))) * 0.75
    same = np.abs(candidates - shown[:, None]) <= step

    # the map's pixel may lie half a diagonal off the tile's, and has the swath's nearest there
    near = away <= away[:, :1] + resolution * np.sqrt(2)
    assert (same & near).any(axis=1).mean() > 0.99
    assert same[:, 0].mean() > 0.5, "most often it is the very nearest"
    # the comparison tells: two pixels of the map further on the values are others
    _, moved = find_nearest(swath, here + resolution * 2.5, 1)
    elsewhere = np.abs(values[finite][moved[:, 0]] - shown) <= step
    assert elsewhere.mean() < same[:, 0].mean() / 2
