"""The OLCI mapping against the metadata of a real product, where SKERRY_REAL_DATA names them."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skerry.products.sensors.mapping import load_mapping

pytestmark = pytest.mark.real_data

ODD = {"quality/orphans/oa04_radiance_unc", "quality/orphans/oa15_radiance_unc"}
"""Variables whose dimensions the real metadata lost (``dim_0``, ``dim_1``)."""
INDICES_ONLY = {"conditions/meteorology/pressure_level"}
"""hPa as the file has them; the real metadata number them."""
NO_FILL = "time_stamp", "relative_spectral_covariance"
"""Their fills (9999, 0) are the converter's, not the file's."""


def _read_arrays() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    folder = Path(os.environ["SKERRY_REAL_DATA"]) / "eopf/s3"
    entries = json.loads(next(folder.glob("S03OLCEFR_*.json")).read_text("utf-8"))["metadata"]
    return {
        name.removesuffix("/.zarray"): (entry, entries[name.replace(".zarray", ".zattrs")])
        for name, entry in entries.items()
        if name.endswith("/.zarray")
    }


def test_every_variable_is_mapped_with_its_packing_and_attributes() -> None:
    mapping = load_mapping("sentinel_3_olci_efr")
    kinds = {
        f"{group.path}/{name}": mapping.kind_of(group, variable)
        for group in mapping.groups
        for name, variable in group.variables.items()
    }
    arrays = _read_arrays()
    assert set(kinds) == set(arrays)
    for name, (_, attrs) in arrays.items():
        kind = kinds[name]
        original = attrs.get("_eopf_attrs") or attrs
        if name not in ODD:
            assert list(kind.dims) == attrs["_ARRAY_DIMENSIONS"], name
        for key in ("long_name", "standard_name", "valid_min", "valid_max", "flag_masks"):
            assert kind.attrs.get(key) == original.get(key), (name, key)
        if name in INDICES_ONLY:
            continue
        if kind.dtype:
            assert np.dtype(kind.dtype) == np.dtype(original["dtype"]), name
        for key in ("scale_factor", "add_offset"):
            assert getattr(kind, key) == original.get(key), (name, key)
        if not name.endswith(NO_FILL):
            assert kind.fill_value == original.get("fill_value"), name
            assert kind.attrs.get("units") == original.get("data_units"), name


def test_values_get_the_real_types() -> None:
    from skerry.products.safe.numbers import choose_coding

    mapping = load_mapping("sentinel_3_olci_efr")
    arrays = _read_arrays()
    for group in mapping.groups:
        for name, variable in group.variables.items():
            kind = mapping.kind_of(group, variable)
            path = f"{group.path}/{name}"
            if kind.dtype and path not in INDICES_ONLY and name != "time_stamp":
                result = choose_coding(kind, {}, np.dtype(kind.dtype)).dtype
                assert result == np.dtype(arrays[path][0]["dtype"]), path
