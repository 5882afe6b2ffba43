"""Keep attributes that describe the storage of Zarr arrays and groups apart from others."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from skerry.products.coding.cf import list_reserved
from skerry.products.coding.json_values import set_apart
from skerry.products.coding.packing import DECODED
from skerry.products.coding.zarr_conventions import GROUP_KEYS, GROUP_PREFIXES

EOPF = "_eopf_attrs"
HIDDEN = "_cf_attrs"
STRUCTURE = (
    "_ARRAY_DIMENSIONS", "dimensions", "coordinates", "dtype", "short_name", "fill_value",
    "eopf_is_masked", "eopf_is_scaled", "eopf_target_dtype", "_eopf_decode_datetime64", DECODED,
    "decoded",
)  # fmt: skip
"""Attributes of arrays that say how they are stored, not what the variable is."""


def set_apart_array(variable: xr.Variable) -> dict[str, Any]:
    """Return a variable's attributes; names that Zarr readers use for the array are set apart."""
    names = (*STRUCTURE, EOPF, HIDDEN, *list_reserved(variable))
    return set_apart(variable.attrs, names, ("proj:",), nothing=True)


def set_apart_group(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a group's attributes; names by which readers recognise GeoZarr are set apart."""
    return set_apart(attrs, GROUP_KEYS, GROUP_PREFIXES)
