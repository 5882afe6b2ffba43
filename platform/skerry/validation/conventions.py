"""Checks of the CF conventions (CF-1.11; section numbers in the remedies)."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from skerry.validation.registry import check
from skerry.validation.subject import (
    ArrayFacts,
    Subject,
    arrays_with,
    every_array,
)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
STANDARD_NAME = re.compile(
    r"[a-z][a-z0-9_]*( (status_flag|standard_error|number_of_observations))?"
)
TIME_UNITS = re.compile(
    r"(days?|hours?|hr|h|minutes?|min|seconds?|sec|s|milliseconds?|ms|microseconds?|us|nanoseconds?"
    r"|ns) since .+"
)
TIME_ZONE = re.compile(r"(?<=:\d\d)(\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)$")
"""Fraction and zone at the end of a time: NumPy warns of zones."""
AXES = {
    "latitude": {"degrees_north", "degree_north", "degrees_N", "degree_N", "degreesN", "degreeN"},
    "longitude": {"degrees_east", "degree_east", "degrees_E", "degree_E", "degreesE", "degreeE"},
}


def _measured(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    """Give variables of measured numbers, without flags, times and dimension coordinates."""
    for path, item in subject.arrays.items():
        inside = "measurements" in path.split("/") or not subject.is_eopf
        flagged = {"flag_values", "flag_masks"} & set(item.attrs)
        numeric = item.dtype.kind == "f" or item.packed
        if inside and numeric and not flagged and item.dims != (item.name,) and item.shape:
            yield path, item


def _named_places(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    for path, item in subject.arrays.items():
        if item.attrs.get("standard_name") in AXES:
            yield path, item


def _files_of_text(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    # EOPF Zarr stores flag_meanings as a list; a file that names CF must have a single text.
    if subject.container == "netcdf":
        yield from arrays_with("flag_meanings")(subject)


def _conventions(subject: Subject) -> Iterator[tuple[str, Any]]:
    if subject.container == "netcdf":
        yield "", subject.root.get("Conventions")


def _times(subject: Subject) -> Iterator[tuple[str, ArrayFacts]]:
    for path, item in arrays_with("units")(subject):
        if " since " in str(item.attrs["units"]):
            yield path, item


@check(
    "cf.names",
    of=every_array,
    remedy="Name variables with letters, digits and underscores, a letter first (CF 2.3).",
)
def name_is_allowed(array: ArrayFacts, _: Subject) -> str | None:
    """Variable names begin with a letter and hold letters, digits and underscores."""
    return None if NAME.fullmatch(array.name) else f"is called {array.name!r}"


@check(
    "cf.units",
    of=_measured,
    remedy="Give units; dimensionless numbers have the units 1 (CF 3.1).",
)
def has_units(array: ArrayFacts, _: Subject) -> str | None:
    """Every variable of measurements has units."""
    units = array.attrs.get("units", array.attrs.get("data_units", array.attrs.get("unit")))
    if units is None:
        return "has no units"
    return None if isinstance(units, str) and units.strip() else f"has the units {units!r}"


@check(
    "cf.latitude-longitude",
    of=_named_places,
    remedy="Use degrees_north for latitude and degrees_east for longitude (CF 4.1, 4.2).",
)
def place_has_its_units(array: ArrayFacts, _: Subject) -> str | None:
    """Latitudes have the units degrees_north, longitudes degrees_east."""
    units = array.attrs.get("units", array.attrs.get("data_units"))
    name = str(array.attrs["standard_name"])
    return None if units in AXES[name] else f"is a {name} in {units!r}"


@check(
    "cf.standard-name",
    of=arrays_with("standard_name"),
    remedy="Write the standard name in small letters with underscores (CF 3.3).",
)
def standard_name_is_spelt(array: ArrayFacts, _: Subject) -> str | None:
    """Standard names are spelt as in the CF table."""
    name = array.attrs["standard_name"]
    fine = isinstance(name, str) and STANDARD_NAME.fullmatch(name)
    return None if fine else f"has the standard name {name!r}"


@check(
    "cf.time-units",
    of=_times,
    remedy="Write a unit from nanoseconds to days, 'since', and an ISO 8601 time (CF 4.4).",
)
def time_is_readable(array: ArrayFacts, _: Subject) -> str | None:
    """Times are counted in a known unit from a readable time."""
    units = str(array.attrs["units"])
    if not TIME_UNITS.fullmatch(units):
        return f"has the units {units!r}"
    since = TIME_ZONE.sub("", units.partition(" since ")[2].strip())
    try:
        np.datetime64(since.replace(" ", "T", 1))
    except ValueError:
        return f"counts from {units.partition(' since ')[2]!r}, which is not a time"
    return None


@check(
    "cf.flag-count",
    of=arrays_with("flag_meanings", "flag_values", "flag_masks"),
    remedy="Give as many flag_meanings as flag_values or flag_masks (CF 3.5).",
)
def flags_are_named(array: ArrayFacts, _: Subject) -> str | None:
    """Every flag has a value or a mask, and a name."""
    meanings = array.attrs.get("flag_meanings", ())
    names = meanings.split() if isinstance(meanings, str) else list(meanings)
    lists = [array.attrs[key] for key in ("flag_values", "flag_masks") if key in array.attrs]
    if not lists:
        return f"names {len(names)} flags without flag_values or flag_masks"
    for numbers in lists:
        if len(np.atleast_1d(numbers)) != len(names):
            return f"gives {len(np.atleast_1d(numbers))} numbers for {len(names)} flags"
    return None


@check(
    "cf.flag-numbers",
    of=arrays_with("flag_values", "flag_masks"),
    remedy="Give flags different numbers of the variable's own type, values within their masks "
    "(CF 3.5).",
)
def flags_are_possible(array: ArrayFacts, _: Subject) -> str | None:
    """Flags differ and fit the variable; masks have a bit, and values are within their masks."""
    fault = _fault_of_fields(array)
    if fault:
        return fault
    for key in ("flag_values", "flag_masks"):
        numbers = [int(item) for item in np.atleast_1d(array.attrs.get(key, []))]
        if key == "flag_masks" and 0 in numbers:
            return "has a flag mask without a bit"
        if array.dtype.kind in "iu" and numbers:
            limits = np.iinfo(array.dtype)
            if min(numbers) < limits.min or max(numbers) > limits.max:
                return f"has {key} {numbers}, which {array.dtype} cannot hold"
    return None


def _fault_of_fields(array: ArrayFacts) -> str | None:
    """Return what is wrong with the combination of values and masks."""
    values, masks = (
        [int(item) for item in np.atleast_1d(array.attrs.get(key, []))]
        for key in ("flag_values", "flag_masks")
    )
    if not values or not masks:
        numbers, what = (values, "value") if values else (masks, "mask")
        twice = len(set(numbers)) != len(numbers)
        return f"has a flag {what} twice: {numbers}" if twice else None
    pairs = list(zip(masks, values, strict=False))
    if len(set(pairs)) != len(pairs):
        return f"has a flag twice: masks {masks}, values {values}"
    outside = [f"{value} in the mask {mask}" for mask, value in pairs if value & mask != value]
    return f"has the flag value {outside[0]}, which does not hold it" if outside else None


@check(
    "cf.flag-meanings-text",
    of=_files_of_text,
    remedy="Write flag_meanings as one text, blanks between the names (CF 3.5).",
)
def meanings_are_text(array: ArrayFacts, _: Subject) -> str | None:
    """In NetCDF the attribute flag_meanings is a single text."""
    meanings = array.attrs["flag_meanings"]
    return None if isinstance(meanings, str) else f"has flag_meanings of {type(meanings).__name__}"


@check(
    "cf.grid-mapping",
    of=arrays_with("grid_mapping"),
    remedy="Add the grid mapping variable that the attribute names, with crs_wkt (CF 5.6).",
)
def grid_mapping_is_there(array: ArrayFacts, subject: Subject) -> str | None:
    """A grid mapping that a variable names exists and describes a coordinate reference system."""
    name = str(array.attrs["grid_mapping"]).split(":")[0].strip()
    mapping = subject.find(array.group, name)
    if mapping is None:
        return f"names the grid mapping {name}, which does not exist"
    if not {"grid_mapping_name", "crs_wkt", "spatial_ref"} & set(mapping.attrs):
        return f"names the grid mapping {name}, which has no description of a system"
    return None


@check(
    "cf.coordinates",
    of=arrays_with("coordinates"),
    remedy="Add the coordinates, or remove their names from the attribute (CF 5).",
)
def coordinates_are_there(array: ArrayFacts, subject: Subject) -> str | None:
    """All coordinates that a variable names exist."""
    text = array.attrs["coordinates"]
    names = text.split() if isinstance(text, str) else list(text)
    absent = [name for name in names if subject.find(array.group, str(name)) is None]
    return f"names the coordinates {', '.join(absent)}, which do not exist" if absent else None


@check(
    "cf.conventions",
    of=_conventions,
    remedy="Set the global attribute Conventions to CF-1.11 (CF 2.6.1).",
)
def conventions_are_named(conventions: Any, _: Subject) -> str | None:
    """A NetCDF file names the conventions that it follows."""
    return None if "CF-1." in str(conventions) else f"has the Conventions {conventions!r}"
