"""Heal rasters: missing grid mappings, and missing coordinates or coordinate values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.products.grids import is_even
from skerry.products.healing.items import name_item_system
from skerry.products.healing.scope import find_in_scope
from skerry.products.healing.systems import name_attributes, name_system
from skerry.products.healing.wounds import Wounds
from skerry.products.sensors.mapping import product_type_of

Projections = Mapping[str, Mapping[str, dict[str, Any]]]
"""Group path to variable name to the ``proj:`` attributes of the variable as stored."""
SPATIAL_REF: Final = "spatial_ref"
_AXES: Final = ("y", "x")
_SHOWN: Final = 20


def heal_rasters(
    datasets: Mapping[str, xr.Dataset], projections: Projections, wounds: Wounds
) -> dict[str, xr.Dataset]:
    """Give rasters the coordinates and grid mappings that their attributes or the item name.

    Parameters
    ----------
    datasets
        Group path to group; the root has the product's attributes.
    projections
        The ``proj:`` attributes of variables; for other groups, those in `datasets` count.
    wounds
        Gets the wounds, healed or not.
    """
    item = datasets["/"].attrs.get("stac_discovery")
    healed = dict(datasets)
    for path in sorted(datasets):
        group = _Group(path, healed, projections.get(path), item, wounds)
        if group.rasters:
            group.heal_coordinates()
            group.heal_mapping()
    return healed


@dataclass
class _Group:
    """A group during healing; `tree` holds its current state."""

    path: str
    tree: dict[str, xr.Dataset]
    stored_projections: Mapping[str, dict[str, Any]] | None
    item: Any
    wounds: Wounds

    @property
    def data(self) -> xr.Dataset:
        return self.tree[self.path]

    @property
    def rasters(self) -> list[str]:
        """Names of variables whose last dimensions are y and x."""
        data = self.data
        return [str(name) for name, item in data.data_vars.items() if item.dims[-2:] == _AXES]

    @property
    def projections(self) -> Mapping[str, dict[str, Any]]:
        """Variable name to ``proj:`` attributes."""
        if self.stored_projections is not None:
            return self.stored_projections
        return {str(name): item.attrs for name, item in self.data.variables.items()}

    def heal_coordinates(self) -> None:
        """Calculate missing coordinates, or coordinates without numbers, from the transform."""
        data = self.data
        damaged = [axis for axis in _AXES if _is_damaged(data, axis)]
        damaged = [axis for axis in damaged if axis in data or self._find_in_scope(axis) is None]
        if not damaged:
            return
        transform, source = self._find_transform()
        if transform is None:
            self._tell_coordinates(damaged)
            return
        if any(not _agrees(data, item, transform) for item in _AXES if item not in damaged):
            self._tell_coordinates(damaged)
            return
        axes = {}
        for axis in damaged:
            values = _place_centres(transform, axis, data.sizes[axis])
            old = data.variables.get(axis)
            axes[axis] = (
                xr.Variable((axis,), values, _describe_axis(axis))
                if old is None or old.dims != (axis,)
                else xr.Variable((axis,), values, old.attrs, old.encoding)
            )
            self.wounds.add("coordinates", f"{self.path} has {axis} from {source}")
        self.tree[self.path] = data.drop_vars(damaged, errors="ignore").assign_coords(axes)

    def _tell_coordinates(self, damaged: list[str]) -> None:
        for axis in damaged:
            if axis in self.data.variables and _is_broken(self.data.variables[axis].to_numpy()):
                words = (
                    f"{self.path}: {axis} is incomplete, and nothing else tells the pixels' places"
                )
                self.wounds.leave("coordinates", words)

    def _find_transform(self) -> tuple[list[float] | None, str]:
        """Return the affine transform on which all arrays agree, and the place that states it."""
        sizes = [self.data.sizes[axis] for axis in _AXES]
        transforms = {
            tuple(transform)
            for projection in self.projections.values()
            if (transform := _read_transform(projection.get("proj:transform"))) is not None
            and projection.get("proj:shape") in (None, sizes)
        }
        if len(transforms) == 1:
            return list(transforms.pop()), "proj:transform"
        reference = self._find_in_scope(SPATIAL_REF)
        if transforms or reference is None:
            return None, ""
        transform = _read_geotransform(reference.attrs.get("GeoTransform"))
        properties = self.item.get("properties") if isinstance(self.item, dict) else None
        # After cropping, GeoTransform may be wrong; the item's box tells whether it is.
        box = properties.get("proj:bbox") if isinstance(properties, dict) else None
        bare = box is None and not set(_AXES) & set(self.data.variables)
        if transform is None or not (bare or _fills(transform, sizes, box)):
            return None, ""
        return transform, "GeoTransform"

    def _find_in_scope(self, name: str) -> xr.Variable | None:
        """Return a variable of this group, or of a group above, from which groups inherit."""
        return find_in_scope(self.tree, self.path, name)

    def heal_mapping(self) -> None:
        """Give rasters an existing grid mapping; report rasters without a possible grid mapping."""
        data = self.data
        mappings = {name: _name_mapping(data.variables[name]) for name in self.rasters}
        absent = {
            name: item
            for name, item in mappings.items()
            if item and self._find_in_scope(item) is None
        }
        there = {item for item in mappings.values() if item} - set(absent.values())
        if not there and self._find_in_scope(SPATIAL_REF) is not None:
            there = {SPATIAL_REF}
        if there:
            self._point(absent, there.pop() if len(there) == 1 else None)
            return
        has_axes = set(_AXES) <= set(data.coords)
        code = self._find_system(required=bool(absent)) if has_axes else None
        if code is None:
            self._point(absent, None)
        else:
            self._assign(code)

    def _point(self, absent: Mapping[str, str], target: str | None) -> None:
        """Correct rasters that name a missing grid mapping: name the existing one, or none."""
        for name, mapping in absent.items():
            variable = self.data[name]
            variable.attrs.pop("grid_mapping", None)
            variable.encoding.pop("grid_mapping", None)
            words = f"{self.path.rstrip('/')}/{name} names {mapping}, which does not exist"
            if target is None:
                self.wounds.leave("grid-mapping", words)
            else:
                variable.encoding["grid_mapping"] = target
                self.wounds.add("grid-mapping", f"{words}; {target} is")

    def _find_system(self, *, required: bool) -> str | None:
        """Return the reference system that the group's arrays name, or else the item's."""
        codes: set[str] = set()
        for name, attrs in self.projections.items():
            code, wrong = name_attributes(attrs)
            codes |= set() if code is None else {code}
            for item in wrong:
                words = f"{self.path.rstrip('/')}/{name}: {item} is not a known reference system"
                self.wounds.leave("grid-mapping", words)
        if len(codes) > 1:
            several = ", ".join(sorted(map(_show, codes)))
            self.wounds.leave("grid-mapping", f"{self.path} names several systems: {several}")
            return None
        if codes:
            return codes.pop()
        pictures = any(_is_picture(self.data.variables[name]) for name in self.rasters)
        if not pictures and not required:
            return None
        code = name_system(name_item_system(self.item))
        if code is None and product_type_of({"stac_discovery": self.item}):
            words = f"{self.path} has no grid mapping, and its arrays and the item name no system"
            self.wounds.leave("grid-mapping", words)
        return code

    def _assign(self, code: str) -> None:
        from odc.geo.xr import assign_crs

        healed: xr.Dataset = assign_crs(self.data, code, crs_coord_name=SPATIAL_REF)
        for variable in healed.data_vars.values():
            variable.attrs.pop("grid_mapping", None)
            if set(_AXES) <= set(variable.dims):
                variable.encoding["grid_mapping"] = SPATIAL_REF
        self.tree[self.path] = healed
        self.wounds.add("grid-mapping", f"{self.path} is in {_show(code)}")


def list_grid_codes(datasets: Mapping[str, xr.Dataset]) -> set[str]:
    """Return the codes of all grid mappings of a product."""
    codes = {
        dataset.variables[SPATIAL_REF].attrs.get("crs_wkt")
        for dataset in datasets.values()
        if SPATIAL_REF in dataset.variables
    }
    return {code for item in codes if (code := name_system(item)) is not None}


def _show(code: str) -> str:
    return code if len(code) < _SHOWN else code[:_SHOWN]


def _is_picture(variable: xr.Variable) -> bool:
    """Tell whether it is a picture. Tables of angles are not: they have no grid mapping."""
    return variable.ndim == 2 or (variable.ndim == 3 and variable.dims[0] == "band")  # noqa: PLR2004 -- y, x


def _name_mapping(variable: xr.Variable) -> str | None:
    """Return the grid mapping that a raster names; CF lists coordinates behind a colon."""
    mapping = variable.encoding.get("grid_mapping") or variable.attrs.get("grid_mapping")
    words = str(mapping or "").split()
    return words[0].removesuffix(":") if words else None


def _is_damaged(data: xr.Dataset, axis: str) -> bool:
    if axis not in data.coords:
        return True
    coordinate = data.variables[axis]
    if coordinate.dims != (axis,) or axis not in data.xindexes:
        return False  # without index the values are not in memory
    values = coordinate.to_numpy()
    return values.dtype.kind in "iuf" and not is_even(values)


def _is_broken(values: npt.NDArray[Any]) -> bool:
    """Tell whether some values are missing: NaN, or a fill value among others."""
    steps = np.diff(values)
    return not np.isfinite(values).all() or not ((steps > 0).all() or (steps < 0).all())


def _read_transform(value: Any) -> list[float] | None:
    """Return a, b, c, d, e, f of a transform without rotation."""
    numbers = isinstance(value, list) and all(isinstance(item, int | float) for item in value[:6])
    if not numbers or len(value) not in (6, 9) or not np.isfinite(value[:6]).all():
        return None
    turned = value[1] or value[3] or not value[0] or not value[4]
    return None if turned else [float(item) for item in value[:6]]


def _read_geotransform(text: Any) -> list[float] | None:
    try:
        c, a, b, f, d, e = (float(part) for part in str(text).split())
    except ValueError:
        return None
    return _read_transform([a, b, c, d, e, f])


def _place_centres(transform: list[float], axis: str, size: int) -> npt.NDArray[Any]:
    step, start = (transform[0], transform[2]) if axis == "x" else (transform[4], transform[5])
    return start + (np.arange(size, dtype=np.float64) + 0.5) * step


def _agrees(data: xr.Dataset, axis: str, transform: list[float]) -> bool:
    """Tell whether an undamaged coordinate agrees with a transform, to half a pixel."""
    if axis not in data.xindexes:
        return True
    centres = _place_centres(transform, axis, data.sizes[axis])
    step = abs(transform[0] if axis == "x" else transform[4])
    return bool(np.abs(data.variables[axis].to_numpy() - centres).max(initial=0.0) <= step / 2)


def _fills(transform: list[float], sizes: list[int], box: Any) -> bool:
    """Tell whether the pixels fill a box, to half a pixel."""
    a, _, c, _, e, f = transform
    rows, columns = sizes
    if not isinstance(box, list) or not all(isinstance(item, int | float) for item in box):
        return False
    covered = (*sorted((c, c + columns * a)), *sorted((f, f + rows * e)))
    edges = np.array([covered[0], covered[2], covered[1], covered[3]])
    return len(box) == 4 and bool((np.abs(edges - box) <= abs(a) / 2).all())  # noqa: PLR2004


def _describe_axis(axis: str) -> dict[str, str]:
    return {"standard_name": f"projection_{axis}_coordinate"}
