"""Open a GeoZarr or an EOPF Zarr as the tree that the SAFE reader gives."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import GroupNotFoundError

from skerry.core.errors import InvalidInputError
from skerry.products.eopf.healing import Wounds, heal_grid
from skerry.products.eopf.json_values import TYPES, from_json
from skerry.products.eopf.profiles import product_type_of, read_root, rename_dims
from skerry.products.eopf.variables import list_coordinates, read_variable
from skerry.products.geozarr.conventions import without_conventions
from skerry.products.zarr_stores import open_store
from skerry.storage.remote import RemotePath


def open_zarr_product(place: Path | RemotePath, *, level: int = 0) -> xr.DataTree:
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
    except (GroupNotFoundError, KeyError, ValueError, TypeError, OSError) as error:
        raise _unreadable(place, error) from error
    return build_tree(root, place.name.removesuffix(".zarr"), place, level=level)


def build_tree(
    root: zarr.Group,
    name: str,
    place: Path | RemotePath,
    *,
    level: int = 0,
    values: bool = True,
) -> xr.DataTree:
    """Return the canonical tree of an open Zarr group; without `values` it has no indexes."""
    wounds = Wounds()
    try:
        datasets = dict(_walk(root, "", level, wounds, values=values))
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


def _unreadable(place: Path | RemotePath, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is no readable Zarr product: {error}.",
        remedy="Write it again, or fetch it again from its provider.",
    )


def _walk(
    group: zarr.Group, path: str, level: int, wounds: Wounds, *, values: bool
) -> list[tuple[str, xr.Dataset]]:
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
    data = _build_dataset(arrays, path, wounds, values=values)
    data.attrs = without_conventions(attrs)
    found = [(path or "/", data)]
    for name, child in sorted(children.items()):
        if name not in assets:
            found += _walk(child, f"{path}/{name}", level, wounds, values=values)
    return found


def _build_dataset(
    arrays: dict[str, Any], path: str, wounds: Wounds, *, values: bool
) -> xr.Dataset:
    variables = {name: read_variable(one, f"{path}/{name}", wounds) for name, one in arrays.items()}
    listed = {name for one in arrays.values() for name in list_coordinates(one)}
    named = {
        name
        for name, one in variables.items()
        if name in listed or one.dims == (name,) or (name == "spatial_ref" and not one.dims)
    }
    coordinates: Any = {name: one for name, one in variables.items() if name in named}
    if values:
        for name, one in coordinates.items():
            coordinates[name] = _load(one) if one.dims == (name,) else one
    else:
        coordinates = xr.Coordinates(coordinates, indexes={})
    data = xr.Dataset(
        {name: one for name, one in variables.items() if name not in named}, coords=coordinates
    )
    projections = {
        name: {key: one for key, one in array.attrs.items() if key.startswith("proj:")}
        for name, array in arrays.items()
    }
    return heal_grid(data, projections, path or "/", wounds)


def _load(variable: xr.Variable) -> xr.Variable:
    """Read a dimension's coordinate, once: an index needs its values."""
    values = np.asarray(variable.data.compute(scheduler="synchronous"))
    return xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
