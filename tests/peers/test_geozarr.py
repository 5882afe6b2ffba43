"""rio-tiler's GeoZarr `GroupReader` reads what Skerry writes, and sees it where it is.

What is expected is computed here from the SAFE's own JP2 files, read with rasterio.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (makes .rio)
import xarray as xr

from skerry.products import open_product, write_geozarr
from skerry.products.simulate import simulate_s2_l2a

pytestmark = pytest.mark.peers

ROOT = Path(__file__).parents[2]
SIZE = 1098
RESOLUTIONS = {"r10m": 10, "r20m": 20, "r60m": 60}
SMALLEST = 256


def read_with_peer(store: Path) -> dict[str, Any]:
    """Return what `describe_geozarr.py` says in the peers' environment."""
    done = subprocess.run(
        [ROOT / ".peers/bin/python", ROOT / "tests/peers/describe_geozarr.py", store],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def expect_levels(west: float, north: float, cell: float, height: int, width: int) -> list[Any]:
    """Return shape, transform and bounds of each factor-2 level, odd sizes rounded up."""
    levels = []
    while True:
        east, south = west + width * cell, north - height * cell
        levels.append(
            {
                "shape": [height, width],
                "transform": [cell, 0.0, west, 0.0, -cell, north],
                "bounds": [west, south, east, north],
            }
        )
        if max(height, width) <= SMALLEST:
            return levels
        height, width, cell = (height + 1) // 2, (width + 1) // 2, cell * 2


def check_levels(found: list[dict[str, Any]], expected: list[Any], crs: str) -> None:
    assert len(found) == len(expected)
    for seen, wanted in zip(found, expected, strict=True):
        assert seen["crs"] == crs
        assert seen["shape"] == wanted["shape"]
        assert seen["transform"] == pytest.approx(wanted["transform"], abs=1e-6)
        assert seen["bounds"] == pytest.approx(wanted["bounds"], abs=1e-6)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_s2_l2a(tmp_path_factory.mktemp("scene"), size=SIZE)


@pytest.fixture(scope="module")
def seen(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = tmp_path_factory.mktemp("store") / "product.zarr"
    write_geozarr(open_product(scene), store)
    return read_with_peer(store)


@pytest.mark.parametrize("folder", RESOLUTIONS)
def test_reflectances_stand_where_the_safe_has_them(scene, seen, folder):
    jp2 = min(scene.rglob(f"IMG_DATA/R{folder[1:]}/*_B0[2-5]_*.jp2"))
    with rasterio.open(jp2) as band:
        crs, height, width = band.crs.to_string(), band.height, band.width
        west, north, cell = band.transform.c, band.transform.f, band.transform.a
    assert cell == RESOLUTIONS[folder]
    expected = expect_levels(west, north, cell, height, width)
    group = seen[f"measurements/reflectance/{folder}"]
    assert group["multiscale"]
    assert group["crs"] == crs
    assert group["bounds"] == pytest.approx(expected[0]["bounds"], abs=1e-6)
    assert group["transform"] == pytest.approx(expected[0]["transform"], abs=1e-6)
    assert group["zooms"][0] <= group["zooms"][1]
    assert group["variables"]
    for levels in group["variables"].values():
        check_levels(levels, expected, crs)


def test_odd_sizes_have_their_own_bounds_a_level(tmp_path):
    height, width, cell, west, north = 701, 515, 30.0, 312_345.0, 4_567_890.0
    values = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    coordinates = {
        "x": west + (np.arange(width) + 0.5) * cell,
        "y": north - (np.arange(height) + 0.5) * cell,
    }
    product = xr.Dataset({"turbidity": (("y", "x"), values)}, coords=coordinates)
    write_geozarr(product.rio.write_crs("EPSG:32722"), tmp_path / "odd.zarr")
    group = read_with_peer(tmp_path / "odd.zarr")[""]
    expected = expect_levels(west, north, cell, height, width)
    assert [level["shape"] for level in expected] == [[701, 515], [351, 258], [176, 129]]
    assert group["bounds"] == pytest.approx(expected[0]["bounds"])
    check_levels(group["variables"]["turbidity"], expected, "EPSG:32722")
