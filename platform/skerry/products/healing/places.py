"""Bring rasters of any CF file to rows y, columns x and the grid mapping spatial_ref."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from pyproj import CRS

from skerry.products.coding.places import (
    choose_mapping,
    find_axis,
    find_factor,
    is_degrees,
    read_system,
    unwrap_longitudes,
)
from skerry.products.healing.scope import find_in_scope
from skerry.products.healing.wounds import Wounds

SPATIAL_REF: Final = "spatial_ref"
_AXES: Final = ("y", "x")
_PLAIN: Final = "EPSG:4326"
"""Default system for latitudes and longitudes that name no system."""
_PER_DIMENSION: Final = ("chunks", "shards")


def place_rasters(
    datasets: Mapping[str, xr.Dataset], wounds: Wounds, left_alone: Collection[str] = ()
) -> dict[str, xr.Dataset]:
    """Return groups whose rasters have the dimensions y and x, last, and one grid mapping.

    Parameters
    ----------
    datasets
        Group path to group; coordinates and grid mappings may be in a group above.
    wounds
        Gets the assumed systems, and the places that cannot be read.
    left_alone
        Paths of groups that stay as they are.
    """
    healed = dict(datasets)
    for path in sorted(datasets):
        if path not in left_alone:
            healed[path] = _Group(path, datasets, wounds).place()
    return healed


@dataclass(frozen=True)
class _System:
    """A reference system, its grid mapping's attributes and the mapping's name."""

    crs: CRS
    attrs: dict[str, Any]
    name: str

    @property
    def parts(self) -> tuple[CRS, dict[str, Any]]:
        return self.crs, self.attrs


@dataclass
class _Group:
    """A group, and all groups as they were read."""

    path: str
    tree: Mapping[str, xr.Dataset]
    wounds: Wounds

    def place(self) -> xr.Dataset:
        """Return the group with its raster placed; unchanged without or with several grids."""
        data = self.tree[self.path]
        pairs = {
            pair for item in data.data_vars.values() if (pair := self._find_pair(item)) is not None
        }
        if len(pairs) > 1 and _AXES not in pairs:
            several = ", ".join(sorted(f"({', '.join(pair)})" for pair in pairs))
            self.wounds.leave("axes", f"{self.path} has several grids: {several}")
        if len(pairs) != 1 and _AXES not in pairs:
            return data
        pair = _AXES if _AXES in pairs else pairs.pop()
        renamed = {new for old, new in zip(pair, _AXES, strict=True) if old != new}
        if renamed & ({str(name) for name in data.variables} | {str(dim) for dim in data.dims}):
            words = f"{self.path} has variables called y and x that are not its axes"
            self.wounds.leave("axes", f"{words} {', '.join(pair)}")
            return data
        system = self._find_system(data, pair)
        return self._assign(data, pair, system)

    def _find(self, name: str) -> xr.Variable | None:
        """Return a variable of this group or of the nearest one above."""
        return find_in_scope(self.tree, self.path, name)

    def _find_pair(self, variable: xr.DataArray) -> tuple[str, str] | None:
        """Return a variable's dimensions for rows and columns, None if it lacks either."""
        axes: dict[str, str] = {}
        for dim in map(str, variable.dims):
            coordinate = self._find(dim)
            if coordinate is None or coordinate.dims != (dim,):
                axis = dim if dim in _AXES and coordinate is None else None
            elif coordinate.dtype.kind in "iuf":
                axis = find_axis(dim, coordinate.attrs)
            else:
                axis = None
            if axis is not None:
                axes.setdefault(axis, dim)
        return (axes["y"], axes["x"]) if len(axes) == len(_AXES) else None

    def _find_system(self, data: xr.Dataset, pair: tuple[str, str]) -> _System | None:
        """Return the reference system of a group's rasters, None if nothing defines it."""
        rasters = [item for item in data.data_vars.values() if set(pair) <= set(item.dims)]
        names = {_name_mapping(item, pair) for item in rasters} - {None}
        if not names and self._find(SPATIAL_REF) is not None:
            names = {SPATIAL_REF}
        there = {
            name: system for name in names if name and (system := self._find(name)) is not None
        }
        if len(there) > 1:
            self.wounds.leave("grid-mapping", f"{self.path} names {', '.join(sorted(there))}")
            return None
        for name, system in there.items():
            try:
                return _System(read_system(system.attrs), dict(system.attrs), name)
            except ValueError as error:
                words = f"{self.path}: {name} describes no known reference system: {error}"
                self.wounds.leave("grid-mapping", words)
                return None
        axes = [self._find(dim) for dim in pair]
        degrees = [
            item is not None and is_degrees(dim, item.attrs)
            for dim, item in zip(pair, axes, strict=True)
        ]
        if names or not all(degrees):
            return None
        words = f"{self.path} has latitudes and longitudes of no named system: {_PLAIN}"
        self.wounds.add("grid-mapping", words)
        return _System(CRS(_PLAIN), {}, SPATIAL_REF)

    def _assign(
        self, data: xr.Dataset, pair: tuple[str, str], system: _System | None
    ) -> xr.Dataset:
        """Return the group with axes, system and the order of dimensions that all formats have."""
        axes = {new: self._find(old) for old, new in zip(pair, _AXES, strict=True)}
        there = {*data.dims, *data.variables}
        names = zip(pair, _AXES, strict=True)
        result = data.rename({old: new for old, new in names if old != new and old in there})
        if system is None:
            return _put_last(result)
        factors = {
            axis: 1.0 if item is None else find_factor(item.attrs.get("units"), *system.parts)
            for axis, item in axes.items()
        }
        rasters = self._list_rasters(data, result, pair)
        for name in rasters:
            result.variables[name].attrs.pop("grid_mapping", None)
            result.variables[name].encoding.pop("grid_mapping", None)
        if None in factors.values():
            self._tell_units(axes, factors, system.crs)
            return _put_last(result.drop_vars([system.name, SPATIAL_REF], errors="ignore"))
        result = self._assign_axes(result, axes, factors, system.crs)
        changed = set(factors.values()) != {1.0}
        result = _point(result, system, self._find(system.name), changed=changed)
        for name in rasters:
            result.variables[name].encoding["grid_mapping"] = SPATIAL_REF
        return _put_last(result)

    def _list_rasters(
        self, data: xr.Dataset, gridded: xr.Dataset, pair: tuple[str, str]
    ) -> list[str]:
        """Return the names of placed rasters, except those whose grid mapping is missing."""
        mappings = {name: _name_mapping(item, pair) for name, item in data.data_vars.items()}
        return [
            str(name)
            for name, mapping in mappings.items()
            if set(_AXES) <= set(gridded.variables[name].dims)
            and (mapping is None or self._find(mapping) is not None)
        ]

    def _assign_axes(
        self,
        data: xr.Dataset,
        axes: Mapping[str, xr.Variable | None],
        factors: Mapping[str, float | None],
        crs: CRS,
    ) -> xr.Dataset:
        """Return the group with its own axes, in the system's units."""
        coordinates = {}
        for axis, item in axes.items():
            if item is None:
                continue
            factor = factors[axis] or 1.0
            attrs, values, encoding = dict(item.attrs), item.data, dict(item.encoding)
            if factor != 1.0:
                values = np.multiply(values, factor, dtype=np.float64)
                attrs["units"] = "degree" if crs.is_geographic else _name_unit(crs)
                if not crs.is_geographic:
                    attrs["standard_name"] = f"projection_{axis}_coordinate"
                encoding = {}
                words = f"{self.path}: {axis} is in {item.attrs.get('units')}, times {factor:.9g}"
                self.wounds.add("axes", words)
            if crs.is_geographic and axis == "x" and isinstance(values, np.ndarray):
                values = unwrap_longitudes(values)
            if values is not item.data or axis not in data.variables:
                coordinates[axis] = xr.Variable((axis,), values, attrs, encoding)
        return (
            data.drop_vars(list(coordinates), errors="ignore").assign_coords(coordinates)
            if coordinates
            else data
        )

    def _tell_units(
        self, axes: Mapping[str, xr.Variable | None], factors: Mapping[str, Any], crs: CRS
    ) -> None:
        for axis, item in axes.items():
            if factors[axis] is None and item is not None:
                units = item.attrs.get("units")
                words = f"{self.path}: {axis} is in {units!r}, which {crs.name} cannot be in"
                self.wounds.leave("axes", f"{words}; its place is not read")


