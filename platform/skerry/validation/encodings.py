"""Checks of encodings: packing, fill values, valid ranges."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from skerry.validation.registry import check
from skerry.validation.subject import ArrayFacts, Subject, arrays_with, is_number

_PACKING = {
    "scale_factor": "scale_factor", "add_offset": "add_offset", "fill_value": "_FillValue",
}  # fmt: skip
"""Names in `_eopf_attrs`, and the names of the same facts in the array's own attributes."""


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    """Return whether a number can be stored as `dtype` without change."""
    if dtype.kind == "f":
        return isinstance(value, int | float)
    if dtype.kind not in "iu" or not is_number(value) or float(value) != int(value):
        return False
    limits = np.iinfo(dtype)
    return bool(limits.min <= int(value) <= limits.max)


@check(
    "encodings.packing",
    of=arrays_with("scale_factor", "add_offset"),
    remedy="Give scale_factor a finite number other than 0 and add_offset a finite number.",
)
def packing_is_usable(array: ArrayFacts, _: Subject) -> str | None:
    """Scale and offset are numbers that can unpack values from stored integers."""
    if array.dtype.kind == "f" and {"scale_factor", "add_offset"} & (
        set(array.attrs) - set(array.eopf)
    ):
        return f"packs {array.dtype}, but CF allows only integers (8.1)"
    scale, offset = array.attrs.get("scale_factor", 1.0), array.attrs.get("add_offset", 0.0)
    if not is_number(scale) or float(scale) == 0.0:
        return f"has the scale_factor {scale!r}"
    return None if is_number(offset) else f"has the add_offset {offset!r}"


@check(
    "encodings.fill-value",
    of=arrays_with("_FillValue", "fill_value"),
    remedy="Give _FillValue a number of the stored type.",
)
def fill_fits(array: ArrayFacts, _: Subject) -> str | None:
    """The fill value is a number of the stored type."""
    fill = array.missing_number
    if fill is None or array.dtype.kind not in "iuf" or fill == "NaN":
        return None
    # In current archives, decoded floats in EOPF Zarr name the fill value of the packed source.
    stored = np.dtype(str(array.attrs.get("dtype", array.dtype)))
    kind = stored if stored.kind in "iu" else array.dtype
    return None if _fits(fill, kind) else f"has the fill value {fill!r} in {array.dtype}"


def _said_twice(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    """Give integers whose packing is in `_eopf_attrs` and in the array's own attributes."""
    for path, item in subject.arrays.items():
        if item.dtype.kind in "iu" and any(key in item.eopf for key in _PACKING):
            yield path, item


@check(
    "encodings.agree",
    of=_said_twice,
    remedy="Write the same packing in both places, or write it in only one place.",
)
def packing_statements_agree(array: ArrayFacts, _: Subject) -> str | None:
    """The packing in _eopf_attrs equals the packing in the array's own attributes."""
    for key, other in _PACKING.items():
        number, inner = array.attrs.get(other), array.eopf.get(key)
        if number is None or inner is None or not (is_number(number) and is_number(inner)):
            continue
        if float(number) != float(inner):
            return f"has the {other} {number} and {key} {inner} in _eopf_attrs"
    return None


def _with_both_fills(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    for path, item in subject.arrays.items():
        if (
            item.dtype.kind in "iu"
            and is_number(item.missing_number)
            and item.fill_value is not None
        ):
            yield path, item


@check(
    "encodings.absent-chunks",
    of=_with_both_fills,
    remedy="Give the array the fill value that _FillValue names.",
)
def absent_chunks_are_gaps(array: ArrayFacts, _: Subject) -> str | None:
    """The array's fill value, which readers use for absent chunks, equals _FillValue."""
    fill, missing_number = array.fill_value, array.missing_number
    if not _fits(missing_number, array.dtype) or float(fill) == float(missing_number):
        return None
    return f"reads as {fill} where a chunk is absent, but its _FillValue is {missing_number}"


@check(
    "encodings.fill-is-invalid",
    of=arrays_with("valid_min", "valid_max"),
    remedy="Move the fill value out of the valid range, or shrink the range.",
)
def fill_is_no_measurement(array: ArrayFacts, _: Subject) -> str | None:
    """The fill value of packed numbers is outside the valid range."""
    fill = array.missing_number
    low, high = (array.attrs.get(key) for key in ("valid_min", "valid_max"))
    if array.dtype.kind not in "iu" or not is_number(fill):
        return None
    above = low is None or float(fill) >= float(low)
    below = high is None or float(fill) <= float(high)
    return f"has the fill value {fill} between {low} and {high}" if above and below else None


@check(
    "encodings.valid-range",
    of=arrays_with("valid_min", "valid_max", "valid_range"),
    remedy="Give valid_min and valid_max in stored numbers (CF 2.5.1), the smaller one first.",
)
def range_is_possible(array: ArrayFacts, _: Subject) -> str | None:
    """The valid range is a range of the stored type."""
    low, high = array.attrs.get("valid_range") or (
        array.attrs.get("valid_min"), array.attrs.get("valid_max")
    )  # fmt: skip
    limits = [item for item in (low, high) if item is not None]
    if not all(is_number(item) for item in limits):
        return f"has the range {low!r} to {high!r}"
    if len(limits) > 1 and float(limits[0]) > float(limits[1]):
        return f"has the range {low} to {high}, which is empty"
    if array.dtype.kind in "iu" and not all(_fits(item, array.dtype) for item in limits):
        return f"has the range {low} to {high}, which {array.dtype} cannot hold"
    return None
