"""Variables that a group sees."""

import pytest
import xarray as xr

from skerry.products.healing.scope import find_in_scope


@pytest.mark.parametrize(("name", "value"), [("spatial_ref", 2), ("x", 1), ("y", None)])
def test_the_nearest_group_that_has_the_variable_counts(name: str, value: int | None) -> None:
    tree = {
        "/": xr.Dataset({"spatial_ref": 1, "x": 1}),
        "/measurements": xr.Dataset({"spatial_ref": 2}),
    }
    variable = find_in_scope(tree, "/measurements/r10m", name)
    assert (None if variable is None else int(variable)) == value
