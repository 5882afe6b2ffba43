"""A variable's attributes on disk, in the spelling of each profile.

Array attributes are what CF readers see, ``_eopf_attrs`` what EOPF CPM sees besides; CPM also
sees those array attributes that `SEEN` names. What the validator of ``cpm-2.8`` does not allow
a variable stands in ``_cf_attrs``, where only this package looks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from skerry.products.coding.cf import EOPF, HIDDEN, set_apart_array
from skerry.products.coding.json_values import to_document
from skerry.products.coding.packing import DECODED, FACTORS, Packing, fit_fill, values_type
from skerry.products.coding.stored_numbers import spell_fill
from skerry.products.coding.times import SPANS, Clock
from skerry.products.eopf.form import Form
from skerry.products.healing.profiles import VariableModel

SEEN = frozenset({
    "fill_value", "_FillValue", "add_offset", "scale_factor", "units", "flag_values",
    "flag_masks", "flag_meanings", "dimensions", "standard_name", "long_name", "dtype",
    "coordinates",
})  # fmt: skip
ALLOWED = SEEN | {"valid_min", "valid_max", "short_name", "eopf_target_dtype"}
"""Attributes that STRUCTURE allows for every variable."""


@dataclass(frozen=True)
class ArrayAttributes:
    """Attributes of an array as JSON, and the array's fill value, None for none."""

    values: dict[str, Any]
    fill: Any


def describe_attributes(
    path: str,
    variable: xr.Variable,
    coordinates: list[str],
    *,
    dtype: np.dtype[Any],
    packing: Packing | None,
    kind: VariableModel | None,
    packed: bool,
    clock: Clock | None,
    form: Form,
) -> ArrayAttributes:
    """Return the attributes of a variable's array.

    Parameters
    ----------
    path
        Path of the variable.
    variable
        Canonical.
    coordinates
        Names of its coordinates that are not its dimensions'.
    dtype
        Type of the stored numbers.
    packing
        The packing of the source, if it has one.
    kind
        What the validator's model says of the variable, for ``cpm-2.8``.
    packed
        Whether the stored numbers have that packing.
    clock
        How times and spans are counted.
    form
        Profile and format.
    """
    name = path.rpartition("/")[2]
    short = name if form.model is None else form.model.short_name_of(path)
    fill = _find_fill(variable, packing, clock)
    apart = set_apart_array(variable)
    hidden: dict[str, Any] = {} if "long_name" in apart else {"long_name": None}
    own: dict[str, Any] = {"long_name": apart.pop("long_name", name)}
    own |= apart
    own["dtype"] = _name_dtype(variable, dtype, packing)
    if clock is not None:
        own |= _describe_clock(clock)
    if coordinates:
        own["coordinates"] = " ".join(coordinates)
    if "grid_mapping" in variable.encoding:
        own["grid_mapping"] = variable.encoding["grid_mapping"]
    source = None
    if packing is not None:
        source = {key: item for key, item in packing.attrs.items() if key in FACTORS}
    own |= _name_decoded(variable, dtype, apart | {"_FillValue": fill} | (source or {}))
    if form.profile == "2025":
        written = _spell_2025(own, variable, source, fill, short, packed=packed, form=form)
    else:
        written = _spell_cpm(own, variable, source, fill, short, kind=kind, packed=packed)
    if hidden:
        written[HIDDEN] = written.get(HIDDEN, {}) | hidden
    masked = packed or clock is not None
    _place_fill(written, fill, dtype, clock, form, masked=masked)
    if form.zarr_format == 2:  # noqa: PLR2004 -- the format's name
        written["_ARRAY_DIMENSIONS"] = [str(dim) for dim in variable.dims]
    return ArrayAttributes(to_document(written), _fill_of(written, fill, dtype, masked=masked))


def _place_fill(
    written: dict[str, Any], fill: Any, dtype: np.dtype[Any], clock: Clock | None, form: Form,
    *, masked: bool,
) -> None:  # fmt: skip
    """Write the number for no data in an attribute, too, beside the array's own fill value."""
    if fill is None:
        return
    if clock is not None and form.profile != "2025":
        written[HIDDEN] = written.get(HIDDEN, {}) | {"_FillValue": fill}
    elif form.zarr_format != 2 and (masked or dtype.kind in "iu"):  # noqa: PLR2004 -- its name
        written["_FillValue"] = spell_fill(fill, dtype)


def _find_fill(variable: xr.Variable, packing: Packing | None, clock: Clock | None) -> Any:
    if clock is not None:
        return clock.missing
    stored = variable.dtype if packing is None else packing.stored
    return fit_fill(variable.encoding.get("_FillValue"), stored)


def _name_decoded(
    variable: xr.Variable, dtype: np.dtype[Any], attrs: dict[str, Any]
) -> dict[str, str]:
    """Name the values' type if it does not follow from the stored numbers' type."""
    follows = variable.dtype.kind not in "iuf" or variable.dtype == values_type(dtype, attrs)
    return {} if follows else {DECODED: variable.dtype.name}


