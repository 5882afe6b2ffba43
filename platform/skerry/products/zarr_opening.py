"""Open a GeoZarr or an EOPF Zarr as a tree like that of the SAFE reader."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import GroupNotFoundError

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.coding.json_values import TYPES, from_json, put_back
from skerry.products.coding.zarr_conventions import (
    GENERAL,
    NODE,
    REGISTRATION,
    read_layout,
    read_transform,
    without_conventions,
)
from skerry.products.eopf.variables import list_coordinates, read_variable
from skerry.products.healing.canonical import assemble_tree
from skerry.products.healing.wounds import Wounds
from skerry.products.stores.zarr_stores import Place, open_store

READ_AT_ONCE = 16
"""Coordinates."""
_GEOZARR = {
    "proj:code": "proj:code", "proj:wkt2": "proj:wkt2", "spatial:transform": "proj:transform",
    "spatial:shape": "proj:shape",
}  # fmt: skip
"""Place attributes of GeoZarr groups to their names in arrays of EOPF products."""


def open_zarr_product(
    place: Place, *, level: int = 0, product_type: str | None = None
) -> xr.DataTree:
    """Open a Zarr product lazily.

    A multiscale group appears as its level `level` (or its coarsest, if it has fewer), without
    the level groups. Of the arrays only the dimensions' coordinates are read; all else when it
    is computed.

    Returns
    -------
    xarray.DataTree
        Canonical, whichever profile the product has; ``other_metadata/healed`` lists the wounds
        that opening healed.

    Raises
    ------
    NotFoundError
        If the place does not exist.
    InvalidInputError
        If the store cannot be read, or holds no array.
    """
    try:
        root = zarr.open_group(open_store(place), mode="r")
    except GroupNotFoundError as error:
        raise NotFoundError(f"There is no {place}.", remedy="Check the address.") from error
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise _unreadable(place, error) from error
    name = place.name.removesuffix(".zarr")
    return build_tree(root, name, place, level=level, product_type=product_type)


def build_tree(
    root: zarr.Group,
    name: str,
    place: Place,
    *,
    level: int = 0,
    values: bool = True,
    product_type: str | None = None,
) -> xr.DataTree:
    """Return the canonical tree of an open Zarr group; without `values` it has no indexes."""
    walk = _StoreWalk(level, folder=_find_folder(root, place))
    try:
        datasets = dict(_walk(root, "", walk))
        if values:
            datasets = _index(datasets)
    except (LookupError, ValueError, TypeError, OSError, AttributeError) as error:
        raise _unreadable(place, error) from error
    if not any(dataset.variables for dataset in datasets.values()):
        raise InvalidInputError(
            f"The Zarr store {place} holds no array.", remedy="Give a complete product."
        )
    return assemble_tree(
        datasets, name, wounds=walk.wounds, projections=walk.projections, absent=walk.absent,
        product_type=product_type,
    )  # fmt: skip


def _unreadable(place: Place, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is not a readable Zarr product: {error}.",
        remedy="Write it again, or fetch it again from its provider.",
    )


@dataclass
class _StoreWalk:
    """Settings and notes of a walk through a store.

    Attributes
    ----------
    level
        Overview level to open.
    folder
        The store's folder if its arrays are quick to look up: consolidated metadata may list
        arrays that are gone.
    wounds, projections, absent
        For `assemble_tree`.
    """

    level: int
    folder: Path | None
    wounds: Wounds = field(default_factory=Wounds)
    projections: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def is_there(self, array: zarr.Array) -> bool:  # type: ignore[type-arg]
        """Tell whether an array has files; True if this is unknown."""
        return self.folder is None or (self.folder / array.path).is_dir()


def _find_folder(root: zarr.Group, place: Place) -> Path | None:
    consolidated = root.metadata.consolidated_metadata is not None
    return place if consolidated and isinstance(place, Path) else None


def _walk(group: zarr.Group, path: str, walk: _StoreWalk) -> list[tuple[str, xr.Dataset]]:
    attrs: dict[str, Any] = dict(group.attrs)
    members = dict(group.members())
    children = {name: item for name, item in members.items() if isinstance(item, zarr.Group)}
    assets = [level.asset for level in read_layout(attrs) if level.asset in children]
    levels = {name: _list_arrays(children[name]) for name in assets}
    native = _find_native(levels)
    place = attrs
    if assets and len(native) == 1:
        asset = assets[min(walk.level, len(assets) - 1)]
        members, place = dict(levels[asset]), _describe_level(attrs, asset, children[asset])
    arrays = {name: item for name, item in members.items() if isinstance(item, zarr.Array)}
    attrs = from_json(attrs, attrs.pop(TYPES, {}))
    datasets = [(path or "/", _read_group(arrays, path, attrs, place, walk))]
    if len(native) > 1:
        for name in native:
            number = min(assets.index(name) + walk.level, len(assets) - 1)
            there = {
                key: item for key, item in levels[assets[number]].items() if key in levels[name]
            }
            own = dict(children[assets[number]].attrs)
            below = f"{path}/{name}"
            level = _describe_level(attrs, assets[number], children[assets[number]])
            datasets.append((below, _read_group(there, below, own, level, walk)))
    for name, child in sorted(children.items()):
        if name not in assets:
            datasets += _walk(child, f"{path}/{name}", walk)
    return datasets


def _describe_level(attrs: Mapping[str, Any], asset: str, level: zarr.Group) -> dict[str, Any]:
    """Return the attributes of a level's place: of its group, the layout, or the parent."""
    general = {key: attrs[key] for key in GENERAL if key in attrs}
    layout = next(item.attributes for item in read_layout(attrs) if item.asset == asset)
    return general | dict(layout) | dict(level.attrs)


