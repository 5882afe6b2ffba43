"""The grids of a stored product: coordinates, and all statements about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.validation.subject import ArrayFacts, Subject

CRS_KEYS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
AFFINE = 6
"""Number of coefficients of an affine transform; ``0, 0, 1`` may follow."""


@dataclass(frozen=True)
class Raster:
    """A group with arrays ``(..., y, x)`` on coordinates of pixel centres.

    Attributes
    ----------
    group
        The group's path.
    x, y
        Pixel centres as stored, unpacked.
    arrays
        The arrays on them.
    attrs
        The group's attributes.
    above
        Attributes of the parent group that describe it as a level, each with its place.
    """

    group: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    arrays: tuple[ArrayFacts, ...]
    attrs: dict[str, Any]
    above: tuple[tuple[str, dict[str, Any]], ...] = ()

    @cached_property
    def steps(self) -> tuple[float, float]:
        """Pixel size along x and y, signed; 0 where there is one pixel."""

        def step(centres: npt.NDArray[np.float64]) -> float:
            many = len(centres) > 1
            return float((centres[-1] - centres[0]) / (len(centres) - 1)) if many else 0.0

        return step(self.x), step(self.y)

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top at pixel edges."""
        half = [abs(item) / 2 for item in self.steps]
        return (
            float(self.x.min()) - half[0],
            float(self.y.min()) - half[1],
            float(self.x.max()) + half[0],
            float(self.y.max()) + half[1],
        )

    @cached_property
    def corner(self) -> tuple[float, float]:
        """The outer corner of the first pixel: x, y."""
        return (
            float(self.x[0]) - self.steps[0] / 2,
            float(self.y[0]) - self.steps[1] / 2,
        )

    @property
    def tolerance(self) -> float:
        """A tenth of a pixel."""
        return 0.1 * max(abs(item) for item in self.steps) or 1e-6

    def statements(self, *keys: str) -> Iterator[tuple[str, str, Any]]:
        """Give all statements under any of the keys: place, key, value."""
        for place, attrs in [
            (self.group, self.attrs),
            *self.above,
            *((array.path, array.attrs) for array in self.arrays),
        ]:
            for key in keys:
                if attrs.get(key) is not None:
                    yield place, key, attrs[key]


def list_rasters(subject: Subject) -> list[Raster]:
    """Return the groups with arrays ``(..., y, x)`` whose coordinates can be read."""
    rasters = []
    above = _list_statements_above(subject)
    for group, arrays in subject.by_group.items():
        flat = tuple(
            array
            for array in arrays.values()
            if array.dims is not None and array.dims[-2:] == ("y", "x")
        )
        x, y = (subject.find(group, axis) for axis in ("x", "y"))
        if not flat or x is None or y is None or x.dims != ("x",) or y.dims != ("y",):
            continue
        if 0 in x.shape + y.shape or x.dtype.kind not in "iuf" or y.dtype.kind not in "iuf":
            continue
        attrs = subject.groups.get(group, {})
        statements = tuple(above.get(group, ()))
        rasters.append(Raster(group, x.numbers(), y.numbers(), flat, attrs, statements))
    return rasters


def _list_statements_above(subject: Subject) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Return the attributes that groups of levels have about each of their levels."""
    statements: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for path, attrs in subject.groups.items():
        multiscales = attrs.get("multiscales")
        layout = multiscales.get("layout") if isinstance(multiscales, dict) else None
        entries = [item for item in layout or [] if isinstance(item, dict)]
        for number, entry in enumerate(entries):
            level = f"{path}/{entry.get('asset')}".lstrip("/")
            places = [(path, attrs)] if number == 0 else []
            places.append((f"{path}/multiscales/layout/{number}", entry))
            statements.setdefault(level, []).extend(places)
    return statements


def every_raster(subject: Subject) -> Iterator[tuple[str, Raster]]:
    """Give every raster."""
    for raster in list_rasters(subject):
        yield raster.group, raster


def measured_rasters(subject: Subject) -> Iterator[tuple[str, Raster]]:
    """Give the rasters of measurements; of a product that is not EOPF, every one."""
    for raster in list_rasters(subject):
        if not subject.is_eopf or "measurements" in raster.group.split("/"):
            yield raster.group, raster


def crs_statements(raster: Raster, subject: Subject) -> dict[str, Any]:
    """Return places that name a reference system, with the pyproj CRS or what is wrong with it."""
    statements: dict[str, Any] = {}
    for place, key, value in raster.statements(*CRS_KEYS):
        statements[f"{key} of {place or '/'}"] = read_crs(value)
    for place, mapping in grid_mappings(raster, subject):
        statements[f"grid mapping {place}"] = read_crs(mapping)
    for key in ("proj:code", "proj:epsg"):
        if subject.properties.get(key) is not None:
            statements[f"{key} of stac_discovery"] = read_crs(subject.properties[key])
    return statements


def grid_mappings(raster: Raster, subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give path and attributes of the grid mappings that a raster's arrays name."""
    names = {str(array.attrs.get("grid_mapping", "spatial_ref")) for array in raster.arrays}
    for name in sorted(names):
        mapping = subject.find(raster.group, name.split(":")[0].strip())
        if mapping is not None:
            yield mapping.path, mapping.attrs


def read_crs(value: Any) -> Any:
    """Return the coordinate reference system that a value names, or the reason why it fails."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        if isinstance(value, dict) and not {"$schema", "type"} & set(value):
            text = value.get("crs_wkt") or value.get("spatial_ref")
            return CRS.from_wkt(text) if text else CRS.from_cf(value)
        return CRS.from_user_input(value)
    except (CRSError, KeyError, ValueError, TypeError) as error:
        return str(error)[:120]


def same_crs(crs: Any, other: Any) -> bool:
    """Return whether two systems are the same, whatever the order of axes and spelling."""
    codes = crs.to_epsg(), other.to_epsg()
    if None not in codes:
        return bool(codes[0] == codes[1])
    return bool(crs.equals(other, ignore_axis_order=True))
