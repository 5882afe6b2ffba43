"""Meteorology in GRIB files: small grids of a forecast, ``(latitude, longitude)``.

A variable's source is GDAL's short name of the element (``GRIB_ELEMENT``). Read through GDAL's
GRIB driver, any edition; written as GRIB edition 1.

Source: WMO Manual on Codes (WMO-No. 306), volume I.2, FM 92-IX GRIB; parameter numbers of the
ECMWF local tables 128 and 210 (ECMWF parameter database).
"""

import math
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import DamagedError
from skerry.products.sensors.records import Group

if TYPE_CHECKING:
    from skerry.products.safe.product import SafeFolder, SafeProduct

PARAMETERS = {
    "PWC": (128, 137), "MSL": (128, 151), "TCO3": (128, 206), "10U": (128, 165),
    "10V": (128, 166), "R": (128, 157), "Z": (128, 129), "AOD469": (210, 213),
    "AOD550": (210, 207), "AOD670": (210, 214), "AOD865": (210, 215), "AOD1240": (210, 216),
    "BCAOD550": (210, 211), "DUAOD550": (210, 209), "OMAOD550": (210, 210),
    "SSAOD550": (210, 208), "SUAOD550": (210, 212),
}  # fmt: skip
"""Element to parameter table and number."""
ISOBARIC = 100
SURFACE = 1
PRESSURE_ELEMENTS = ("R",)
"""Elements given at a pressure instead of the surface."""
CENTRE = 98
"""ECMWF's number; its local tables name the parameters."""
_MILLIDEGREES = 1000
_BITS = 16

Field = npt.NDArray[np.float32]


def read(product: "SafeProduct", group: Group) -> xr.Dataset:
    """Read the group's fields, float32, north first; the grids are small and read at once.

    A damaged file counts as missing.
    """
    name = product.files.find(group.file)
    fields: dict[str, tuple[Field, dict[str, str]]] = {}
    coords: dict[str, Any] = {}
    if name is not None:
        label = f"{name} in {product.files.path}"
        try:
            fields, coords = _read_fields(product.files.read_document(name), label)
        except DamagedError as error:
            product.damaged.append(error.what)
    variables = {}
    for key, variable in group.variables.items():
        if variable.source not in fields:
            product.missing.append(f"{group.path}/{key}")
            continue
        kind = product.mapping.kind_of(group, variable)
        variables[key] = (kind.dims, fields[variable.source][0], dict(kind.attrs))
    return xr.Dataset(variables, coords=coords if variables else None)


def _read_fields(
    content: bytes, label: str
) -> tuple[dict[str, tuple[Field, dict[str, str]]], dict[str, Any]]:
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        with MemoryFile(content) as memory, memory.open(driver="GRIB") as source:
            fields = {}
            for band in range(1, source.count + 1):
                tags = source.tags(band)
                fields[tags["GRIB_ELEMENT"]] = (source.read(band).astype(np.float32), tags)
            affine, (rows, columns) = source.transform, source.shape
    except (RasterioError, KeyError) as error:
        raise DamagedError(
            f"{label} is not a readable GRIB file: {error}.",
            remedy="Fetch the product again from its provider.",
        ) from error
    tags = next(iter(fields.values()))[1]
    coords = {
        "latitude": _axis("latitude", affine.f + affine.e * (np.arange(rows) + 0.5), "north"),
        "longitude": _axis("longitude", affine.c + affine.a * (np.arange(columns) + 0.5), "east"),
        **_describe_forecast(tags),
    }
    return fields, coords


def _axis(name: str, values: npt.NDArray[np.float64], towards: str) -> Any:
    attrs = {"long_name": name, "standard_name": name, "units": f"degrees_{towards}"}
    return (name, np.round(values, 6), attrs)


def _describe_forecast(tags: dict[str, str]) -> dict[str, Any]:
    reference, valid = (
        np.datetime64(int(tags[key].split()[0]), "s").astype("datetime64[ns]")
        for key in ("GRIB_REF_TIME", "GRIB_VALID_TIME")
    )
    forecast = {"long_name": "initial time of forecast", "standard_name": "forecast_reference_time"}
    period = {
        "long_name": "time since forecast_reference_time",
        "standard_name": "forecast_period",
        "units": "minutes",
    }
    member = {
        "long_name": "ensemble member numerical id", "standard_name": "realization", "units": "1",
    }  # fmt: skip
    pressure = {"long_name": "pressure", "standard_name": "air_pressure", "units": "hPa"}
    return {
        "time": ((), reference, forecast),
        "valid_time": ((), valid, {"long_name": "time", "standard_name": "time"}),
        "step": ((), np.int64((valid - reference) / np.timedelta64(1, "m")), period),
        "number": ((), np.int64(0), member),
        "surface": ((), 0.0, {"long_name": "level of the surface", "units": "1"}),
        "isobaricInhPa": ((), 0.0, {**pressure, "positive": "down"}),
    }


