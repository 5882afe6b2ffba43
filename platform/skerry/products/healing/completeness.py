"""List the parts that a product lacks, in any format."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import xarray as xr

from skerry.products.healing.profiles import OMITTED
from skerry.products.sensors.mapping import list_variables, load_mapping, recognise_type

SELECTION = "selection"
"""Key of ``other_metadata`` for the selection of a product that is a part on purpose."""
_MEMBER = "{member}"


def list_missing(tree: xr.DataTree, absent: Collection[str], left_out: Collection[str]) -> Any:
    """Return the paths of the parts that a complete product has and this product lacks.

    A product is compared with the mapping of its type, which the SAFE reader uses, too: every
    variable in the mapping must be there unless the mapping calls it optional. The variables in
    `left_out` are exempt, and so are the groups that EOPF products may lack as a whole
    (`OMITTED`): the small copies of masks and pictures, which only SAFE has in every product.

    Two kinds of products are parts on purpose and are not compared: results of processors, which
    name no product type, and those whose ``other_metadata`` has a ``selection``. A part without
    these marks, such as a part cut out with other software, is a partial product.

    Parameters
    ----------
    tree
        The product, healed.
    absent
        Paths that the format's own list of contents names and that do not exist.
    left_out
        Paths that the format cannot hold.

    Returns
    -------
    list of str or None
        The missing paths. Earlier entries that are still missing come first, also those that are
        not variables (documents of a SAFE). None if the complete content is unknown and nothing
        is known to be missing.
    """
    other = tree.attrs.get("other_metadata")
    other = other if isinstance(other, dict) else {}
    there = {
        f"{node.path}/{name}".strip("/")
        for node in tree.subtree
        for name in node.to_dataset(inherit=False).variables
    }
    stored = other.get("missing")
    earlier = [str(item) for item in stored] if isinstance(stored, list) else []
    kind = recognise_type(tree)
    unread: list[str] = []
    if kind is not None and SELECTION not in other:
        unread = [item for item in _list_required(tree, kind, there) if item not in left_out]
    empty = set(_list_empty(tree))
    paths = [*earlier, *unread, *absent, *_list_unplaced(tree), *sorted(empty)]
    missing = list(dict.fromkeys(item for item in paths if item not in there or item in empty))
    return missing if missing or kind is not None or isinstance(stored, list) else None


def _list_required(tree: xr.DataTree, kind: str, there: Collection[str]) -> Iterator[str]:
    groups = {path.rpartition("/")[0] for path in there}
    lacked = [
        item for item in OMITTED if not any(f"{path}/".startswith(f"{item}/") for path in groups)
    ]
    for path, name in list_variables(kind):
        if any(f"{path}/".startswith(f"{item}/") for item in lacked):
            continue
        if path.startswith(_MEMBER):
            for member in _list_members(tree, kind):
                yield f"{path.replace(_MEMBER, member)}/{name}"
        else:
            yield f"{path}/{name}"


def _list_members(tree: xr.DataTree, kind: str) -> list[str]:
    """Return the names of the members that a product has, or that its metadata name."""
    members = load_mapping(kind).members
    names = [] if members is None else members.find_in(map(str, tree.children))
    item = tree.attrs.get("stac_discovery")
    properties = item.get("properties") if isinstance(item, dict) else None
    codes = properties.get("sar:polarizations") if isinstance(properties, dict) else None
    if names and isinstance(codes, list):
        stem = names[0].rpartition("_")[0]
        names += [name for code in codes if (name := f"{stem}_{code}") not in names]
    return names


def _list_empty(tree: xr.DataTree) -> Iterator[str]:
    """Give the dimension coordinates in which some values are missing."""
    for node in tree.subtree:
        data = node.to_dataset(inherit=False)
        indexed = [name for name in data.xindexes if data[name].dims == (name,)]
        for name in indexed:
            if data[name].dtype.kind in "fmM" and np.isnan(data[name].to_numpy()).any():
                yield f"{node.path}/{name}".strip("/")


def _list_unplaced(tree: xr.DataTree) -> Iterator[str]:
    """Give the coordinates that rasters with a grid mapping need and lack."""
    for node in tree.subtree:
        data = node.to_dataset(inherit=True)
        if any(variable.encoding.get("grid_mapping") for variable in data.data_vars.values()):
            for axis in ("y", "x"):
                if axis in data.dims and axis not in data.coords:
                    yield f"{node.path}/{axis}".strip("/")
