"""Read from CF attributes which dimensions are rows and columns, and in which system.

Sources: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 4.1, 4.2, 5.6 and appendix
F; GDAL's NetCDF driver for ``GeoTransform``. The table "What of CF is read" in
platform/library/formats.md lists what is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

EAST: Final = {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"}
NORTH: Final = {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"}
_NAMES: Final = {
    "x": {
        "longitude", "grid_longitude", "projection_x_coordinate",
        "projection_x_angular_coordinate",
    },
    "y": {
        "latitude", "grid_latitude", "projection_y_coordinate", "projection_y_angular_coordinate",
    },
}  # fmt: skip
"""Axis to the standard names of its coordinates."""
_CALLED: Final = {"x": {"x", "lon", "longitude", "rlon"}, "y": {"y", "lat", "latitude", "rlat"}}
"""Axis to the names that its coordinate has where its attributes say nothing."""
_METRES: Final = {
    "m": 1.0, "metre": 1.0, "meter": 1.0, "km": 1e3, "kilometre": 1e3, "kilometer": 1e3,
    "cm": 1e-2, "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "us_survey_foot": 1200 / 3937,
    "us_survey_feet": 1200 / 3937,
}  # fmt: skip
_RADIANS: Final = {
    "rad": 1.0, "radian": 1.0, "mrad": 1e-3, "milliradian": 1e-3, "urad": 1e-6,
    "microradian": 1e-6, "degree": np.pi / 180, "degrees_north": np.pi / 180,
    "degrees_east": np.pi / 180, "arc_second": np.pi / 648000,
}  # fmt: skip
_ALIKE: Final = 1e-9
_UNSAID: Final = ("", "1", "none")


def find_axis(name: str, attrs: Mapping[str, Any]) -> str | None:
    """Return ``x`` or ``y`` if a dimension's coordinate runs along that axis, else None.

    The attribute ``axis`` counts first, then ``standard_name``, ``units``, and last the name.
    """
    letter = str(attrs.get("axis", "")).strip().lower()
    if letter:
        return letter if letter in _NAMES else None
    standard = str(attrs.get("standard_name", "")).strip()
    units = str(attrs.get("units", "")).strip().lower()
    for axis, names in _NAMES.items():
        if standard in names:
            return axis
    if units in EAST | NORTH:
        return "x" if units in EAST else "y"
    if standard or " since " in units:
        return None
    return next((axis for axis, names in _CALLED.items() if name.lower() in names), None)


def is_degrees(name: str, attrs: Mapping[str, Any]) -> bool:
    """Tell whether an axis has longitudes or latitudes on Earth, not those of a rotated pole."""
    standard = str(attrs.get("standard_name", "")).strip()
    if standard:
        return standard in {"longitude", "latitude"}
    units = str(attrs.get("units", "")).strip().lower()
    return units in EAST | NORTH or (
        not units and name.lower() in {"lon", "lat", "longitude", "latitude"}
    )


def split_mapping(text: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Return the grid mappings that an attribute names, each with its coordinates.

    A single name is for all coordinates; the extended form is ``crs: x y other: lat lon``.
    """
    words = str(text or "").split()
    if not any(word.endswith(":") for word in words):
        return [(words[0], ())] if words else []
    mappings: list[tuple[str, list[str]]] = []
    for word in words:
        if word.endswith(":"):
            mappings.append((word.removesuffix(":"), []))
        elif mappings:
            mappings[-1][1].append(word)
    return [(name, tuple(coordinates)) for name, coordinates in mappings]


def choose_mapping(text: Any, axes: tuple[str, str]) -> str | None:
    """Return the name of the grid mapping for two axes; None if the text does not name it."""
    names = split_mapping(text)
    fitting = [name for name, coordinates in names if set(axes) <= set(coordinates)]
    alone = [name for name, coordinates in names if not coordinates]
    return next(iter((*fitting, *alone)), None)


def read_system(attrs: Mapping[str, Any]) -> CRS:
    """Return the reference system of a grid mapping's attributes.

    ``crs_wkt`` counts first, then ``spatial_ref`` (GDAL's), then the parameters of appendix F.

    Raises
    ------
    ValueError
        If they describe no reference system.
    """
    try:
        for key in ("crs_wkt", "spatial_ref"):
            if isinstance(attrs.get(key), str) and attrs[key].strip():
                return CRS.from_user_input(attrs[key])
        if "grid_mapping_name" not in attrs:
            raise ValueError("it has neither crs_wkt nor grid_mapping_name")
        return CRS.from_cf(dict(attrs))
    except (CRSError, KeyError, TypeError) as error:
        raise ValueError(re.sub(r"\s+", " ", str(error))[:120]) from error


def find_factor(units: Any, crs: CRS, attrs: Mapping[str, Any]) -> float | None:
    """Return the factor that brings coordinates into the units of a reference system.

    Parameters
    ----------
    units
        Units of the coordinates.
    crs, attrs
        The system and its grid mapping; the satellite's height in it turns angles into lengths.

    Returns
    -------
    float or None
        1 if the coordinates name no units; None if their units do not fit the system.
    """
    spelling = str(units or "").strip().lower()
    if spelling in _UNSAID:
        return 1.0
    angle = _RADIANS.get(spelling, _RADIANS.get(spelling.removesuffix("s")))
    if spelling in EAST | NORTH:
        angle = np.pi / 180
    length = _METRES.get(spelling, _METRES.get(spelling.removesuffix("s")))
    unit = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
    if crs.is_geographic:
        return None if angle is None else _divide(angle, unit)
    if length is not None:
        return _divide(length, unit)
    height = attrs.get("perspective_point_height") or _read_height(crs)
    if angle is not None and height is not None:
        return angle * float(height) / unit
    return None


def _divide(length: float, unit: float) -> float:
    """Return a ratio; exactly 1 if it differs from 1 by rounding alone."""
    ratio = length / unit
    return 1.0 if abs(ratio - 1) < _ALIKE else ratio


def _read_height(crs: CRS) -> Any:
    """Return the height of a geostationary satellite, m; None for other systems."""
    operation = crs.coordinate_operation
    if operation is None or "geostationary" not in operation.method_name.lower():
        return None
    heights = (item.value for item in operation.params if "height" in item.name.lower())
    return next(heights, None)


def unwrap_longitudes(centres: Any) -> Any:
    """Return longitudes that continue beyond 180 degrees instead of jumping back to -180."""
    if len(centres) < 2 or not np.isfinite(centres).all():  # noqa: PLR2004 -- no spacing
        return centres
    wide = np.abs(np.diff(centres)) > 180  # noqa: PLR2004 -- degrees
    return np.unwrap(centres, period=360) if wide.sum() == 1 else centres