def _describe_clock(clock: Clock) -> dict[str, Any]:
    """Return the attributes of times and spans; spans of nanoseconds have no unit."""
    if clock.calendar:
        return {"units": clock.units, "calendar": clock.calendar, "dtype": "<M8[ns]"}
    units = {} if clock.units == "nanoseconds" else {"units": clock.units}
    return units | {"dtype": SPANS[1]}


def _spell_2025(
    own: dict[str, Any],
    variable: xr.Variable,
    source: dict[str, Any] | None,
    fill: Any,
    name: str,
    *,
    packed: bool,
    form: Form,
) -> dict[str, Any]:
    if form.product_type.startswith("S02") and isinstance(own.get("flag_meanings"), str):
        own["flag_meanings"] = own["flag_meanings"].split()
    eopf: dict[str, Any] = {"dimensions": [str(dim) for dim in variable.dims], "short_name": name}
    eopf |= {key: item for key, item in own.items() if key in ALLOWED and key != "coordinates"}
    eopf["coordinates"] = own.get("coordinates", "").split()
    eopf |= source or {}
    if fill is not None and variable.dtype.kind not in "Mm":
        eopf["fill_value"] = fill
    if source is not None:
        eopf["eopf_target_dtype"] = variable.dtype.str
        eopf["eopf_is_masked"] = True
        if not packed:
            eopf["eopf_is_scaled"] = True
    if packed:
        own |= source or {}
        if fill is not None:
            own["fill_value"] = fill
    else:
        # The numbers are values: a valid range in packed numbers belongs to the source.
        for key in ("valid_min", "valid_max"):
            own.pop(key, None) if source is not None else None
    if form.product_type.startswith("S03") and "units" in own and variable.dtype.kind != "M":
        eopf["data_units"] = own["units"]
    return own | {EOPF: eopf}


def _spell_cpm(
    own: dict[str, Any],
    variable: xr.Variable,
    source: dict[str, Any] | None,
    fill: Any,
    name: str,
    *,
    kind: VariableModel | None,
    packed: bool,
) -> dict[str, Any]:
    allowed = ALLOWED if kind is None else kind.attrs | {"long_name", "short_name", "dtype"}
    if variable.dtype.kind == "M":
        allowed = allowed | {"units"}  # decoding takes it away before the validator looks
    target = kind.dtype if kind is not None else variable.dtype.name
    eopf: dict[str, Any] = {"short_name": name, "long_name": own["long_name"]}
    eopf["dtype"] = own["dtype"]
    attrs = dict(own) | ((source or {}) if packed else {})
    if fill is not None and (packed or variable.dtype.kind == "f"):
        attrs["fill_value"] = fill
    if packed and np.dtype(target).kind == "f":
        attrs["eopf_target_dtype"] = np.dtype(target).str
    hidden = {
        key: item
        for key, item in attrs.items()
        if key in ALLOWED and key not in allowed and key != "dtype"
    } | _hide_source(variable, source, fill, packed=packed)
    for key in ("valid_min", "valid_max", "flag_values", "flag_masks", "flag_meanings"):
        if key in attrs and key not in hidden:
            eopf[key] = attrs[key]
    for key in ("scale_factor", "add_offset", "fill_value", "eopf_target_dtype"):
        if key in attrs and key not in hidden:
            eopf[key] = attrs.pop(key)
    visible = {
        key: item
        for key, item in attrs.items()
        if key not in hidden and key not in ("eopf_target_dtype", "fill_value", *FACTORS)
    }
    if packed:
        visible |= {key: eopf[key] for key in FACTORS if key in eopf}
    attrs_of_array = visible | {EOPF: eopf}
    return attrs_of_array | {HIDDEN: hidden} if hidden else attrs_of_array


def _hide_source(
    variable: xr.Variable, source: dict[str, Any] | None, fill: Any, *, packed: bool
) -> dict[str, Any]:
    """Return attributes to hide from CPM, which would decode or mask by them."""
    if source is not None and not packed:
        return source | {"decoded": True, "fill_value": fill}
    return {"fill_value": fill} if fill is not None and variable.dtype.kind in "iu" else {}


def _name_dtype(variable: xr.Variable, dtype: np.dtype[Any], packing: Packing | None) -> str:
    if packing is not None:
        return str(packing.stored.str)
    return str(variable.dtype.str) if variable.dtype.kind in "mU" else str(dtype.str)


def _fill_of(attrs: dict[str, Any], fill: Any, dtype: np.dtype[Any], *, masked: bool) -> Any:
    """Return the array's fill value: the packing's where CPM may see one."""
    if fill is None or {"fill_value", "_FillValue"} & set(attrs.get(HIDDEN, {})):
        return None
    if dtype.kind == "f":
        return float(fill)
    return int(fill) if masked and dtype.kind in "iu" else None
