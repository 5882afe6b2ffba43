"""odc-stac loads the items of our sets of COGs to our values."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.peers.simulated_products import SimulatedProducts

from skerry.products import open_product, write_cog_set

pytestmark = pytest.mark.peers

SCRIPT = Path(__file__).with_name("load_item.py")


@pytest.fixture(scope="module")
def scene(simulated: SimulatedProducts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a simulated product as a set of COGs."""
    folder = tmp_path_factory.mktemp("scene") / "cogs"
    write_cog_set(simulated.tree("s2-l2a"), folder)
    return folder


@pytest.mark.parametrize(("resolution", "bands"), [(20, ["b05", "b11"]), (10, ["b08"])])
def test_it_loads_to_our_values(
    resolution: int, bands: list[str], scene: Path, peers_python: Path, tmp_path: Path
) -> None:
    tree = open_product(scene)
    group = f"measurements/reflectance/r{resolution}m"
    names = {f"r{resolution}m-{one}": one for one in bands}
    command = [
        peers_python, SCRIPT, scene / "item.json", tmp_path / "out.npz", "EPSG:32633",
        str(resolution), *names,
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