def write(folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
    """Write the group's fields, a message for each."""
    path: Path = folder.place(group.file)
    messages = [
        _make_message(variable.source, data[name])
        for name, variable in group.variables.items()
        if name in data
    ]
    path.write_bytes(b"".join(messages))


def _make_message(element: str, field: xr.DataArray) -> bytes:
    values = field.to_numpy().astype(np.float64)
    sections = _describe_product(element, field) + _describe_grid(field) + _pack(values)
    length = 8 + len(sections) + 4
    return b"GRIB" + length.to_bytes(3, "big") + b"\x01" + sections + b"7777"


def _describe_product(element: str, field: xr.DataArray) -> bytes:
    """Make section 1, the product definition."""
    table, number = PARAMETERS[element]
    level = ISOBARIC if element in PRESSURE_ELEMENTS else SURFACE
    seconds = int(field["time"].to_numpy().astype("datetime64[s]").astype(np.int64))
    start = datetime.fromtimestamp(seconds, UTC)
    century, year = divmod(start.year - 1, 100)
    head = struct.pack(
        ">BBBBBBBHBBBBBBHBHBBBh",
        table, CENTRE, 0, 255, 128, number, level, 0,
        year + 1, start.month, start.day, start.hour, start.minute,
        0, int(field["step"]), 10, 0, 0, century + 1, 0, 0,
    )  # fmt: skip
    return (3 + len(head)).to_bytes(3, "big") + head


def _describe_grid(field: xr.DataArray) -> bytes:
    """Make section 2, the grid definition: latitude/longitude, scanning eastward from the north."""
    latitude, longitude = (field[dim].to_numpy() * _MILLIDEGREES for dim in field.dims)
    head = struct.pack(">BBBHH", 0, 255, 0, len(longitude), len(latitude))
    first, last = (
        _signed(float(latitude[end])) + _signed(float(longitude[end])) for end in (0, -1)
    )
    steps = (
        abs(float(axis[-1] - axis[0])) / max(len(axis) - 1, 1) for axis in (longitude, latitude)
    )
    step_bytes = b"".join(round(step).to_bytes(2, "big") for step in steps)
    body = head + first + b"\x80" + last + step_bytes + b"\x00" + bytes(4)
    return (3 + len(body)).to_bytes(3, "big") + body


def _signed(value: float) -> bytes:
    """Return three octets: a sign bit and the absolute value."""
    amount = round(abs(value)) | (0x800000 if value < 0 else 0)
    return amount.to_bytes(3, "big")


def _pack(values: npt.NDArray[np.float64]) -> bytes:
    """Make section 4: 16 bit numbers, value = reference + number * 2^exponent."""
    reference = _to_ibm(float(values.min()))
    low = _from_ibm(reference)
    spread = float(values.max()) - low
    exponent = math.ceil(math.log2(spread / (2**_BITS - 1))) if spread > 0 else 0
    numbers = np.rint((values - low) / 2.0**exponent).astype(">u2").tobytes()
    scale = abs(exponent) | (0x8000 if exponent < 0 else 0)
    body = scale.to_bytes(2, "big") + reference + bytes([_BITS]) + numbers
    padding = len(body) % 2  # a section has an even number of octets, four of them before the body
    body = bytes([8 * padding]) + body + bytes(padding)
    return (3 + len(body)).to_bytes(3, "big") + body


def _to_ibm(value: float) -> bytes:
    """Return the largest IBM single precision number that does not exceed `value`."""
    if value == 0:
        return bytes(4)
    exponent = math.floor(math.log(abs(value), 16)) + 1
    fraction = abs(value) / 16.0**exponent * 2**24
    mantissa = math.ceil(fraction) if value < 0 else math.floor(fraction)
    if mantissa >= 2**24:
        mantissa, exponent = mantissa // 16, exponent + 1
    return bytes([(0x80 if value < 0 else 0) | (exponent + 64)]) + mantissa.to_bytes(3, "big")


def _from_ibm(number: bytes) -> float:
    amount = int.from_bytes(number[1:], "big") / 2**24 * 16.0 ** ((number[0] & 0x7F) - 64)
    return -amount if number[0] & 0x80 else amount