def _list_arrays(group: zarr.Group) -> dict[str, Any]:
    return {name: item for name, item in group.members() if isinstance(item, zarr.Array)}


def _find_native(levels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the levels that hold rasters which no finer level has, the finest first.

    There are several if a group holds bands of several resolutions: each of these levels also holds
    overviews of the finer bands.
    """
    names: set[str] = set()
    native: list[str] = []
    for level, arrays in levels.items():
        rasters = {name for name, item in arrays.items() if item.ndim > 1}
        if not native or rasters - names:
            native.append(level)
        names |= rasters
    return native


def _read_group(
    arrays: Mapping[str, Any],
    path: str,
    attrs: dict[str, Any],
    place: Mapping[str, Any],
    walk: _StoreWalk,
) -> xr.Dataset:
    """Return a group of arrays; `place` holds GeoZarr's attributes about its place."""
    absent = [name for name, item in arrays.items() if not walk.is_there(item)]
    walk.absent += [f"{path}/{name}".strip("/") for name in absent]
    data = _build_dataset({key: arrays[key] for key in arrays if key not in absent}, path, walk)
    facts = {ours: place[key] for key, ours in _GEOZARR.items() if key in place}
    if place.get(REGISTRATION) == NODE and (edges := read_transform(place)):
        facts["proj:transform"] = [float(number) for number in edges[:6]]
    if facts and place.get("spatial:dimensions", ["y", "x"]) == ["y", "x"]:
        walk.projections[path or "/"][""] = facts
    data.attrs = put_back(without_conventions(attrs))
    return data


def _build_dataset(arrays: dict[str, Any], path: str, walk: _StoreWalk) -> xr.Dataset:
    variables = {
        name: read_variable(item, f"{path}/{name}", walk.wounds) for name, item in arrays.items()
    }
    listed = {name for item in arrays.values() for name in list_coordinates(item)}
    named = {
        name
        for name, item in variables.items()
        if name in listed or item.dims == (name,) or (name == "spatial_ref" and not item.dims)
    }
    coordinates = {name: item for name, item in variables.items() if name in named}
    walk.projections[path or "/"] = {
        name: {key: item for key, item in array.attrs.items() if key.startswith("proj:")}
        for name, array in arrays.items()
    }
    return xr.Dataset(
        {name: item for name, item in variables.items() if name not in named},
        coords=xr.Coordinates(coordinates, indexes={}),
    )


def _index(datasets: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Read the dimensions' coordinates, each once, many at a time; give the groups indexes."""
    names = [
        (path, name)
        for path, data in datasets.items()
        for name, item in data.coords.items()
        if item.dims == (name,)
    ]
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        read = pool.map(lambda item: _load(datasets[item[0]].variables[item[1]]), names)
        loaded: dict[str, dict[Any, xr.Variable]] = {}
        for (path, name), variable in zip(names, read, strict=True):
            loaded.setdefault(path, {})[name] = variable
    return {path: data.assign_coords(loaded.get(path, {})) for path, data in datasets.items()}


def _load(variable: xr.Variable) -> xr.Variable:
    values = np.asarray(variable.data.compute(scheduler="synchronous"))
    return xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
