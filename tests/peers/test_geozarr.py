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
from tests.peers.simulated_products import SimulatedProducts

from skerry.products import write_geozarr

pytestmark = pytest.mark.peers

SCRIPT = Path(__file__).with_name("describe_geozarr.py")
RESOLUTIONS = {"r10m": 10, "r20m": 20, "r60m": 60}
SHAPES = [(701, 515), (1024, 512), (257, 1999), (100, 30), (513, 257)]
CELL, WEST, NORTH = 30.0, 312_345.0, 4_567_890.0
SMALLEST = 256


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
    for seen, target in zip(found, expected, strict=True):
        assert seen["crs"] == crs
        assert seen["shape"] == target["shape"]
        assert seen["transform"] == pytest.approx(target["transform"], abs=1e-6)
        assert seen["bounds"] == pytest.approx(target["bounds"], abs=1e-6)


def write_image(place: Path, height: int, width: int) -> None:
    values = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
    coordinates = {
        "x": WEST + (np.arange(width) + 0.5) * CELL,
        "y": NORTH - (np.arange(height) + 0.5) * CELL,
    }
    image = xr.Dataset({"turbidity": (("y", "x"), values)}, coords=coordinates)
    write_geozarr(image.rio.write_crs("EPSG:32722"), place)


@pytest.fixture(scope="module")
def seen(
    simulated: SimulatedProducts, peers_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[Any, Any]:
    """Return what the peer sees in a product and in images of all `SHAPES`."""
    folder = tmp_path_factory.mktemp("stores")
    stores: dict[Any, Path] = {"product": folder / "product.zarr"}
    write_geozarr(simulated.tree("s2-l2a"), stores["product"])
    for height, width in SHAPES:
        stores[height, width] = folder / f"{height}-{width}.zarr"
        write_image(stores[height, width], height, width)
    done = subprocess.run(
        [peers_python, SCRIPT, *stores.values()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(stores, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("folder", RESOLUTIONS)
def test_reflectances_stand_where_the_safe_has_them(
    folder: str, simulated: SimulatedProducts, seen: dict[Any, Any]
) -> None:
    jp2 = min(simulated.safe("s2-l2a").rglob(f"IMG_DATA/R{folder[1:]}/*_B0[2-5]_*.jp2"))
    with rasterio.open(jp2) as band:
        crs, height, width = band.crs.to_string(), band.height, band.width
        west, north, cell = band.transform.c, band.transform.f, band.transform.a
    assert cell == RESOLUTIONS[folder]
    expected = expect_levels(west, north, cell, height, width)
    group = seen["product"][f"measurements/reflectance/{folder}"]
    assert group["multiscale"]
    assert group["crs"] == crs
    assert group["bounds"] == pytest.approx(expected[0]["bounds"], abs=1e-6)
    assert group["transform"] == pytest.approx(expected[0]["transform"], abs=1e-6)
    assert group["zooms"][0] <= group["zooms"][1]
    assert group["variables"]
    for levels in group["variables"].values():
        check_levels(levels, expected, crs)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_odd_sizes_have_their_own_bounds_a_level(
    height: int, width: int, seen: dict[Any, Any]
) -> None:
    group = seen[height, width][""]
    expected = expect_levels(WEST, NORTH, CELL, height, width)
    assert group["bounds"] == pytest.approx(expected[0]["bounds"])
    assert list(group["variables"]) == ["turbidity"]
    check_levels(group["variables"]["turbidity"], expected, "EPSG:32722")


def test_levels_are_those_of_the_sizes_alone() -> None:
    levels = expect_levels(WEST, NORTH, CELL, 701, 515)
    assert [level["shape"] for level in levels] == [[701, 515], [351, 258], [176, 129]]
