"""Read a product's groups and arrays as they are stored, from any container."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from skerry.core.errors import InvalidInputError
from skerry.products.coding.sizes import MAX_METADATA_BYTES, check_file
from skerry.products.stores.zarr_stores import open_store
from skerry.storage.outside import check_inside
from skerry.storage.remote import too_large
from skerry.validation.subject import ArrayFacts, Index

Stored = tuple[dict[str, dict[str, Any]], dict[str, ArrayFacts]]
"""Attributes of groups by path, and arrays by path."""


def read_zarr(path: Path) -> tuple[Stored, int, Index | None]:
    """Read a Zarr store's metadata: its groups and arrays, its format, its consolidated index.

    Raises
    ------
    InvalidInputError
        If its metadata cannot be read.
    """
    try:
        root = zarr.open_group(open_store(path), mode="r", use_consolidated=False)
        groups, arrays = {"": dict(root.attrs)}, {}
        for name, member in sorted(root.members(max_depth=None)):
            if isinstance(member, zarr.Group):
                groups[name] = dict(member.attrs)
            else:
                arrays[name] = _read_zarr_array(name, member)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{path} is not a readable Zarr: {error}.",
            remedy="Write it again, or fetch it again from its provider.",
        ) from error
    return (groups, arrays), root.metadata.zarr_format, _read_index(path)


def _read_zarr_array(name: str, array: zarr.Array[Any]) -> ArrayFacts:
    attrs = dict(array.attrs)
    dims: Any = attrs.pop("_ARRAY_DIMENSIONS", None)
    if array.metadata.zarr_format == 3:  # noqa: PLR2004
        names = array.metadata.dimension_names
        dims = None if names is None or None in names else names
    inner = attrs.pop("_eopf_attrs", None)
    if isinstance(inner, dict):
        attrs = inner | attrs
    return ArrayFacts(
        path=name,
        dims=None if dims is None else tuple(map(str, dims)),
        shape=tuple(array.shape),
        dtype=np.dtype(array.dtype),
        attrs=attrs,
        read=lambda index: np.asarray(array[index]),
        fill_value=array.fill_value,
        eopf=inner if isinstance(inner, dict) else {},
        read_chunks=lambda: _read_zarr_chunks(array),
    )


def _read_zarr_chunks(array: zarr.Array[Any]) -> Iterator[str]:
    edges = array.shards or array.chunks
    counts = [-(-size // edge) for size, edge in zip(array.shape, edges, strict=True)]
    for position in np.ndindex(*counts):
        window = tuple(
            slice(number * edge, min((number + 1) * edge, size))
            for number, edge, size in zip(position, edges, array.shape, strict=True)
        )
        try:
            array[window]
        except Exception as error:  # noqa: BLE001 -- every codec fails in its own way
            yield f"chunk {'/'.join(map(str, position)) or '0'}: {type(error).__name__}: {error}"


def _read_index(path: Path) -> Index | None:
    """Return the consolidated metadata, compared with each node's own; None if there are none."""
    v2, v3 = (check_inside(path, path / name) for name in (".zmetadata", "zarr.json"))
    if v2.is_file():
        listed = _read_document(v2).get("metadata", {})
        names = {item.removesuffix("/.zarray") for item in listed if item.endswith("/.zarray")}
        files = {key: (path / key, node) for key, node in listed.items()}
    else:
        consolidated = (_read_document(v3) if v3.is_file() else {}).get("consolidated_metadata")
        if not consolidated:
            return None
        nodes = consolidated.get("metadata", {})
        names = {name for name, node in nodes.items() if node.get("node_type") == "array"}
        files = {name: (path / name / "zarr.json", node) for name, node in nodes.items()}
    stale = [
        name
        for name, (file, node) in files.items()
        if check_inside(path, file).is_file()
        and _normalise(_read_document(file)) != _normalise(node)
    ]
    return Index(frozenset(names), tuple(stale))


