"""The Sentinel-1 mapping against the metadata of a real product; only with SKERRY_REAL_DATA."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from skerry.products import open_product
from skerry.simulate.sentinel_1.product import simulate_s1_iw_grd

pytestmark = pytest.mark.real_data

TIMES_NOT_TRUTH_VALUES = {
    "conditions/doppler_centroid/fine_dce_azimuth_start_time",
    "conditions/doppler_centroid/fine_dce_azimuth_stop_time",
}
"""The annotation has times; the real metadata call them Booleans."""
UNITS_ADDED = {"1", "m", "s", "degrees", "degrees_north", "degrees_east"}
"""Where the real metadata give none."""


def read_product() -> dict[str, Any]:
    folder = Path(os.environ["SKERRY_REAL_DATA"]) / "eopf/s1"
    result: dict[str, Any] = json.loads(next(folder.glob("*.json")).read_text("utf-8"))
    return result


def find_member(product: dict[str, Any], polarisation: str) -> dict[str, Any]:
    members = product["members"]
    return next(item for name, item in members.items() if name.endswith(polarisation))


def list_arrays(node: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    result = {}
    for name, item in (node.get("members") or {}).items():
        place = f"{path}/{name}".strip("/")
        result |= {place: item} if "shape" in item else list_arrays(item, place)
    return result


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    return open_product(simulate_s1_iw_grd(tmp_path_factory.mktemp("s1"), size=60))


@pytest.mark.parametrize("polarisation", ["VV", "VH"])
def test_names_dimensions_and_types_are_those_of_the_real_product(
    tree: xr.DataTree, polarisation: str
) -> None:
    member = next(item for name, item in tree.children.items() if name.endswith(polarisation))
    ours = {
        f"{node.path.removeprefix(member.path).strip('/')}/{name}": variable
        for node in member.subtree
        for name, variable in node.to_dataset(inherit=False).variables.items()
    }
    real = list_arrays(find_member(read_product(), polarisation))
    assert set(ours) == set(real)
    for name, entry in real.items():
        attrs = entry["attributes"]
        assert list(ours[name].dims) == attrs["_ARRAY_DIMENSIONS"], name
        if name in TIMES_NOT_TRUTH_VALUES:
            assert ours[name].dtype.kind == "M"
        elif str(attrs.get("units", "")).split()[1:2] == ["since"]:
            assert ours[name].dtype == np.dtype("datetime64[ns]"), name
        elif np.dtype(entry["dtype"]).kind == "U":
            assert ours[name].dtype.kind == "U", name
        else:
            assert ours[name].dtype == np.dtype(entry["dtype"]), name
            units = ours[name].attrs.get("units")
            assert units == attrs.get("units") or units in UNITS_ADDED, name


def test_the_real_attributes_are_there(tree: xr.DataTree) -> None:
    product = read_product()
    real = product["attributes"]["stac_discovery"]["properties"]
    ours = tree.attrs["stac_discovery"]["properties"]
    # What STAC calls `providers` and `instruments`, and the later name of the data take.
    assert set(real) - set(ours) == {"provider", "eopf:datatake_id"}
    assert {"providers", "eopf:data_take_id"} <= set(ours)
    own = find_member(product, "VV")["attributes"]["stac_discovery"]["properties"]
    member = next(iter(tree.children.values()))
    assert set(own) - set(member.attrs["stac_discovery"]["properties"]) == {"instrument"}


def test_the_real_members_are_named_as_ours_are() -> None:
    """A324 is the cycle, (56700 - 73) // 175 + 1, not the relative orbit, 103."""
    product = read_product()
    properties = product["attributes"]["stac_discovery"]["properties"]
    cycle = (properties["sat:absolute_orbit"] - 73) // 175 + 1
    datatake = f"{int(properties['eopf:datatake_id']):06X}"
    for name in product["members"]:
        assert f"_A{cycle}_" in name
        assert f"_{datatake}_" in name
