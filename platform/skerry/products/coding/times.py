"""Encode times and spans of time as CF does: numbers in a unit; times count from a date.

Source: NetCDF Climate and Forecast Metadata Conventions 1.11, section 4.4.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.core.errors import InvalidInputError
from skerry.products.coding.packing import fit_fill

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
"""Calendars whose dates datetime64 can hold; times in other calendars stay numbers."""
SPANS = ("timedelta64[ns]", "<m8[ns]")
"""Values of the attribute ``dtype`` for spans of time: as xarray and as EOPF write it."""
CLOCK = ("units", "calendar", "dtype")
"""Attributes which say that numbers are times."""
NAT = int(np.iinfo(np.int64).min)
_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_SHORT = {
    "d": "days", "hr": "hours", "hrs": "hours", "h": "hours", "min": "minutes", "mins": "minutes",
    "sec": "seconds", "secs": "seconds", "s": "seconds", "msec": "milliseconds",
    "msecs": "milliseconds", "millisec": "milliseconds", "millisecs": "milliseconds",
    "ms": "milliseconds", "microsec": "microseconds", "microsecs": "microseconds",
}  # fmt: skip
"""Short names of units (UDUNITS) to those that xarray knows without cftime."""
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Clock:
    """How times, or spans of time, are stored as numbers.

    Attributes
    ----------
    units
        Such as ``seconds since 2026-05-01``; of spans ``seconds``.
    calendar
        Calendar of times; empty for spans.
    stored
        Type of the numbers.
    missing
        The number for NaT; None for the usual number, NaN or the smallest int64.
    further
        Further numbers that are read as NaT.
    """

    units: str
    calendar: str
    stored: np.dtype[Any]
    missing: float | None = None
    further: tuple[float, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return np.dtype("datetime64[ns]" if self.calendar else "timedelta64[ns]")

    @property
    def attrs(self) -> dict[str, Any]:
        """The clock as CF attributes."""
        attrs: dict[str, Any] = {"units": self.units}
        attrs |= {"calendar": self.calendar} if self.calendar else {"dtype": SPANS[0]}
        return attrs if self.missing is None else attrs | {"_FillValue": self.missing}

    @property
    def encoding(self) -> dict[str, Any]:
        """The clock as the encoding of its values."""
        return {**self.attrs, "dtype": self.stored}

    def decode(self, numbers: Numbers) -> Numbers:
        """Turn numbers into datetime64[ns] or timedelta64[ns].

        Raises
        ------
        InvalidInputError
            If a time is beyond the range of these types (1677 to 2262).
        """
        numbers = numbers.astype(self.stored, copy=False)
        gaps = np.isnan(numbers) if numbers.dtype.kind == "f" else numbers == NAT
        for item in (self.missing, *self.further):
            if item is not None:
                gaps = gaps | (numbers == item)
        values = _decode(np.where(gaps, _first(numbers, gaps), numbers), self.units, self.calendar)
        return np.where(gaps, np.array("NaT", self.dtype), values.astype(self.dtype))

    def encode(self, values: Numbers) -> Numbers:
        """Turn times or spans into numbers; the inverse of `decode` if units are fine enough."""
        gaps = np.isnat(values)
        wide = np.dtype(np.float64 if self.stored.kind == "f" else np.int64)
        counts = np.where(gaps, _first(values, gaps), values).astype(self.dtype)
        numbers = _encode(counts, self.units, self.calendar, wide)
        if self.missing is not None:
            gap = self.missing
        else:
            gap = float("nan") if wide.kind == "f" else NAT
        return np.where(gaps, np.array(gap, wide), numbers).astype(self.stored)


def _first(values: Numbers, gaps: Numbers) -> Any:
    """Return the first value that is not a gap, to put in place of gaps."""
    return values[~gaps].flat[0] if not gaps.all() else np.zeros((), values.dtype)


def _decode(numbers: Numbers, units: str, calendar: str) -> Numbers:
    from xarray.coding.times import decode_cf_datetime, decode_cf_timedelta

    if not calendar:
        return np.asarray(decode_cf_timedelta(numbers, units))
    try:
        units = _spell_out(units)
        return np.asarray(decode_cf_datetime(numbers, units, calendar, use_cftime=False))
    except (ValueError, OverflowError) as error:  # pandas derives its range errors from these
        raise InvalidInputError(
            f"Some times in {units!r} are before 1677 or after 2262: {error}",
            remedy="If these numbers are not times, name them in _FillValue, or remove the units.",
        ) from error


def _encode(values: Numbers, units: str, calendar: str, dtype: np.dtype[Any]) -> Numbers:
    """Return numbers; they differ from `values` where `units` are too coarse for the type."""
    from xarray.coding.times import encode_cf_datetime, encode_cf_timedelta

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `choose_clock` checks units
        if not calendar:
            return np.asarray(encode_cf_timedelta(values, units, dtype)[0])
        return np.asarray(encode_cf_datetime(values, _spell_out(units), calendar, dtype)[0])


def _spell_out(units: str) -> str:
    """Return ``<unit> since <moment>`` with the unit's long name."""
    unit, since, moment = units.partition(" since ")
    return f"{_SHORT.get(unit.strip().lower(), unit)}{since}{moment}"


