"""odc-stac and stackstac load the items of our sets of COGs to our values."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pystac
import pytest
import stackstac
import xarray as xr
from tests.peers.comparison import check_values
from tests.peers.simulated_products import SimulatedProducts

from skerry.products import write_cog_set

pytestmark = pytest.mark.peers

SCRIPT = Path(__file__).with_name("load_item.py")
REFLECTANCE = "measurements/reflectance/r{}m"
SCENE_CLASSES = "conditions/mask/l2a_classification/r20m/scl"
ASSETS: dict[int, dict[str, str]] = {
    10: {
        f"r10m-{entry}": f"{REFLECTANCE.format(10)}/{entry}"
        for entry in ("b02", "b03", "b04", "b08")
    },
    20: {
        **{f"r20m-{entry}": f"{REFLECTANCE.format(20)}/{entry}" for entry in ("b05", "b8a", "b11")},
        "r20m-scl": SCENE_CLASSES,
        "r20m-wvp": "quality/atmosphere/r20m/wvp",
    },
    60: {f"r60m-{entry}": f"{REFLECTANCE.format(60)}/{entry}" for entry in ("b01", "b09")},
}
"""Pixel size to assets and the variables that they are."""


@pytest.fixture(scope="module")
def item(simulated: SimulatedProducts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the item of a simulated product's set of COGs."""
    folder = tmp_path_factory.mktemp("scene") / "cogs"
    write_cog_set(simulated.tree("s2-l2a"), folder)
    return folder / "item.json"


def find_pixels(ours: xr.DataArray, x: npt.NDArray, y: npt.NDArray) -> tuple[npt.NDArray, ...]:
    """Return where a loader's image, which may reach further, has our pixels."""
    rows, columns = np.searchsorted(-y, -ours["y"].to_numpy()), np.searchsorted(x, ours["x"])
    np.testing.assert_array_equal(y[rows], ours["y"])
    np.testing.assert_array_equal(x[columns], ours["x"])
    return np.ix_(rows, columns)


def check_image(theirs: npt.NDArray, ours: xr.DataArray, what: str) -> None:
    values = ours.to_numpy()
    if not what.endswith("wvp"):  # the simulated water vapour is the same everywhere
        assert len(np.unique(values[np.isfinite(values)])) > 2, what
    check_values(theirs.astype(values.dtype), values, what)


@pytest.mark.parametrize("resolution", ASSETS)
def test_odc_stac_loads_it_to_our_values(
    resolution: int,
    item: Path,
    simulated: SimulatedProducts,
    peers_python: Path,
    tmp_path: Path,
) -> None:
    command = [
        peers_python, SCRIPT, item, tmp_path / "out.npz", "EPSG:32633", str(resolution),
        *ASSETS[resolution],
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = np.load(tmp_path / "out.npz")
    for name, path in ASSETS[resolution].items():
        ours = simulated.tree("s2-l2a")[path]
        numbers = seen[name]
        if ours.dtype.kind == "f":
            # odc-stac gives the numbers as they are stored, and nodata; scale and offset are ours.
            packing = ours.encoding
            values = numbers * packing["scale_factor"] + packing["add_offset"]
            values[numbers == seen[f"{name}.nodata"]] = np.nan
            numbers = values
        check_image(numbers[find_pixels(ours, seen["x"], seen["y"])], ours, name)


@pytest.mark.parametrize("resolution", ASSETS)
def test_stackstac_loads_it_to_our_values(
    resolution: int, item: Path, simulated: SimulatedProducts
) -> None:
    """Unpacked by the scale and offset that the item gives."""
    loaded = pystac.Item.from_file(str(item))
    loaded.make_asset_hrefs_absolute()
    stack = stackstac.stack(
        [loaded], assets=list(ASSETS[resolution]), epsg=32633, resolution=resolution, rescale=True,
        fill_value=np.float64(np.nan), snap_bounds=False, xy_coords="center",
    ).compute()  # fmt: skip
    for number, (name, path) in enumerate(ASSETS[resolution].items()):
        ours = simulated.tree("s2-l2a")[path]
        theirs = stack[0, number].to_numpy()
        theirs = theirs[find_pixels(ours, stack.x.to_numpy(), stack.y.to_numpy())]
        if ours.dtype.kind in "iu":
            assert np.isfinite(theirs).all()
        check_image(theirs, ours, name)
