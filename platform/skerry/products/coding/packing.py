"""Packed numbers and physical values: ``value = number * scale_factor + add_offset``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError

if TYPE_CHECKING:  # maps do not need xarray
    import xarray as xr

NARROW_BYTES = 2
"""Packed integers of at most this many bytes become float32, wider integers float64."""
EXACT_BYTES = 4
"""Floating-point numbers cannot hold every integer of more than this many bytes."""
SHORT_OFFSET = 2**18
"""With offsets of up to this many steps, float32 has enough digits for 16-bit numbers."""
BLOCK_PIXELS = 2**17
"""How many numbers are converted at a time."""
FACTORS = ("scale_factor", "add_offset")
DECODED = "decoded_dtype"
"""Attribute that holds the values' type where it differs from `values_type`."""
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Packing:
    """How values are stored as numbers.

    Attributes
    ----------
    stored, values
        Types of the numbers and of the values.
    scale, offset
        value = number * scale + offset; None where the source gives no factor (then 1 and 0 hold).
    missing
        Numbers that mean no measurement (NaN); writing uses the first.
    name
        Name of the variable, for messages.
    """

    stored: np.dtype[Any]
    values: np.dtype[Any]
    scale: float | None = None
    offset: float | None = None
    missing: tuple[float, ...] = ()
    name: str = field(default="values", compare=False)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.values

    @property
    def factors(self) -> tuple[float, float]:
        """Scale and offset; 1 and 0 if the source does not give them."""
        return (1.0 if self.scale is None else self.scale, self.offset or 0.0)

    @property
    def attrs(self) -> dict[str, Any]:
        """The packing as CF attributes; only the attributes that the source has."""
        attrs = {"scale_factor": self.scale, "add_offset": self.offset}
        attrs["_FillValue"] = self.missing[0] if self.missing else None
        return {key: item for key, item in attrs.items() if item is not None}

    def decode(self, numbers: Numbers) -> Numbers:
        """Turn numbers into values; numbers in `missing` become NaN, of integers the first of them.

        Numbers of the other signedness (``_Unsigned``) have their bits read as the stored type.
        """
        numbers = numbers.astype(self.stored, copy=False)
        if self.values.kind != "f":
            if len(self.missing) > 1:
                gaps = np.isin(numbers, np.array(self.missing[1:], self.stored))
                numbers = np.where(gaps, self.stored.type(self.missing[0]), numbers)
            return numbers.astype(self.values)
        return _map_blocks(self._decode_part, numbers, self.values)

    def encode(self, values: Numbers, *, saturate: bool = False) -> Numbers:
        """Turn values into numbers; the inverse of `decode`.

        A value whose number would mean no measurement gets the number next to it, so that a
        measurement never becomes a gap.

        Parameters
        ----------
        values
            Values, NaN = no measurement.
        saturate
            Whether values out of the stored type's range, also infinite values, become the nearest
            end of the range, as in an instrument.

        Raises
        ------
        InvalidInputError
            If values are out of range and do not saturate, or are NaN and the packing has no
            number for NaN.
        """
        if values.dtype.kind != "f":
            return values.astype(self.stored)
        return _map_blocks(partial(self._encode_part, saturate=saturate), values, self.stored)

    def _decode_part(self, part: Numbers) -> Numbers:
        scale, offset = self.factors
        if (scale, offset) == (1.0, 0.0):
            values: Numbers = part.astype(self.values)
        else:
            values = np.asarray(part * np.float64(scale) + np.float64(offset), self.values)
        for item in self.missing:
            values[part == item] = np.nan
        return values

    def _encode_part(self, part: Numbers, *, saturate: bool) -> Numbers:
        scale, offset = self.factors
        gaps = np.isnan(part)
        empty = bool(gaps.any())
        if empty and not self.missing and self.stored.kind != "f":
            raise InvalidInputError(
                f"{self.name} has missing values (NaN), and no number of its packing "
                f"({self.stored.name}) stands for them.",
                remedy="Set encoding['_FillValue'] to such a number, or remove encoding['dtype'] "
                "to write the values as they are.",
            )
        numbers = part
        if (scale, offset) != (1.0, 0.0):
            wide = np.float64 if self._needs_digits else part.dtype.type
            numbers = (part - wide(offset)) / wide(scale)
        if self.stored.kind != "f":
            numbers = np.where(gaps, 0, numbers) if empty else numbers
            if not saturate:
                self._check_range(part, numbers)
            numbers = round_into(numbers, self.stored)
        else:
            numbers = numbers.astype(self.stored)
        for item in self.missing:
            numbers[numbers == item] = self._beside(item)
        if empty and self.missing:
            numbers[gaps] = self.missing[0]
        return numbers

    def _check_range(self, values: Numbers, numbers: Numbers) -> None:
        """Refuse values that are not what the stored numbers would say.

        A packing is kept when xarray changes values in place or joins scenes, and may not fit any
        longer.
        """
        limits = np.iinfo(self.stored)
        scale, offset = self.factors
        ends = sorted(float(end) * scale + offset for end in (limits.min, limits.max))
        digits = 4 * float(np.finfo(values.dtype).eps) * max(map(abs, ends))
        slack = 1 + digits / (abs(scale) or 1.0)  # the values' own rounding, in numbers
        if not numbers.size or (
            numbers.min() > float(limits.min) - slack and numbers.max() < float(limits.max) + slack
        ):
            return
        raise InvalidInputError(
            f"{self.name} has values from {np.nanmin(values):g} to {np.nanmax(values):g}, and its "
            f"packing ({self.stored.name}, scale {scale:g}, offset {offset:g}) holds those from "
            f"{ends[0]:g} to {ends[1]:g}.",
            remedy="Remove encoding['dtype'] to write the values as they are, or set those that "
            "mean nothing to NaN.",
        )

    @property
    def _needs_digits(self) -> bool:
        """Tell whether arithmetic in float32 could miss a stored number."""
        narrow = self.stored.kind != "f" and self.stored.itemsize <= NARROW_BYTES
        return not narrow or not _is_short(*self.factors)

    def _beside(self, missing: float) -> Any:
        """Return the number nearest to a missing one that is not missing."""
        if self.stored.kind == "f":
            towards = np.array(1.0 if missing == 0 else 0.0, self.stored)
            return np.nextafter(np.array(missing, self.stored), towards)
        limits = np.iinfo(self.stored)
        near = (missing + step for size in range(1, 9) for step in (size, -size))
        return next(
            item for item in near if limits.min <= item <= limits.max and item not in self.missing
        )


