"""satpy and ESA's CPM read the simulated OLCI products to the values of our reader.

Tolerances. CPM unpacks as the files say, in double precision: radiances agree to float32
rounding (a few parts in 1e7 of the largest), all else exactly but for that. satpy does so too,
and interpolates the tie points with splines of its own: angles agree with ours at the tie points
to 1e-6 degree.
"""

import numpy as np
import pytest
from tests.peers.comparison import (
    check_coordinates,
    check_values,
    check_variables,
    list_paths,
    list_variables,
)
from tests.peers.reference_process import ReferenceProcess
from tests.peers.simulated_products import SimulatedProducts

pytestmark = pytest.mark.peers

KINDS = ("olci-efr", "olci-err")


@pytest.mark.parametrize("kind", KINDS)
def test_satpy_reads_the_same(
    kind: str, simulated: SimulatedProducts, reference: ReferenceProcess
) -> None:
    tree = simulated.tree(kind)
    result = reference.ask("satpy_olci", "read", path=simulated.safe(kind))
    for number in range(1, 22):
        ours = tree[f"measurements/oa{number:02d}_radiance"]
        check_values(result[f"Oa{number:02d}"], ours, f"Oa{number:02d}")
    for name in ("latitude", "longitude"):
        np.testing.assert_allclose(result[name], tree[f"measurements/{name}"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(result["altitude"], tree["measurements/altitude"])
    np.testing.assert_array_equal(result["quality_flags"], tree["quality/quality_flags"])
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
            result[theirs][:, ::step], tree[f"conditions/{ours}"], rtol=1e-6, atol=1e-6,
            err_msg=theirs,
        )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_cpm_reads_the_same(
    kind: str, simulated: SimulatedProducts, reference: ReferenceProcess
) -> None:
    """All variables and their coordinates: places, times, pressure levels."""
    tree = simulated.tree(kind)
    result = reference.read_with_cpm(simulated.safe(kind))
    assert list_paths(result) == list_variables(tree)
    check_variables(result, tree, list_paths(result))
    assert {
        "measurements/oa01_radiance@latitude", "measurements/oa01_radiance@time_stamp",
        "conditions/meteorology/atmospheric_temperature_profile@pressure_level",
    } <= set(result)  # fmt: skip
    assert check_coordinates(result, tree) > 200