def _normalise(document: dict[str, Any]) -> str:
    """Return a node's document as text, without parts that consolidation removes or adds."""
    own = {key: item for key, item in document.items() if key != "consolidated_metadata"}
    return json.dumps({key: item for key, item in own.items() if item not in ({}, [], None)},
                      sort_keys=True)  # fmt: skip


def _read_document(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    if size > MAX_METADATA_BYTES:
        raise too_large(str(path), size, MAX_METADATA_BYTES)
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def read_netcdf(path: Path) -> Stored:
    """Read a NetCDF-4 file's groups and variables, undecoded.

    Raises
    ------
    InvalidInputError
        If it cannot be read.
    """
    try:
        check_file(path, str(path))
        tree = xr.open_datatree(path, engine="h5netcdf", decode_cf=False)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(
            f"{path} is not a readable NetCDF-4: {error}.",
            remedy="Write it again, or fetch it again from its provider.",
        ) from error
    return read_tree(tree, encoded=False)


def read_tree(tree: xr.DataTree, *, encoded: bool = True) -> Stored:
    """Return a tree's groups and arrays.

    Parameters
    ----------
    tree
        A product in memory.
    encoded
        Whether values are decoded and ``encoding`` holds their storage; reading then packs the
        numbers again.
    """
    groups: dict[str, dict[str, Any]] = {}
    arrays: dict[str, ArrayFacts] = {}
    for node in tree.subtree:
        group = node.path.strip("/")
        groups[group] = _read_json(node.attrs)
        for name, variable in node.to_dataset(inherit=False).variables.items():
            path = f"{group}/{name}".lstrip("/")
            arrays[path] = _read_variable(path, variable, encoded=encoded)
    return groups, arrays


def _read_json(attrs: dict[Any, Any]) -> dict[str, Any]:
    """Return attributes after parsing the JSON texts in which NetCDF stores objects."""
    return {str(key): _parse(value) for key, value in attrs.items()}


def _parse(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _read_variable(path: str, variable: xr.Variable, *, encoded: bool) -> ArrayFacts:
    encoding = variable.encoding if encoded else {}
    stored = np.dtype(encoding.get("dtype", variable.dtype))
    keys = ("scale_factor", "add_offset", "_FillValue", "grid_mapping")
    attrs = dict(variable.attrs) | {
        key: _plain(encoding[key]) for key in keys if encoding.get(key) is not None
    }
    attrs = {key: _plain(value) for key, value in attrs.items()}
    if stored.kind == "f" and isinstance(attrs.get("_FillValue"), float):
        attrs.pop("_FillValue")
    if encoded and variable.dtype.kind in "mM":
        stored = variable.dtype

    def read(index: Any) -> npt.NDArray[Any]:
        values = variable[index if index is not ... else ()].to_numpy()
        if variable.dtype.kind == "f" and stored.kind in "iu":
            physical = np.asarray(values, np.float64) - float(encoding.get("add_offset") or 0.0)
            return np.asarray(physical / float(encoding.get("scale_factor") or 1.0))
        return np.asarray(values)

    return ArrayFacts(
        path=path,
        dims=tuple(map(str, variable.dims)),
        shape=tuple(variable.shape),
        dtype=stored,
        attrs=attrs,
        read=read,
        read_chunks=None if variable.dtype.kind not in "iufb" else lambda: _read_whole(variable),
    )


def _read_whole(variable: xr.Variable) -> Iterator[str]:
    """Read a variable by its dask chunks, or as a whole without chunks."""
    lengths = variable.chunks or tuple((size,) for size in variable.shape)
    for position in np.ndindex(*(len(length) for length in lengths)):
        starts = [sum(item[:number]) for item, number in zip(lengths, position, strict=True)]
        window = tuple(
            slice(start, start + item[number])
            for start, item, number in zip(starts, lengths, position, strict=True)
        )
        try:
            variable[window].to_numpy()
        except Exception as error:  # noqa: BLE001 -- every codec fails in its own way
            yield f"rows from {starts[0] if starts else 0}: {type(error).__name__}: {error}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value