def _name_mapping(raster: xr.DataArray, pair: tuple[str, str]) -> str | None:
    mapping = raster.encoding.get("grid_mapping") or raster.attrs.get("grid_mapping")
    return choose_mapping(mapping, pair)


def _point(
    data: xr.Dataset, system: _System, mapping: xr.Variable | None, *, changed: bool
) -> xr.Dataset:
    """Return a group with one grid mapping, which has the system as text for all readers."""
    attrs = {
        key: item for key, item in system.attrs.items() if not changed or key != "GeoTransform"
    }
    if not attrs:
        attrs = {key: item for key, item in system.crs.to_cf().items() if item is not None}
    if not attrs.get("crs_wkt"):
        attrs["crs_wkt"] = system.crs.to_wkt()
    if system.name == SPATIAL_REF and mapping is not None and dict(mapping.attrs) == attrs:
        return data
    value, encoding = (np.array(0), {}) if mapping is None else (mapping.values, mapping.encoding)
    reference = xr.Variable((), value, attrs, encoding)
    return data.drop_vars(system.name, errors="ignore").assign_coords({SPATIAL_REF: reference})


def _name_unit(crs: CRS) -> str:
    name = str(crs.axis_info[0].unit_name)
    return "m" if name == "metre" else name


def _put_last(data: xr.Dataset) -> xr.Dataset:
    """Return a group whose rasters have rows and columns last."""
    turned = {}
    for name, item in data.data_vars.items():
        if not set(_AXES) <= set(item.dims) or item.dims[-2:] == _AXES:
            continue
        order = [*(dim for dim in item.dims if dim not in _AXES), *_AXES]
        places = [item.dims.index(dim) for dim in order]
        variable = item.variable.transpose(*order)
        variable.encoding = dict(item.encoding)
        for key in _PER_DIMENSION:
            if key in variable.encoding and len(variable.encoding[key]) == len(places):
                variable.encoding[key] = tuple(variable.encoding[key][place] for place in places)
        turned[name] = variable
    return data.assign(turned) if turned else data
