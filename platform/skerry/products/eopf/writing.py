"""Write a product as EOPF Zarr, version 2 or 3: aside, chunk by chunk, then under its name."""

from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from skerry.core.errors import InvalidInputError
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress
from skerry.products.coding.codecs import Codec
from skerry.products.coding.json_values import TYPES, to_json
from skerry.products.coding.zarr_conventions import set_apart_group
from skerry.products.eopf.arrays import ArrayPlan, plan_array, spell_codec
from skerry.products.eopf.form import Form
from skerry.products.filling.layout import Edge, Wishes
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.zarr_draft import ZarrDraft, put_attributes, quiet
from skerry.products.grids import renew_place
from skerry.products.healing.profiles import (
    HISTORY,
    KEPT,
    check_profile,
    find_model,
    is_omitted,
    rename_dims,
    to_profile,
)
from skerry.products.sensors.mapping import product_type_of
from skerry.storage.writing import make_aside


def write_eopf_zarr(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    zarr_format: int = 3,
    profile: str = "2025",
    chunk: Edge = None,
    shard: Edge = None,
    codec: Codec | str | None = None,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Write a product as an EOPF Zarr folder.

    Packed numbers stay packed: a variable that was read from a Zarr and not touched is written
    from its stored numbers; where nothing about a chunk changes, its bytes are copied. Other
    variables are computed strip by strip through the Dask scheduler in use, and written
    here. The folder appears under its name only when complete; a crash leaves nothing there.

    Parameters
    ----------
    product
        A canonical tree, as `open_product` gives it, or one dataset.
    path
        The folder to make.
    zarr_format
        2 or 3.
    profile
        ``2025`` or ``cpm-2.8``: see `skerry.products.healing.profiles`.
    chunk, shard
        Edge in pixels of rasters, or dimension name to length. By default each variable's own
        (``encoding``), and where it has none, those of the products of 2025. Shards only in
        Zarr 3, whole numbers of chunks.
    codec
        Compression such as ``blosc-zstd:3`` or ``none``; by default each variable's own.
    progress
        Called with the completed fraction and the variable that was written.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses; a
        chunk that is larger is written alone.

    Raises
    ------
    ConflictError
        If `path` exists, or another writer makes it meanwhile.
    InvalidInputError
        If an option or a variable does not fit, or stored numbers are damaged.
    """
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    form = _check_form(tree, zarr_format, profile, Wishes.of(chunk, shard, codec))
    with make_aside(Path(path)) as folder:
        fill(_lay_out(tree, folder, form), memory_bytes, progress)


def _check_form(tree: xr.DataTree, zarr_format: int, profile: str, wishes: Wishes) -> Form:
    check_profile(profile)
    if zarr_format not in {2, 3}:
        raise InvalidInputError(f"Skerry cannot write Zarr {zarr_format}.", remedy="Use 2 or 3.")
    if not any(node.variables for node in tree.subtree):
        raise InvalidInputError("The product holds no variable.", remedy="Give one that does.")
    attrs: Any = dict(tree.attrs)
    return Form(
        profile=profile,
        zarr_format=zarr_format,
        product_type=product_type_of(attrs),
        model=find_model(attrs),
        wishes=wishes,
    )


def _lay_out(tree: xr.DataTree, folder: Path, form: Form) -> list[Filling]:
    """Make all groups and arrays, without values; return what goes into the arrays."""
    draft = ZarrDraft(folder, form.zarr_format)
    plans = _plan_arrays(tree, draft.root, form)
    draft.write()
    return [plan.fill(draft.place(array, plan.layout)) for plan, array in plans]


def _plan_arrays(tree: xr.DataTree, root: zarr.Group, form: Form) -> list[tuple[ArrayPlan, Any]]:
    """Make groups and arrays below `root`; return what goes into the arrays, and how."""
    plans = []
    for node in tree.subtree:
        path = node.path.strip("/")
        if form.profile == "cpm-2.8" and is_omitted(path, form.product_type):
            continue
        group = root.require_group(path) if path else root
        attrs: Any = dict(node.attrs) if path else to_profile(tree, form.profile)
        _write_group_attributes(group, attrs, at_root=not path)
        data = renew_place(node.to_dataset(inherit=False))
        if form.profile == "cpm-2.8":
            data = rename_dims(data, path, form.product_type, canonical=False)
        decoded = _decodes_coordinates(data, path, form)
        for name, variable in data.variables.items():
            plan = plan_array(
                f"{path}/{name}".strip("/"),
                variable,
                _list_coordinates(data, str(name)),
                form,
                decoded=decoded and name in data.coords,
            )
            plans.append((plan, _create_array(group, str(name), plan, form)))
    return plans


def _decodes_coordinates(data: xr.Dataset, path: str, form: Form) -> bool:
    """Tell whether a group's coordinates are stored as values.

    CPM calls a variable scaled when one of its coordinates is packed, which the validator's model
    of some variables does not allow.
    """
    if form.profile != "cpm-2.8" or form.model is None:
        return False
    kinds = [form.model.kind_of(f"{path}/{name}") for name in data.data_vars]
    return any(kind is not None and "eopf_is_scaled" not in kind.attrs for kind in kinds)


def _write_group_attributes(group: zarr.Group, attrs: dict[str, Any], *, at_root: bool) -> None:
    values, types = to_json(set_apart_group(attrs))
    if types and at_root and KEPT in (values.get(HISTORY) or {}):
        values[HISTORY][KEPT][0][TYPES] = types
    elif types:
        values[TYPES] = types
    put_attributes(group, values)


def _list_coordinates(data: xr.Dataset, name: str) -> list[str]:
    """Return the coordinates that a data variable has beside its dimensions'."""
    if name in data.coords:
        return []
    dims = set(data[name].dims)
    return sorted(
        str(key)
        for key, item in data.coords.items()
        if set(item.dims) <= dims and item.dims != (key,)
    )


def _create_array(group: zarr.Group, name: str, plan: ArrayPlan, form: Form) -> Any:
    """Make an array without values, and return it."""
    layout = plan.layout
    options: dict[str, Any] = {}
    if form.zarr_format == 3:  # noqa: PLR2004 -- the format's name
        options["dimension_names"] = [str(dim) for dim in plan.variable.dims]
        options["shards"] = layout.shards
    else:
        options["chunk_key_encoding"] = {"name": "v2", "separator": "."}
    with quiet():
        return group.create_array(
            name,
            shape=layout.shape,
            dtype=layout.dtype,
            chunks=layout.chunks,
            compressors=spell_codec(layout.codec, form.zarr_format),
            filters=None,
            fill_value=layout.fill,
            attributes=plan.attrs,
            **options,
        )
