"""Write a tree as a SAFE product, by the mapping in reverse."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import xarray as xr

from skerry.core.progress import Progress
from skerry.products.safe.attribute_texts import write_attributes
from skerry.products.safe.documents import DocumentBuilder
from skerry.products.safe.members import unfold
from skerry.products.safe.product import SafeFolder, load_format
from skerry.products.sensors.records import Mapping
from skerry.storage.writing import make_aside


def write_safe(
    tree: xr.DataTree,
    root: Path,
    mapping: Mapping,
    names: dict[str, str],
    *,
    skeletons: dict[str, bytes] | None = None,
    texts: dict[str, dict[str, str]] | None = None,
    finish: Callable[[SafeFolder], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a tree as a SAFE product, by the mapping in reverse.

    The product is written aside and renamed, so that the folder is either complete or absent.

    Parameters
    ----------
    tree
        A tree such as `assemble` returns; its variables' encoding holds their packing. Variables
        that the tree lacks are not written.
    root
        The product's folder, which must not exist.
    mapping
        The product's type.
    names
        Names for the parts of file patterns with stars, see `SafeFolder`.
    skeletons
        Role to metadata document with the content that all products share; the attributes of the
        tree's root are added at the mapping's paths.
    texts
        Role to path to text: further texts of the documents, which are added last.
    finish
        Called with the filled folder before it is renamed.
    progress
        Called with the completed fraction and the group that was just written.

    Raises
    ------
    ConflictError
        If `root` exists, or another writer creates it meanwhile.
    """
    builders = {role: DocumentBuilder(item) for role, item in (skeletons or {}).items()}
    with make_aside(root, parents=True) as aside:
        folder = SafeFolder(aside, mapping, names, builders)
        aside.mkdir()
        _fill(folder, tree, texts or {}, progress)
        if finish is not None:
            finish(folder)
    return root


def _fill(
    folder: SafeFolder,
    tree: xr.DataTree,
    texts: dict[str, dict[str, str]],
    progress: Progress | None,
) -> None:
    mapping = folder.mapping
    if mapping.members is not None:
        module: Any = load_format(mapping.members.format)
        mapping = unfold(mapping, module.members_of_tree(tree))
        folder = replace(folder, mapping=mapping)
    groups = set(tree.groups)
    for number, group in enumerate(mapping.groups):
        if f"/{group.path}" in groups:
            data = cast("xr.DataTree", tree[group.path]).to_dataset(inherit=False)
            present = [name for name in group.variables if name in data.variables]
            if present:
                load_format(group.format).write(folder, group, _select(data, present))
        if progress is not None:
            progress((number + 1) / len(mapping.groups), group.path)
    write_attributes(dict(tree.attrs), mapping.attributes, folder.documents)
    for role, entries in texts.items():
        for path, text in entries.items():
            folder.documents[role].put(path, text)
    patterns = mapping.documents | mapping.expected
    for role, document in folder.documents.items():
        folder.place(patterns[role]).write_bytes(document.to_bytes())


def _select(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Return these variables with their coordinates."""
    present = [name for name in names if name in data.data_vars]
    coords = [name for name in names if name in data.coords]
    return data[present].assign_coords({name: data.coords[name] for name in coords})
