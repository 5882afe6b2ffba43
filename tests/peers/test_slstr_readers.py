"""satpy and ESA's CPM read the simulated SLSTR product to the values of our reader.

Tolerances. CPM unpacks as the files say, in double precision: values agree to float32 rounding
(relative 1e-6). satpy does so too. It interpolates angles from tie points with a spline of its
own: on the 1 km grid they agree to 0.01 degree with the directions from which the simulation made
both; the satellite's in the nadir view, which turn where the track is, 25 km and more beside it.

CPM's validator accepts the product written as Zarr v2 of profile ``cpm-2.8``, but for what it
cannot accept of anyone: its structure check wants ``model`` and ``parameter`` of the weather
fields in one place, its model wants them in another.
"""

import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from skerry.products import open_product
from skerry.products.eopf import write_eopf_zarr
from skerry.products.simulate.slstr import DEFAULT_DAY, OVERPASS, simulate_slstr_rbt
from skerry.products.simulate.slstr_grids import Swath, view_angles

SCRIPT = Path(__file__).with_name("read_slstr.py")
SIZE = 160
FLOAT32 = 1e-6
"""Relative, and absolute near 0."""
SPLINE_DEGREES = 0.01
BESIDE_TRACK_M = {"nadir": 25_000.0, "oblique": 0.0}
GROUPS = {
    "nadir": {"a": "anadir", "b": "bnadir", "i": "inadir", "f": "fnadir"},
    "oblique": {"a": "aoblique", "b": "boblique", "i": "ioblique", "f": "foblique"},
}
WEATHER = (
    "cloud_fraction", "dew_point", "east_west_stress", "latent_heat", "north_south_stress",
    "sea_ice_fraction", "sea_surface_temperature", "sensible_heat", "skin_temperature",
    "snow_albedo", "snow_depth", "soil_wetness", "solar_radiation", "specific_humidity",
    "surface_pressure", "temperature", "temperature_profile", "thermal_radiation",
    "total_column_ozone", "total_column_water_vapour", "u_wind", "v_wind",
)  # fmt: skip
"""The 22 variables on whose attributes CPM 2.8.1 contradicts itself."""

Arrays = dict[str, npt.NDArray[Any]]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slstr_rbt(tmp_path_factory.mktemp("slstr"), size=SIZE, seed=6)


@pytest.fixture(scope="module")
def tree(product: Path) -> xr.DataTree:
    return open_product(product).load()


def _read(python: Path, reader: str, product: Path, out: Path) -> Arrays:
    done = subprocess.run(
        [python, SCRIPT, reader, product, out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out, allow_pickle=True) as found:
        return {name: found[name] for name in found.files}


def _find_ours(tree: xr.DataTree, key: str) -> xr.DataArray:
    """Return our variable for satpy's ``name@view@stripe``."""
    name, view, stripe = key.split("@")
    group, grid = GROUPS[view][stripe], f"{stripe}{view[0]}"
    if name in {"latitude", "longitude", "elevation"}:
        return tree[f"measurements/{group}"][name]
    if name in {"cloud", "confidence", "pointing"}:
        return tree[f"quality/{group}/{name}_{grid}"]
    what = "radiance" if name in {"S1", "S2", "S3", "S4", "S5", "S6"} else "bt"
    return tree[f"measurements/{group}/{name.lower()}_{what}_{grid}"]


def test_satpy_reads_the_same(
    product: Path, tree: xr.DataTree, reference_python: Path, tmp_path: Path
) -> None:
    found = _read(reference_python, "satpy", product, tmp_path / "satpy.npz")
    measured = [key for key in found if key.count("@") == 2]
    assert len(measured) == 18 + 10 + 6 * 8
    for key in measured:
        np.testing.assert_allclose(
            found[key], _find_ours(tree, key), rtol=FLOAT32, atol=FLOAT32, err_msg=key
        )
    swath = Swath(SIZE, datetime.combine(DEFAULT_DAY, OVERPASS))
    for view in ("nadir", "oblique"):
        grid = f"i{view[0]}"
        ours = view_angles(swath, grid, view=view[0])
        off_track = np.abs(swath.positions(grid)[0]) > BESIDE_TRACK_M[view]
        for name, truth, where in (
            ("solar_zenith_angle", ours.solar_zenith, np.ones_like(off_track)),
            ("solar_azimuth_angle", ours.solar_azimuth, np.ones_like(off_track)),
            ("satellite_zenith_angle", ours.sat_zenith, off_track),
            ("satellite_azimuth_angle", ours.sat_azimuth, off_track),
        ):
            theirs = found[f"{name}@{view}"]
            turned = (theirs - truth + 180) % 360 - 180
            assert np.abs(turned[where]).max() < SPLINE_DEGREES, f"{name} {view}"


def test_cpm_reads_the_same(
    product: Path, tree: xr.DataTree, reference_python: Path, tmp_path: Path
) -> None:
    found = _read(reference_python, "cpm", product, tmp_path / "cpm.npz")
    compared = {path for path in found if "@" not in path}
    ours = {
        f"{node.path}/{name}".strip("/")
        for node in tree.subtree
        for name in node.to_dataset(inherit=False).data_vars
    }
    assert compared == ours
    assert len(compared) == 883
    for path in sorted(compared):
        expected = tree[path].to_numpy()
        if expected.dtype.kind == "M":
            np.testing.assert_array_equal(
                found[path].astype("datetime64[ns]"), expected, err_msg=path
            )
        else:
            np.testing.assert_allclose(
                found[path], expected, rtol=FLOAT32, atol=FLOAT32, err_msg=path
            )
    for name in ("x", "y", "latitude", "longitude"):
        np.testing.assert_allclose(
            found[f"measurements/anadir/s1_radiance_an@{name}"],
            tree["measurements/anadir"][name], rtol=0, atol=1e-9,
        )  # fmt: skip


def test_cpm_validates_what_we_write(
    tree: xr.DataTree, reference_python: Path, tmp_path: Path
) -> None:
    target = tmp_path / "S03SLSRBT.zarr"
    write_eopf_zarr(tree, target, zarr_format=2, profile="cpm-2.8")
    done = subprocess.run(
        [reference_python.with_name("eopf"), "validate", target, "--mode", "STRUCTURE | MODEL"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    said = (done.stdout + done.stderr).splitlines()
    assert any("successfully loaded" in line for line in said), said[-5:]
    anomalies = {line.split("** ")[1] for line in said if "** " in line}
    assert anomalies == {
        f"Attribute {attribute} not available in {name}_tp but is in model"
        for name in WEATHER
        for attribute in ("model", "parameter")
    }
