"""The mapping of SLSTR L1 RBT against a real product's metadata (`SKERRY_REAL_DATA` has them)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from skerry.products.sensors.mapping import load_mapping

pytestmark = pytest.mark.real_data

KNOWN_SLIPS = {
    "long_name measurements/fnadir/f1_bt_fn": "a blank is missing",
    "long_name measurements/ioblique/orphan/s9_bt": "it says channel s8",
    "long_name conditions/instrument/aoblique/s4/s4_band_centre_ao": "it says nadir view",
    "units conditions/meteorology/t_series": "counted from each product's own hour",
    "valid_min conditions/meteorology/latitude": "of values, elsewhere of numbers",
    "valid_max conditions/meteorology/latitude": "of values, elsewhere of numbers",
    "valid_min conditions/meteorology/longitude": "of values, elsewhere of numbers",
    "valid_max conditions/meteorology/longitude": "of values, elsewhere of numbers",
}
"""Where the real metadata differ from the mapping, and why."""


def test_the_mapping_is_what_the_real_metadata_show() -> None:
    mapping = load_mapping("sentinel_3_slstr_rbt")
    kinds = {
        f"{group.path}/{name}": mapping.kind_of(group, variable)
        for group in mapping.groups
        for name, variable in group.variables.items()
    }
    [file] = Path(os.environ["SKERRY_REAL_DATA"], "eopf/s3").glob("S03SLSRBT_*.json")
    metadata: dict[str, Any] = json.loads(file.read_text())["metadata"]
    arrays = {key.removesuffix("/.zarray") for key in metadata if key.endswith("/.zarray")}
    assert arrays == set(kinds)
    compared = (
        "long_name", "standard_name", "units", "valid_min", "valid_max", "flag_masks",
        "flag_meanings", "model", "parameter",
    )  # fmt: skip
    slips = set()
    for path in arrays:
        kind, attrs = kinds[path], metadata[f"{path}/.zattrs"]
        assert list(kind.dims) == attrs["_ARRAY_DIMENSIONS"], path
        slips |= {
            f"{key} {path}"
            for key in compared
            if key in attrs and str(attrs[key]).lower() != str(kind.attrs.get(key)).lower()
        }
    assert slips == set(KNOWN_SLIPS)
