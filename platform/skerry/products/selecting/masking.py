"""Leave out pixels of a product: by flags, and by a range of valid values."""

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.flags import select_flags
from skerry.processors.grids import fit_to_grid
from skerry.processors.masks import FLAG_SOURCES
from skerry.processors.selection import name_type
from skerry.products.coding.packing import allow_gaps


def limit_values(
    datasets: dict[str, xr.Dataset], name: str, limits: tuple[float | None, float | None]
) -> dict[str, xr.Dataset]:
    """Leave out values of a variable below the first or above the second limit.

    Raises
    ------
    InvalidInputError
        If the limits are no range, or no group has a floating point variable of that name.
    """
    low, high = limits
    if any(limit is not None and not np.isfinite(limit) for limit in limits) or (
        low is not None and high is not None and low > high
    ):
        raise InvalidInputError(
            f"The valid range of {name!r} is {limits}.", remedy="Give the lower number first."
        )
    sizes = sorted(
        {str(item) for data in datasets.values() for item, array in data.data_vars.items()
         if array.dtype.kind == "f"}
    )  # fmt: skip
    if name not in sizes:
        raise refuse_unknown("floating point variable", name, sizes)
    return {
        path: data.assign({name: _keep_between(data[name], low, high)})
        if name in data.data_vars and data[name].dtype.kind == "f"
        else data
        for path, data in datasets.items()
    }


def _keep_between(values: xr.DataArray, low: float | None, high: float | None) -> xr.DataArray:
    limited = values
    if low is not None:
        limited = limited.where(values >= low)
    if high is not None:
        limited = limited.where(values <= high)
    return _like(limited, values)


def _like(changed: xr.DataArray, original: xr.DataArray) -> xr.DataArray:
    """Give masked values the attributes and packing of the original."""
    changed.attrs = dict(original.attrs)
    changed.encoding = allow_gaps(original.encoding, changed.dtype)
    return changed


def mask_by_flags(
    tree: xr.DataTree, selection: xr.DataTree, flags: str, flag_group: str | None
) -> dict[str, xr.Dataset]:
    """Return the measurements' groups with pixels masked where the flags hold.

    Raises
    ------
    InvalidInputError
        If there are no measurements, or no flags on their grid.
    """
    masked: dict[str, xr.Dataset] = {}
    masks: dict[str, xr.DataArray] = {}
    for node in selection.subtree:
        data = own_dataset(node)
        if "measurements" not in node.path.split("/") or "orphan" in node.path:
            continue
        if not any(_is_measured(variable) for variable in data.data_vars.values()):
            continue
        place = _find_flag_group(tree, node.path, flag_group)
        if place not in masks:
            masks[place] = select_flags(own_dataset(tree[place]), flags)
        mask = fit_to_grid(
            masks[place],
            data,
            names=(f"The flags of {place}", node.path),
            remedy="Name a group with flags on that grid (flag_group).",
        )
        masked[node.path] = data.assign(
            {
                name: _like(item.where(~mask), item)
                for name, item in data.data_vars.items()
                if _is_measured(item) and set(mask.dims) <= set(item.dims)
            }
        )
    if not masked:
        raise InvalidInputError(
            "There are no measurements to mask by flags.", remedy="Keep a measurements group."
        )
    return masked


def _is_measured(variable: xr.DataArray) -> bool:
    return variable.dtype.kind == "f" and variable.ndim >= 2  # noqa: PLR2004


def _find_flag_group(tree: xr.DataTree, path: str, flag_group: str | None) -> str:
    """Return the flags' group: of the same grid or resolution if there is one, else the type's."""
    last = path.rpartition("/")[2]
    sources = FLAG_SOURCES.get(name_type(tree), ())
    beside = [f"{item.rpartition('/')[0]}/{last}" for item in sources]
    candidates = [flag_group] if flag_group else [*beside, *sources]
    for candidate in candidates:
        if f"/{candidate.strip('/')}" in tree.groups:
            return f"/{candidate.strip('/')}"
    raise InvalidInputError(
        f"{tree.name or 'The product'} has no flags for {path}: {', '.join(candidates)}.",
        remedy="Name the group that holds them (flag_group).",
    )


def own_dataset(node: xr.DataTree | xr.DataArray) -> xr.Dataset:
    """Return the variables of a group itself, without the coordinates of those above it."""
    assert isinstance(node, xr.DataTree)  # noqa: S101 -- paths of groups, for mypy
    return node.to_dataset(inherit=False)


def refuse_unknown(what: str, name: str, names: list[str]) -> InvalidInputError:
    """Return the error for a name that the product does not have; it lists what there is."""
    listing = ", ".join(names[:40]) + (f" and {len(names) - 40} more" if len(names) > 40 else "")  # noqa: PLR2004
    return InvalidInputError(
        f"The product has no {what} {name!r}.",
        remedy=f"It has: {listing}." if names else f"It has no {what} at all.",
    )
