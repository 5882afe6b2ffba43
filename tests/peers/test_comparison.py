"""A peer that reads something else is noticed, whatever the unit."""

import numpy as np
import pytest
import xarray as xr
from tests.peers.comparison import check_values, list_variables
from tests.peers.simulated_products import SIZES, SimulatedProducts

pytestmark = pytest.mark.peers


def notices(theirs: np.ndarray, ours: np.ndarray) -> bool:
    try:
        check_values(theirs, ours, "")
    except AssertionError:
        return True
    return False


def list_numbers(tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Return the variables that hold numbers other than 0."""
    result = {path: tree[path].to_numpy() for path in sorted(list_variables(tree))}
    return {
        path: item
        for path, item in result.items()
        if item.dtype.kind in "iuf" and np.nan_to_num(item.astype(np.float64)).any()
    }


@pytest.mark.parametrize("kind", SIZES)
def test_a_wrong_scale_is_noticed(kind: str, simulated: SimulatedProducts) -> None:
    for path, values in list_numbers(simulated.tree(kind)).items():
        assert notices(values * 0.99999, values), path
        assert not notices(values * (1 + 1e-16), values), path


def test_rounding_to_float32_is_none() -> None:
    values = np.random.default_rng(1).normal(0, 1e-6, 1000)
    assert not notices(values.astype(np.float32), values)
    assert notices(values.astype(np.float16), values)
