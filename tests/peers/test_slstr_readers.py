"""satpy and ESA's CPM read the simulated SLSTR product to the values of our reader.

Tolerances. CPM unpacks as the files say, in double precision: values agree to float32 rounding
(a few parts in 1e7 of a variable's largest number). satpy does so too. It interpolates angles from
tie points with a spline of its own: on the 1 km grid they agree to 0.01 degree with the directions
from which the simulation made both; the satellite's in the nadir view, which turn where the track
is, 25 km and more beside it.
"""

from datetime import datetime

import numpy as np
import pytest
import xarray as xr
from tests.peers.comparison import (
    check_coordinates,
    check_values,
    check_variables,
    list_paths,
    list_variables,
)
from tests.peers.reference_process import ReferenceProcess
from tests.peers.simulated_products import DAY, SIZES, SimulatedProducts

from skerry.simulate.slstr.grids import Swath, view_angles
from skerry.simulate.slstr.product import OVERPASS

pytestmark = pytest.mark.peers

KIND = "slstr-rbt"
SPLINE_DEGREES = 0.01
BESIDE_TRACK_M = {"nadir": 25_000.0, "oblique": 0.0}
GROUPS = {
    "nadir": {"a": "anadir", "b": "bnadir", "i": "inadir", "f": "fnadir"},
    "oblique": {"a": "aoblique", "b": "boblique", "i": "ioblique", "f": "foblique"},
}
LOST = ("_tn@latitude", "_tn@longitude", "_tp@latitude", "_tp@longitude")
"""Places of tie points, which CPM makes NaN when it reads SAFE; those of the weather it reads from
our Zarr."""


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


def test_satpy_reads_the_same(simulated: SimulatedProducts, reference: ReferenceProcess) -> None:
    tree = simulated.tree(KIND)
    result = reference.ask("satpy_slstr", "read", path=simulated.safe(KIND))
    measured = [key for key in result if key.count("@") == 2]
    assert len(measured) == 18 + 10 + 6 * 8
    for key in measured:
        check_values(result[key], _find_ours(tree, key), key)
    swath = Swath(SIZES[KIND], datetime.combine(DAY, OVERPASS))
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
            theirs = result[f"{name}@{view}"]
            turned = (theirs - truth + 180) % 360 - 180
            assert np.abs(turned[where]).max() < SPLINE_DEGREES, f"{name} {view}"


def test_cpm_reads_the_same(simulated: SimulatedProducts, reference: ReferenceProcess) -> None:
    tree = simulated.tree(KIND)
    result = reference.read_with_cpm(simulated.safe(KIND))
    assert list_paths(result) == list_variables(tree)
    assert len(list_paths(result)) == 883
    check_variables(result, tree, list_paths(result))
    lost = [key for key in result if key.endswith(LOST) and key.startswith("conditions/")]
    assert len(lost) == 2 * (6 + 22)
    assert all(np.isnan(result.pop(key)).all() for key in lost)
    assert check_coordinates(result, tree) > 150
