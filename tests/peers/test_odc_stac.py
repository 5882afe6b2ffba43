"""odc-stac loads the items of our sets of COGs to our values."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from skerry.products import open_product, write_cog_set
from skerry.products.simulate import simulate_s2_l2a

pytestmark = pytest.mark.peers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated product as a set of COGs."""
    folder = tmp_path_factory.mktemp("scene")
    tree = open_product(simulate_s2_l2a(folder, size=300, seed=3))
    write_cog_set(tree, folder / "cogs")
    return folder / "cogs"


@pytest.mark.parametrize(("resolution", "bands"), [(20, ["b05", "b11"]), (10, ["b08"])])
def test_it_loads_to_our_values(
    resolution: int, bands: list[str], scene: Path, tmp_path: Path
) -> None:
    tree = open_product(scene)
    group = f"measurements/reflectance/r{resolution}m"
    names = {f"r{resolution}m-{one}": one for one in bands}
    command = [
        str(ROOT / ".peers/bin/python"), str(ROOT / "tests/peers/load_item.py"),
        str(scene / "item.json"), str(tmp_path / "out.npz"), "EPSG:32633", str(resolution), *names,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = np.load(tmp_path / "out.npz")
    for name, band in names.items():
        ours = tree[f"{group}/{band}"]
        numbers = seen[name].astype(np.float64)
        # odc-stac gives the numbers as they are stored, and nodata; scale and offset are ours.
        values = numbers * ours.encoding["scale_factor"] + ours.encoding["add_offset"]
        values[numbers == seen[f"{name}.nodata"]] = np.nan
        rows = np.searchsorted(-seen["y"], -ours["y"].to_numpy())
        columns = np.searchsorted(seen["x"], ours["x"].to_numpy())
        np.testing.assert_allclose(seen["y"][rows], ours["y"])
        np.testing.assert_allclose(seen["x"][columns], ours["x"])
        np.testing.assert_allclose(values[np.ix_(rows, columns)], ours, rtol=1e-6, atol=1e-7)
