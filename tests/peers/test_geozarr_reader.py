"""rio-tiler's GeoZarr reader opens what we write; an independent computation agrees with it."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.products import open_product, write_geozarr
from skerry.products.simulate import simulate_s2_l2a

pytestmark = pytest.mark.peers

ROOT = Path(__file__).parents[2]
LEFT, TOP = 399_960.0, 6_000_000.0
SIZE = 1098
"""Pixels of the simulated product's 10 m grid; half of it, 549, is odd."""


def _read(folder: Path, variable: str) -> dict[str, Any]:
    script = Path(__file__).with_name("read_geozarr.py")
    command = [str(ROOT / ".peers" / "bin" / "python"), str(script), str(folder), variable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _expect(rows: int, columns: int, step: float) -> list[dict[str, Any]]:
    """Compute the levels from the sizes alone, each from the first and not from the one before."""
    last = max(0, math.ceil(math.log2(max(rows, columns) / 256)))
    return [
        {
            "shape": [math.ceil(rows / 2**level), math.ceil(columns / 2**level)],
            "transform": [step * 2**level, 0.0, LEFT, 0.0, -step * 2**level, TOP],
            "crs": 32633,
        }
        for level in range(last + 1)
    ]


@pytest.mark.parametrize(
    ("rows", "columns"), [(1031, 773), (1024, 512), (257, 1999), (100, 30), (513, 257)]
)
def test_one_dataset(rows: int, columns: int, tmp_path: Path) -> None:
    grid = GeoBox((rows, columns), Affine(20.0, 0.0, LEFT, 0.0, -20.0, TOP), "EPSG:32633")
    values = np.random.default_rng(1).uniform(0, 40, (rows, columns)).astype(np.float32)
    data = xr.Dataset({"turbidity": (("y", "x"), values)}, coords=xr_coords(grid, "spatial_ref"))
    write_geozarr(data, tmp_path / "turbidity.zarr")
    seen = _read(tmp_path / "turbidity.zarr", "turbidity")
    bounds = [LEFT, TOP - 20.0 * rows, LEFT + 20.0 * columns, TOP]
    assert seen["crs"] == 32633
    assert seen["bounds"] == seen["variable_bounds"] == bounds
    assert seen["variables"] == ["turbidity"]
    assert seen["levels"] == _expect(rows, columns, 20.0)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated product's measurements as GeoZarr."""
    folder = tmp_path_factory.mktemp("product")
    tree = open_product(simulate_s2_l2a(folder, size=SIZE))
    write_geozarr(tree, folder / "product.zarr", leave_out=("quality", "conditions"))
    return folder / "product.zarr"


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_a_whole_product(resolution: int, product: Path) -> None:
    group = f"measurements/reflectance/r{resolution}m"
    seen = _read(product, f"{group}:b04")
    bounds = [LEFT, TOP - 10.0 * SIZE, LEFT + 10.0 * SIZE, TOP]
    assert seen["crs"] == 32633
    assert seen["bounds"] == seen["variable_bounds"] == bounds
    assert f"{group}:b04" in seen["variables"]
    pixels = SIZE * 10 // resolution
    assert seen["levels"] == _expect(pixels, pixels, float(resolution))
