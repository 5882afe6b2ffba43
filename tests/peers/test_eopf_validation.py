"""EOPF CPM 2.8.1 finds our products valid and opens them to our values."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skerry.products import open_product
from skerry.products.eopf import write_eopf_zarr
from skerry.products.simulate.olci import simulate_olci
from skerry.products.simulate.sentinel_2 import simulate_s2_l1c, simulate_s2_l2a
from skerry.products.simulate.slstr import simulate_slstr_rbt

pytestmark = pytest.mark.peers

ROOT = Path(__file__).parents[2]
SIMULATORS: dict[str, Any] = {
    "S02MSIL1C": lambda out: simulate_s2_l1c(out, size=240),
    "S02MSIL2A": lambda out: simulate_s2_l2a(out, size=240),
    "S03OLCEFR": lambda out: simulate_olci(out, kind="efr", size=129),
    "S03SLSRBT": lambda out: simulate_slstr_rbt(out, size=120),
}
CONTRADICTED = [
    f"{name}_tp"
    for name in (
        "cloud_fraction", "dew_point", "east_west_stress", "latent_heat", "north_south_stress",
        "sea_ice_fraction", "sea_surface_temperature", "sensible_heat", "skin_temperature",
        "snow_albedo", "snow_depth", "soil_wetness", "solar_radiation", "specific_humidity",
        "surface_pressure", "temperature_profile", "temperature", "thermal_radiation",
        "total_column_ozone", "total_column_water_vapour", "u_wind", "v_wind",
    )
]  # fmt: skip
"""Variables of RBT: MODEL wants attributes `model` and `parameter`, which STRUCTURE forbids."""


@pytest.fixture(scope="module", params=SIMULATORS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the product type, our tree, and where it stands as profile cpm-2.8."""
    folder = tmp_path_factory.mktemp(request.param)
    tree = open_product(SIMULATORS[request.param](folder))
    write_eopf_zarr(tree, folder / "cpm.zarr", zarr_format=2, profile="cpm-2.8")
    return request.param, tree, folder / "cpm.zarr"


def validate(python: Path, place: Path, mode: str) -> list[str]:
    """Return the anomalies that `eopf validate` reports."""
    done = subprocess.run(
        [python.with_name("eopf"), "validate", "--mode", mode, place],
        capture_output=True, text=True, check=False, cwd=place.parent,
        env={**os.environ, "DASK_DISTRIBUTED__DASHBOARD__LINK": ""},
    )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    assert any("successfully loaded, starting to validate" in one for one in lines), lines[-5:]
    found = [one.partition("** ")[2] for one in lines if "** " in one]
    assert (done.returncode == 0) == (not found)
    return found


def test_the_validator_finds_no_anomaly(product: Any, reference_python: Path) -> None:
    name, _, place = product
    expected = []
    if name == "S03SLSRBT":
        expected = [
            f"Attribute {attribute} not available in {one} but is in model"
            for one in CONTRADICTED
            for attribute in ("model", "parameter")
        ]
    assert sorted(validate(reference_python, place, "STRUCTURE | MODEL")) == sorted(expected)


def test_the_validator_finds_what_is_wrong(product: Any, reference_python: Path) -> None:
    _, tree, place = product
    part = tree.filter(lambda node: not node.path.startswith("/conditions"))
    part.attrs = tree.attrs
    write_eopf_zarr(part, place.with_name("part.zarr"), zarr_format=2, profile="cpm-2.8")
    assert validate(reference_python, place.with_name("part.zarr"), "STRUCTURE") == []
    assert validate(reference_python, place.with_name("part.zarr"), "STRUCTURE | MODEL") != []


def test_cpm_reads_our_values(product: Any, reference_python: Path) -> None:
    """CPM's values of every variable of the measurements, in its own decoding, are ours."""
    _, tree, place = product
    done = subprocess.run(
        [reference_python, ROOT / "tests/reference/read_values.py", place],
        capture_output=True, text=True, check=False, cwd=place.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    values = json.loads(done.stdout.splitlines()[-1])
    assert len(values) > 5
    for path, (mean, missing) in values.items():
        ours = tree[path].values.astype(np.float64)
        # Ours are float32 where CPM computes float64.
        assert np.isnan(ours).sum() == missing, path
        if missing < ours.size:
            assert np.nanmean(ours) == pytest.approx(mean, rel=1e-6, abs=1e-6), path


def test_the_profile_data_are_the_validators(reference_python: Path) -> None:
    done = subprocess.run(
        [reference_python, ROOT / "tests/reference/describe_models.py"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    data = ROOT / "platform/skerry/products/eopf/cpm_2_8.json"
    assert json.loads(done.stdout.splitlines()[-1]) == json.loads(data.read_text())