def round_into(numbers: Numbers, dtype: np.dtype[Any]) -> Numbers:
    """Round to whole numbers of a type; numbers out of its range become the range's ends."""
    limits = np.iinfo(dtype)
    top = float(limits.max)
    if dtype.itemsize > NARROW_BYTES:  # float32 cannot hold all of these numbers
        numbers = numbers.astype(np.float64)
    if int(top) > limits.max:  # and float64 cannot hold 2**63 - 1
        top = float(np.nextafter(top, 0))
    rounded: Numbers = np.clip(np.rint(numbers), limits.min, top).astype(dtype)
    return rounded


def _map_blocks(
    change: Callable[[Numbers], Numbers], numbers: Numbers, dtype: npt.DTypeLike
) -> Numbers:
    """Apply `change` part by part, so that its intermediate values stay in the CPU's cache."""
    changed = np.empty(numbers.shape, dtype)
    flat, target = numbers.reshape(-1), changed.reshape(-1)
    for start in range(0, flat.size, BLOCK_PIXELS):
        part = slice(start, start + BLOCK_PIXELS)
        target[part] = change(flat[part])
    return changed


def packing_of(variable: "xr.DataArray | xr.Variable", name: str = "") -> Packing | None:
    """Return a variable's packing if its encoding says that its values are packed, else None."""
    encoding = variable.encoding
    if variable.dtype.kind != "f" or np.dtype(encoding.get("dtype") or "f4").kind not in "iu":
        return None
    stored = np.dtype(encoding["dtype"]).newbyteorder("=")
    scale, offset = (encoding.get(key) for key in FACTORS)
    fill = fit_fill(encoding.get("_FillValue"), stored)
    if scale is None and offset is None and fill is None:
        return None
    return Packing(
        stored,
        variable.dtype,
        None if scale is None else float(scale),
        None if offset is None else float(offset),
        () if fill is None else (fill,),
        name or str(getattr(variable, "name", None) or "A variable"),
    )


