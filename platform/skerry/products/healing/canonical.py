"""The last step of opening Zarr, NetCDF and COGs: groups become one healed, canonical tree."""

from collections.abc import Collection, Mapping
from typing import Any

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.healing.completeness import list_missing
from skerry.products.healing.items import heal_items, state_type
from skerry.products.healing.places import place_rasters
from skerry.products.healing.profiles import read_root, rename_dims
from skerry.products.healing.rasters import Projections, heal_rasters, list_grid_codes
from skerry.products.healing.wounds import Wounds, heal_attributes, heal_units
from skerry.products.sensors.mapping import product_type_of


def assemble_tree(
    datasets: Mapping[str, xr.Dataset],
    name: str,
    *,
    wounds: Wounds | None = None,
    projections: Projections | None = None,
    absent: Collection[str] = (),
    left_out: Collection[str] = (),
    product_type: str | None = None,
) -> xr.DataTree:
    """Return the canonical tree of a product's groups, healed.

    Nothing is read: coordinates of dimensions are checked only if they are already in memory.

    Parameters
    ----------
    datasets
        Group path to group; ``/`` has the product's attributes, in any profile.
    name
        The tree's name.
    wounds
        The wounds found while reading.
    projections
        The ``proj:`` attributes of variables, if `datasets` lack them.
    absent, left_out
        Paths of variables that are missing, and of variables that the format cannot hold.
    product_type
        The type that the user says.

    Raises
    ------
    InvalidInputError
        If a group's coordinates differ from those of the group above, or the product says another
        type than the user.
    """
    wounds = wounds or Wounds()
    groups = {"/": xr.Dataset(), **datasets}
    groups["/"].attrs = read_root(groups["/"].attrs)
    if product_type is not None:
        state_type(groups["/"].attrs, name, product_type)
    for path, data in groups.items():
        data.attrs = heal_attributes(data.attrs, path, wounds)
    kind = product_type_of(groups["/"].attrs)
    groups = {path: heal_units(item, path, wounds) for path, item in groups.items()}
    groups = place_rasters(groups, wounds, _list_auxiliary(groups) if kind else ())
    groups = heal_rasters(groups, projections or {}, wounds)
    groups = {path: rename_dims(item, path, kind, canonical=True) for path, item in groups.items()}
    try:
        tree = xr.DataTree.from_dict(groups, name=name)
    except ValueError as error:
        why = " ".join(str(error).split())[:200]
        raise InvalidInputError(
            f"The groups of {name} do not fit together: {why}.",
            remedy="Write the product again, or fetch it again from its provider.",
        ) from error

    def find_grid_codes() -> set[str]:
        return list_grid_codes({node.path: node.to_dataset(inherit=False) for node in tree.subtree})

    heal_items(tree, wounds, find_grid_codes)
    _report(tree, wounds, list_missing(tree, absent, left_out))
    return tree


def _report(tree: xr.DataTree, wounds: Wounds, missing: Any) -> None:
    """Write into the tree's attributes what was healed, and what is missing."""
    metadata: dict[str, Any] = dict(tree.attrs.get("other_metadata") or {})
    other = wounds.report(metadata)
    if missing is not None:
        other["missing"] = missing
    if other != metadata:
        tree.attrs["other_metadata"] = other


def _list_auxiliary(groups: Collection[str]) -> list[str]:
    """Return an EOPF product's groups beside measurements; their dimension names stay."""
    return [path for path in groups if "measurements" not in path.split("/")]