def find_clock(
    attrs: Mapping[str, Any], stored: np.dtype[Any], missing: tuple[float, ...] | None = None
) -> Clock | None:
    """Return how numbers with CF attributes become times or spans; None where they are neither.

    Numbers in units or calendars that datetime64 lacks stay numbers. `missing` holds all numbers
    for NaT, if there are more than ``_FillValue``.
    """
    if stored.kind not in "iuf":
        return None
    first, *further = missing or (_find_missing(attrs, stored),)
    units = attrs.get("units")
    if attrs.get("dtype") in SPANS:
        return Clock(str(units or "nanoseconds"), "", stored, first, tuple(further))
    calendar = str(attrs.get("calendar") or "standard")
    if not isinstance(units, str) or " since " not in units or calendar.lower() not in CALENDARS:
        return None
    try:
        _decode(np.zeros(1, np.int64), units, calendar)
    except (InvalidInputError, KeyError):  # no such unit or date
        return None
    return Clock(units, calendar, stored, first, tuple(further))


def choose_clock(values: Numbers, encoding: Mapping[str, Any], usual: str | None = None) -> Clock:
    """Return how to store times or spans so that reading gives the same values.

    Parameters
    ----------
    values
        All times or spans of the variable.
    encoding
        ``units``, ``calendar``, ``dtype`` and ``_FillValue`` of the source, which are kept if they
        hold the values; units that are too coarse for whole numbers are replaced by finer units.
    usual
        Units to use if the source has none; by default the coarsest units that hold the values.

    Raises
    ------
    InvalidInputError
        If a time is beyond the range of datetime64[ns].
    """
    try:
        exact = values.astype(f"{values.dtype.kind}8[ns]")
    except OverflowError as error:
        raise InvalidInputError(
            f"Some times or spans are out of the range of {values.dtype.kind}8[ns]: {error}.",
            remedy="Times from 1677 to 2262 and spans up to 292 years can be written.",
        ) from error
    return next(item for item in _list_clocks(exact, encoding, usual) if _restores(item, exact))


def _list_clocks(values: Numbers, encoding: Mapping[str, Any], usual: str | None) -> list[Clock]:
    """Return clocks to try: the source's, a finer clock, and a clock that fits all values."""
    times = values.dtype.kind == "M"
    calendar = str(encoding.get("calendar") or "proleptic_gregorian") if times else ""
    stored = np.dtype(encoding.get("dtype") or np.int64)
    stored = stored if stored.kind in "iuf" else np.dtype(np.int64)
    integer = np.dtype(np.int64)
    units = encoding.get("units") or usual
    empty = bool(np.isnat(values).any())
    since = " since 1970-01-01" if times else ""
    clocks = []
    if units is not None:
        fill = _find_missing(encoding, stored)
        fill = _choose_missing(stored) if fill is None and empty else fill
        clocks.append(Clock(str(units), calendar, stored, fill))
        since = str(units)[str(units).index(" since ") :] if times else ""
    clocks += [
        Clock(f"{item}{since}", calendar, integer, NAT if empty else None) for item in _UNITS
    ]
    calendar = "proleptic_gregorian" if times else ""
    since = " since 1970-01-01" if times else ""
    return [*clocks, Clock(f"nanoseconds{since}", calendar, integer, NAT if empty else None)]


def _find_missing(attrs: Mapping[str, Any], stored: np.dtype[Any]) -> Any:
    fill = fit_fill(attrs.get("_FillValue"), stored)
    return None if fill is None or np.isnan(fill) else fill


def _choose_missing(stored: np.dtype[Any]) -> float | None:
    if stored.kind == "f":
        return None
    limits = np.iinfo(stored)
    return int(limits.min if stored.kind == "i" else limits.max)


def _restores(clock: Clock, values: Numbers) -> bool:
    if find_clock(clock.attrs, clock.stored) is None:
        return False
    try:
        back = clock.decode(clock.encode(values))
    except (ValueError, OverflowError, ImportError, AttributeError, InvalidInputError):
        return False  # out of range: xarray would look for cftime
    return np.array_equal(back, values, equal_nan=True)
