"""Open a GeoZarr or an EOPF Zarr as the tree that the SAFE reader gives."""

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
from skerry.products.coding.zarr_conventions import read_layout, without_conventions
from skerry.products.eopf.variables import list_coordinates, read_variable
from skerry.products.healing.canonical import assemble_tree
from skerry.products.healing.wounds import Wounds
from skerry.products.stores.zarr_stores import Place, open_store

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
    NotFoundError
        If nothing is there.
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
    seen = _Seen(level, folder=_find_folder(root, place))
    try:
        datasets = dict(_walk(root, "", seen))
        if values:
            datasets = _index(datasets)
    except (LookupError, ValueError, TypeError, OSError, AttributeError) as error:
        raise _unreadable(place, error) from error
    if not any(dataset.variables for dataset in datasets.values()):
        raise InvalidInputError(
            f"The Zarr store {place} holds no array.", remedy="Give a complete product."
        )
    return assemble_tree(
        datasets, name, wounds=seen.wounds, projections=seen.projections, absent=seen.absent
    )


def _unreadable(place: Place, error: Exception) -> InvalidInputError:
    return InvalidInputError(
        f"{place} is no readable Zarr product: {error}.",
        remedy="Write it again, or fetch it again from its provider.",
    )


@dataclass
class _Seen:
    """What walking through a store is told and what it notes.

    Attributes
    ----------
    level
        Overview level wanted.
    folder
        The store's folder if arrays can be looked up there quickly: metadata may be consolidated
        and list arrays that are gone.
    wounds, projections, absent
        For `assemble_tree`.
    """

    level: int
    folder: Path | None
    wounds: Wounds = field(default_factory=Wounds)
    projections: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def is_there(self, array: zarr.Array) -> bool:  # type: ignore[type-arg]
        """Tell whether anything of an array is there, as far as that is known."""
        return self.folder is None or (self.folder / array.path).is_dir()


def _find_folder(root: zarr.Group, place: Place) -> Path | None:
    consolidated = root.metadata.consolidated_metadata is not None
    return place if consolidated and isinstance(place, Path) else None


def _walk(group: zarr.Group, path: str, seen: _Seen) -> list[tuple[str, xr.Dataset]]:
    attrs: dict[str, Any] = dict(group.attrs)
    members = dict(group.members())
    children = {name: item for name, item in members.items() if isinstance(item, zarr.Group)}
    assets = [level.asset for level in read_layout(attrs) if level.asset in children]
    if assets:
        chosen = children[assets[min(seen.level, len(assets) - 1)]]
        members = dict(chosen.members())
    arrays = {name: item for name, item in members.items() if isinstance(item, zarr.Array)}
    gone = [name for name, item in arrays.items() if not seen.is_there(item)]
    seen.absent += [f"{path}/{name}".strip("/") for name in gone]
    arrays = {name: item for name, item in arrays.items() if name not in gone}
    attrs = from_json(attrs, attrs.pop(TYPES, {}))
    data = _build_dataset(arrays, path, seen)
    data.attrs = put_back(without_conventions(attrs))
    found = [(path or "/", data)]
    for name, child in sorted(children.items()):
        if name not in assets:
            found += _walk(child, f"{path}/{name}", seen)
    return found


def _build_dataset(arrays: dict[str, Any], path: str, seen: _Seen) -> xr.Dataset:
    variables = {
        name: read_variable(item, f"{path}/{name}", seen.wounds) for name, item in arrays.items()
    }
    listed = {name for item in arrays.values() for name in list_coordinates(item)}
    named = {
        name
        for name, item in variables.items()
        if name in listed or item.dims == (name,) or (name == "spatial_ref" and not item.dims)
    }
    coordinates = {name: item for name, item in variables.items() if name in named}
    seen.projections[path or "/"] = {
        name: {key: item for key, item in array.attrs.items() if key.startswith("proj:")}
        for name, array in arrays.items()
    }
    return xr.Dataset(
        {name: item for name, item in variables.items() if name not in named},
        coords=xr.Coordinates(coordinates, indexes={}),
    )


def _index(datasets: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Read the dimensions' coordinates, each once, many at a time; give the groups indexes."""
    wanted = [
        (path, name)
        for path, data in datasets.items()
        for name, item in data.coords.items()
        if item.dims == (name,)
    ]
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        read = pool.map(lambda item: _load(datasets[item[0]].variables[item[1]]), wanted)
        loaded: dict[str, dict[Any, xr.Variable]] = {}
        for (path, name), variable in zip(wanted, read, strict=True):
            loaded.setdefault(path, {})[name] = variable
    return {path: data.assign_coords(loaded.get(path, {})) for path, data in datasets.items()}


def _load(variable: xr.Variable) -> xr.Variable:
    values = np.asarray(variable.data.compute(scheduler="synchronous"))
    return xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
