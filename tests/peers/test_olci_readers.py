"""satpy and ESA's CPM read the simulated OLCI products to the values of our reader.

Tolerances. CPM unpacks as the files say, in double precision: radiances agree to float32
rounding (relative 1e-6), all else exactly but for that. satpy does so too, and interpolates the
tie points with splines of its own: angles agree with ours at the tie points to 1e-6 degree.
"""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

from skerry.products import open_product
from skerry.products.simulate.olci import simulate_olci

SCRIPT = Path(__file__).with_name("read_olci.py")
SIZES = {"efr": 193, "err": 65}
"""Four tie points across and more: satpy's spline is cubic."""
FLOAT32 = 1e-6
"""Relative, and absolute near 0."""

Arrays = dict[str, npt.NDArray[Any]]


@pytest.fixture(scope="module", params=["efr", "err"])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind = request.param
    return simulate_olci(tmp_path_factory.mktemp(kind), kind=kind, size=SIZES[kind], seed=5)


@pytest.fixture(scope="module")
def tree(product: Path) -> xr.DataTree:
    return open_product(product)


def _read(python: Path, reader: str, product: Path, out: Path) -> Arrays:
    done = subprocess.run(
        [python, SCRIPT, reader, product, out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out, allow_pickle=True) as found:
        return {name: found[name] for name in found.files}


def test_satpy_reads_the_same(
    product: Path, tree: xr.DataTree, reference_python: Path, tmp_path: Path
) -> None:
    found = _read(reference_python, "satpy", product, tmp_path / "satpy.npz")
    for number in range(1, 22):
        ours = tree[f"measurements/oa{number:02d}_radiance"].to_numpy()
        np.testing.assert_allclose(found[f"Oa{number:02d}"], ours, rtol=FLOAT32, atol=FLOAT32)
    for name in ("latitude", "longitude"):
        np.testing.assert_allclose(found[name], tree[f"measurements/{name}"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found["altitude"], tree["measurements/altitude"])
    np.testing.assert_array_equal(found["quality_flags"], tree["quality/quality_flags"])
    step = tree.attrs["other_metadata"]["data_information"]["sampling"]["columns_per_tiepoint"]
    at_ties = {
        "solar_zenith_angle": "geometry/sza", "solar_azimuth_angle": "geometry/saa",
        "satellite_zenith_angle": "geometry/oza", "satellite_azimuth_angle": "geometry/oaa",
        "total_ozone": "meteorology/total_ozone",
        "sea_level_pressure": "meteorology/sea_level_pressure",
        "humidity": "meteorology/humidity",
        "total_columnar_water_vapour": "meteorology/total_columnar_water_vapour",
    }  # fmt: skip
    for theirs, ours in at_ties.items():
        np.testing.assert_allclose(
            found[theirs][:, ::step], tree[f"conditions/{ours}"], rtol=1e-6, atol=1e-6,
            err_msg=theirs,
        )  # fmt: skip


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
    for path in compared:
        np.testing.assert_allclose(
            found[path], tree[path], err_msg=path, rtol=FLOAT32, atol=FLOAT32
        )
    for path, coordinates in {
        "measurements/oa01_radiance": ("latitude", "longitude", "altitude", "time_stamp"),
        "conditions/geometry/sza": ("latitude", "longitude"),
        "conditions/meteorology/atmospheric_temperature_profile": ("pressure_level",),
    }.items():
        group = path.rpartition("/")[0]
        for name in coordinates:
            theirs = found[f"{path}@{name}"]
            expected = tree[f"{group}/{name}"].to_numpy()
            if name == "time_stamp":
                np.testing.assert_array_equal(theirs.astype("datetime64[ns]"), expected)
            else:
                np.testing.assert_allclose(theirs, expected, rtol=0, atol=1e-9)