def allow_gaps(encoding: Mapping[Any, Any], values: np.dtype[Any]) -> dict[Any, Any]:
    """Return the encoding of a variable some of whose values are now missing.

    Packed integers that have no number for missing values get such a number: the lowest of a
    signed type, the highest of an unsigned type.
    """
    stored = np.dtype(encoding.get("dtype") or values)
    if values.kind != "f" or stored.kind not in "iu" or encoding.get("_FillValue") is not None:
        return dict(encoding)
    limits = np.iinfo(stored)
    return {**encoding, "_FillValue": limits.min if stored.kind == "i" else limits.max}


def find_packing(
    stored: np.dtype[Any],
    attrs: Mapping[str, Any],
    values: np.dtype[Any] | None = None,
    missing: tuple[float, ...] | None = None,
) -> Packing | None:
    """Return how stored numbers become values by CF attributes; None if they already are values.

    Parameters
    ----------
    stored
        Type of the numbers.
    attrs
        ``scale_factor``, ``add_offset``, ``_FillValue``, `DECODED`; ``flag_*`` of flags, which
        stay the integers that they are.
    values
        Type of the values, if the caller knows it.
    missing
        All numbers that mean no measurement, if there are more than ``_FillValue``.
    """
    usual = values_type(stored, attrs)
    values = np.dtype(attrs.get(DECODED) or usual) if values is None else values
    if values.kind != "f":
        several = missing if missing and len(missing) > 1 else ()
        is_plain = values == stored and not several
        return None if is_plain else Packing(stored, values, missing=several)
    scale, offset = (
        None if (number := attrs.get(key)) is None else float(number) for key in FACTORS
    )
    if missing is None:
        fill = fit_fill(attrs.get("_FillValue"), stored)
        missing = () if fill is None or np.isnan(fill) else (fill,)
    packing = Packing(stored, values, scale, offset, missing)
    same = values == stored and packing.factors == (1.0, 0.0) and not missing
    return None if same else packing


def values_type(stored: np.dtype[Any], attrs: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the type of values that are stored as numbers of type `stored` with CF attributes.

    Scaled integers become floating-point numbers, and so do integers with a number for no data,
    except flags and 64-bit integers, which no floating-point number holds exactly.
    """
    if stored.kind not in "iu":
        return stored
    scaled = any(attrs.get(key) is not None for key in FACTORS)
    flags = any(key in attrs for key in ("flag_values", "flag_masks"))
    exact = flags or stored.itemsize > EXACT_BYTES
    if scaled or (attrs.get("_FillValue") is not None and not exact):
        return decoded_dtype(stored, *(attrs.get(key) for key in FACTORS))
    return stored


def fit_fill(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value as a plain number of a type; None if the type does not hold it."""
    if fill is None or dtype.kind not in "iuf":
        return None
    if dtype.kind == "f":
        return float(fill)
    limits = np.iinfo(dtype)
    is_integer = isinstance(fill, int | np.integer) or (np.isfinite(fill) and int(fill) == fill)
    return int(fill) if is_integer and limits.min <= int(fill) <= limits.max else None


def decoded_dtype(
    packed: str | np.dtype[Any], scale: float | None = None, offset: float | None = None
) -> np.dtype[Any]:
    """Return the type of the values that are stored as integers of type `packed`.

    It is float32 if that type can hold all values as different numbers, else float64.
    """
    narrow = np.dtype(packed).itemsize <= NARROW_BYTES
    short = _is_short(1.0 if scale is None else scale, offset or 0.0)
    return np.dtype(np.float32 if narrow and short else np.float64)


def _is_short(scale: float, offset: float) -> bool:
    """Tell whether float32 has enough digits for all values of 16-bit numbers."""
    return abs(offset) <= abs(scale) * SHORT_OFFSET
