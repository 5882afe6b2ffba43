"""How stored numbers become values, by a NetCDF file and a mapping together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.products.coding.packing import Packing, decoded_dtype
from skerry.products.sensors.records import Kind

_UNITS = {
    "days": "D", "hours": "h", "minutes": "m", "seconds": "s", "milliseconds": "ms",
    "microseconds": "us", "nanoseconds": "ns",
}  # fmt: skip


@dataclass(frozen=True)
class Coding:
    """How stored numbers become values.

    Attributes
    ----------
    scale, offset
        value = number * scale + offset; None if the number is the value.
    fills
        Numbers that stand for no measurement.
    since
        Units of time in CF's spelling, such as ``microseconds since 2000-01-01``.
    dtype
        Type of the values.
    """

    scale: float | None
    offset: float | None
    fills: tuple[float, ...]
    since: str | None
    dtype: np.dtype[Any]

    def decode(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return values, NaN or NaT where a number stands for no measurement."""
        if self.since is None:
            return self.of(numbers.dtype).decode(numbers)
        unit, epoch = _parse_time_units(self.since)
        elapsed = numbers.astype(np.int64).astype(f"timedelta64[{unit}]")
        values: npt.NDArray[Any] = (epoch + elapsed).astype("datetime64[ns]")
        for fill in self.fills:
            values[numbers == fill] = "NaT"
        return values

    def encode(self, values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return the numbers that `decode` turns into `values`; as an instrument, it saturates."""
        if self.since is not None:
            return self._encode_time(values, dtype)
        return self.of(dtype).encode(values, saturate=True)

    def of(self, stored: np.dtype[Any]) -> Packing:
        """Return the packing of numbers of a type, if they are not times."""
        return Packing(stored, self.dtype, self.scale, self.offset, self.fills)

    def _encode_time(self, values: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        unit, epoch = _parse_time_units(str(self.since))
        gaps = np.isnat(values)
        elapsed = np.where(gaps, epoch, values) - epoch
        numbers: npt.NDArray[Any] = elapsed.astype(f"timedelta64[{unit}]").astype(dtype)
        numbers[gaps] = self.fills[0] if self.fills else 0
        return numbers


def choose_coding(kind: Kind, attrs: dict[str, Any], stored: np.dtype[Any]) -> Coding:
    """Decide by the mapping whether numbers are packed, and by the file how, if it says so."""
    since = attrs.get("units") if "units" in attrs else kind.attrs.get("units")
    if " since " not in str(kind.attrs.get("units", "")):
        since = None
    scale = attrs.get("scale_factor", kind.scale_factor)
    offset = attrs.get("add_offset", kind.add_offset)
    packed = scale is not None or offset is not None
    fill = attrs.get("_FillValue", kind.fill_value)
    # A fill value in the file alone does not turn flags and counts into floating-point numbers.
    masked = since or packed or kind.fill_value is not None or stored.kind == "f"
    fills = () if fill is None or not masked else (fill, *kind.further_fills)
    return Coding(
        scale=None if scale is None else float(scale),
        offset=None if offset is None else float(offset),
        fills=tuple(item for item in fills if item == item),  # noqa: PLR0124 -- NaN is NaN already
        since=since,
        dtype=_decoded_type(kind, stored, scale, offset, packed=packed or fills, time=since),
    )


def _decoded_type(
    kind: Kind, stored: np.dtype[Any], scale: Any, offset: Any, *, packed: Any, time: Any
) -> np.dtype[Any]:
    if time:
        return np.dtype("datetime64[ns]")
    if kind.decoded:
        return np.dtype(kind.decoded)
    if stored.kind == "f" or not packed:
        return stored
    return decoded_dtype(stored, scale, offset)


def _parse_time_units(since: str) -> tuple[str, np.datetime64]:
    import pandas as pd

    unit, _, epoch = since.partition(" since ")
    unit = unit.strip() if unit.strip().endswith("s") else f"{unit.strip()}s"
    return _UNITS[unit], np.datetime64(pd.Timestamp(epoch.strip()).as_unit("ns").to_numpy())
