"""Open a GeoZarr or an EOPF Zarr as the tree that the SAFE reader gives."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import GroupNotFoundError

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.eopf.healing import Wounds, heal_grid
from skerry.products.eopf.json_values import TYPES, from_json
from skerry.products.eopf.profiles import product_type_of, read_root, rename_dims
from skerry.products.eopf.variables import list_coordinates, read_variable
from skerry.products.geozarr.conventions import without_conventions
from skerry.products.zarr_stores import Place, open_store

READ_AT_ONCE = 16
"""Coordinates."""


def open_zarr_product(place: Place, *, level: int = 0) -> xr.DataTree:
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
    InvalidInputError
        If the store cannot be read, or holds no array.
    """
    try:
        root = zarr.open_group(open_store(place), mode="r")
    except GroupNotFoundError as error:
        raise NotFoundError(f"There is no {place}.", remedy="Check the address.") from error
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise _unreadable(place, error) from error
    return build_tree(root, place.name.removesuffix(".zarr"), place, level=level)


def build_tree(
    root: zarr.Group,
    name: str,
    place: Place,
    *,
    level: int = 0,
    values: bool = True,
) -> xr.DataTree:
    """Return the canonical tree of an open Zarr group; without `values` it has no indexes."""
    wounds = Wounds()
    try:
        datasets = dict(_walk(root, "", level, wounds))
        if values:
            datasets = _index(datasets)
    except (KeyError, ValueError, TypeError, OSError, AttributeError) as error:
        raise _unreadable(place, error) from error
    if not any(one.variables for one in datasets.values()):
        raise InvalidInputError(
            f"The Zarr store {place} holds no array.", remedy="Give a complete product."
        )
    root_attrs: Any = datasets["/"].attrs
    kind = product_type_of(root_attrs)
    try:
        tree = xr.DataTree.from_dict(
            {key: rename_dims(one, key, kind, canonical=True) for key, one in datasets.items()},
            name=name,
        )
    except ValueError as error:  # a group's coordinates are not those of the group above
        raise _unreadable(place, ValueError(" ".join(str(error).split())[:200])) from error
    tree.attrs = read_root(root_attrs, wounds)
    return tree


def _unreadable(place: Place, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is no readable Zarr product: {error}.",
        remedy="Write it again, or fetch it again from its provider.",
    )


def _walk(group: zarr.Group, path: str, level: int, wounds: Wounds) -> list[tuple[str, xr.Dataset]]:
    attrs = dict(group.attrs)
    members = dict(group.members())
    children = {name: one for name, one in members.items() if isinstance(one, zarr.Group)}
    assets: list[str] = []
    if "multiscales" in attrs:
        assets = [str(one["asset"]) for one in attrs["multiscales"]["layout"]]  # type: ignore[index,call-overload,union-attr]
        chosen: Any = group[assets[min(level, len(assets) - 1)]]
        members = dict(chosen.members())
    arrays = {name: one for name, one in members.items() if isinstance(one, zarr.Array)}
    attrs = from_json(attrs, attrs.pop(TYPES, {}))  # type: ignore[arg-type]
    data = _build_dataset(arrays, path, wounds)
    data.attrs = without_conventions(attrs)
    found = [(path or "/", data)]
    for name, child in sorted(children.items()):
        if name not in assets:
            found += _walk(child, f"{path}/{name}", level, wounds)
    return found


def _build_dataset(arrays: dict[str, Any], path: str, wounds: Wounds) -> xr.Dataset:
    variables = {name: read_variable(one, f"{path}/{name}", wounds) for name, one in arrays.items()}
    listed = {name for one in arrays.values() for name in list_coordinates(one)}
    named = {
        name
        for name, one in variables.items()
        if name in listed or one.dims == (name,) or (name == "spatial_ref" and not one.dims)
    }
    coordinates = {name: one for name, one in variables.items() if name in named}
    data = xr.Dataset(
        {name: one for name, one in variables.items() if name not in named},
        coords=xr.Coordinates(coordinates, indexes={}),
    )
    projections = {
        name: {key: one for key, one in array.attrs.items() if key.startswith("proj:")}
        for name, array in arrays.items()
    }
    return heal_grid(data, projections, path or "/", wounds)


def _index(datasets: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Read the dimensions' coordinates, each once, many at a time; give the groups indexes."""
    wanted = [
        (path, name)
        for path, data in datasets.items()
        for name, one in data.coords.items()
        if one.dims == (name,)
    ]
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        read = pool.map(lambda one: _load(datasets[one[0]].variables[one[1]]), wanted)
        loaded: dict[str, dict[Any, xr.Variable]] = {}
        for (path, name), variable in zip(wanted, read, strict=True):
            loaded.setdefault(path, {})[name] = variable
    return {path: data.assign_coords(loaded.get(path, {})) for path, data in datasets.items()}


def _load(variable: xr.Variable) -> xr.Variable:
    """Read a dimension's coordinate, once: an index needs its values."""
    values = np.asarray(variable.data.compute(scheduler="synchronous"))
    return xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
