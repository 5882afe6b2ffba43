"""Read what a NetCDF-4 file holds in one pass over it; values are read later, window by window.

Source: NetCDF-4 file format (NetCDF Users Guide, appendix C): dimensions are HDF5 dimension scales.
h5netcdf, which writes our files, opens each variable some twenty times to tell what it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np

from skerry.products.coding.codecs import Codec
from skerry.products.coding.packing import FACTORS
from skerry.products.coding.stored_numbers import MISSING, UNSIGNED
from skerry.products.netcdf.attributes import HIDDEN

_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
_NOT_OF_ITS_DIMENSION = "_nc4_non_coord_"
"""Begins the name of a variable that is called like a dimension and is not its coordinate."""
_UNWRITTEN_FLOAT = 9.9692099683868690e36
_LONG_BYTES = 8
_DEFLATE, _SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE


@dataclass
class Entry:
    """A variable in a file.

    Attributes
    ----------
    name, inside
        In its group, and the full name of the HDF5 data set.
    dims, shape, dtype
        As NetCDF has them; an enumeration is of its integer type.
    attrs
        Plain values and NumPy's; those of enumerations as CF's flags.
    storage
        ``chunks`` and ``compressors``, in the words of every other format.
    """

    name: str
    inside: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    storage: dict[str, Any]


@dataclass
class Group:
    """A group of a file: its variables, attributes, unlimited dimensions, and what is not read.

    Attributes
    ----------
    path
        From the root, ``/`` for the root itself.
    unread
        Names of variables of other types than numbers and texts, and their types in words.
    """

    path: str
    attrs: dict[str, Any]
    variables: list[Entry] = field(default_factory=list)
    unlimited: set[str] = field(default_factory=set)
    unread: list[tuple[str, str]] = field(default_factory=list)


def read_groups(file: Any) -> list[Group]:
    """Return all groups of an open `h5py.File` that was checked, those above first.

    Raises
    ------
    OSError, LookupError, ValueError, RuntimeError
        If the file is damaged.
    """
    nodes = list(_walk(file, "/"))
    scales = {
        _find_address(item.data.id): item
        for node in nodes for item in node.items if item.is_scale
    }  # fmt: skip
    visible: dict[str, dict[str, _Dimension]] = {"": {}}
    groups = []
    for node in nodes:
        above = visible[node.path.rpartition("/")[0] if node.path != "/" else ""]
        reader = _GroupReader(node, dict(above), scales)
        groups.append(reader.read())
        visible[node.path if node.path != "/" else ""] = reader.dimensions
    return groups


@dataclass
class _Item:
    """A data set and its attributes."""

    name: str
    data: Any
    attrs: dict[str, Any]

    @property
    def is_scale(self) -> bool:
        return self.attrs.get("CLASS") in (b"DIMENSION_SCALE", "DIMENSION_SCALE")


@dataclass
class _Node:
    """A group with its data sets, all opened once."""

    path: str
    attrs: dict[str, Any]
    items: list[_Item]


@dataclass
class _Dimension:
    """A dimension: its length, and its number in the file where it has one."""

    size: int
    number: int | None = None


def _walk(
    group: Any, path: str, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[_Node]:
    """Yield a group and the groups below it, except those that a link leads back to."""
    items, children = [], []
    above |= {_find_address(group.id)}
    for name in group:
        member = group[name]
        if isinstance(member, h5py.Group) and _find_address(member.id) not in above:
            children.append((name, member))
        elif isinstance(member, h5py.Dataset):
            items.append(_Item(name, member, dict(_read_all(member))))
    yield _Node(path, dict(_read_all(group)), items)
    for name, child in children:
        yield from _walk(child, f"{path.rstrip('/')}/{name}", above)


def _read_all(place: Any) -> Iterator[tuple[str, Any]]:
    for name in place.attrs:
        if name != "REFERENCE_LIST":
            yield name, _simplify(place.attrs[name])


def _simplify(value: Any) -> Any:
    """Return an attribute as h5netcdf does: one value without its array, texts decoded."""
    if isinstance(value, h5py.Empty):
        return "" if value.dtype.kind in "SO" else np.array([], value.dtype)
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.reshape(-1)[0] if value.size == 1 else value
    if isinstance(value, np.ndarray) and h5py.check_string_dtype(value.dtype):
        texts = value.tolist()
        return texts[0] if value.ndim == 1 and len(texts) == 1 else texts
    return value


def _find_address(place: Any) -> tuple[int, int]:
    info = h5py.h5o.get_info(place)
    return info.fileno, info.addr


@dataclass
class _GroupReader:
    """Turns a group's data sets into variables, by the dimensions of it and those above."""

    node: _Node
    dimensions: dict[str, _Dimension]
    scales: dict[tuple[int, int], _Item]
    phony: int = 0

    def read(self) -> Group:
        """Return the group."""
        group = Group(self.node.path, _without_hidden(self.node.attrs))
        own: dict[str, _Dimension] = {}
        for item in self.node.items:
            if item.is_scale:
                shape, most = item.data.shape, item.data.maxshape
                name = _strip(item.name)
                own[name] = _Dimension(shape[0] if shape else 1, _number_of(item))
                if most and most[0] is None:
                    group.unlimited.add(name)
        self.dimensions |= own
        dims_of_items = [(item, self._name_dims(item)) for item in self.node.items]
        for item, dims in dims_of_items:
            for dim, size in zip(dims, item.data.shape, strict=True):
                dimension = self.dimensions[dim]
                dimension.size = max(dimension.size, size)
        for item, dims in dims_of_items:
            self._add(group, item, dims)
        return group

    def _add(self, group: Group, item: _Item, dims: tuple[str, ...]) -> None:
        if item.is_scale and bytes(_text(item.attrs.get("NAME"))).startswith(_NO_VARIABLE):
            return
        attrs = _without_hidden(item.attrs)
        dtype, wrong = _read_type(item.data.dtype, attrs)
        if wrong:
            group.unread.append((_strip(item.name), wrong))
            return
        attrs |= _find_unwritten(item.data, dtype, attrs)
        shape = tuple(self.dimensions[dim].size for dim in dims)
        storage = _read_storage(item.data) if dims else {}
        name = _strip(item.name)
        entry = Entry(name, item.data.name, dims, shape, dtype, attrs, storage)
        group.variables.append(entry)

    def _name_dims(self, item: _Item) -> tuple[str, ...]:
        numbers = item.attrs.get("_Netcdf4Coordinates")
        if item.is_scale and numbers is not None:
            by_number = {dimension.number: name for name, dimension in self.dimensions.items()}
            return tuple(by_number[int(number)] for number in np.atleast_1d(numbers))
        if item.is_scale and item.data.ndim == 1:
            return (_strip(item.name),)
        listed = item.data.attrs.get("DIMENSION_LIST", ())
        if len(listed) == item.data.ndim and all(len(axis) for axis in listed):
            return tuple(self._name_scale(item, axis[-1]) for axis in listed)
        return self._invent_dims(item.data.shape)

    def _name_scale(self, item: _Item, reference: Any) -> str:
        scale = h5py.h5r.dereference(reference, item.data.file.id)
        return _strip(self.scales[_find_address(scale)].name)

    def _invent_dims(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """Name the dimensions of a plain HDF5 data set; equal lengths get the same name."""
        dims: list[str] = []
        for size in shape:
            fitting = (
                name for name, dimension in self.dimensions.items()
                if dimension.size == size and name not in dims
            )  # fmt: skip
            name = next(fitting, None)
            if name is None:
                name = f"phony_dim_{len(self.dimensions)}"
                self.dimensions[name] = _Dimension(size)
            dims.append(name)
        return tuple(dims)


def _strip(name: str) -> str:
    return name.removeprefix(_NOT_OF_ITS_DIMENSION)


def _number_of(item: _Item) -> int | None:
    number = item.attrs.get("_Netcdf4Dimid")
    return None if number is None else int(number)


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def _without_hidden(attrs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if name not in HIDDEN}


def _read_type(dtype: np.dtype[Any], attrs: dict[str, Any]) -> tuple[np.dtype[Any], str]:
    """Return the type of the values, and what is wrong with it; `attrs` get an enumeration's names.

    Source: CF 3.5: flags give plain integers the meaning that an enumeration gives.
    """
    names = h5py.check_enum_dtype(dtype)
    if names is not None:
        if not {"flag_values", "flag_masks"} & set(attrs):
            ordered = sorted(names.items(), key=lambda item: int(item[1]))
            attrs["flag_values"] = [int(number) for _, number in ordered]
            attrs["flag_meanings"] = " ".join("_".join(name.split()) for name, _ in ordered)
        return np.dtype(dtype.str).newbyteorder("="), ""
    if dtype.names is not None:
        return dtype, f"the compound type ({', '.join(dtype.names)})"
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "biufcS":
        return np.dtype(dtype.str).newbyteorder("="), ""
    if h5py.check_vlen_dtype(dtype) is not None:
        return dtype, "lists of varying length"
    return dtype, "an opaque type or one of references"


def _find_unwritten(data: Any, dtype: np.dtype[Any], attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute that holds the number in cells which were never written.

    NetCDF's library gives each variable such a number, 9.96921e+36 for floats, without an
    attribute. It counts for measurements, times and integers that have gaps anyhow; plain integers
    and flags stay integers, and single bytes may have every value.

    Source: NetCDF Users Guide, attribute conventions, ``_FillValue``.
    """
    measured = any(key in attrs for key in FACTORS) or " since " in str(attrs.get("units"))
    measured |= MISSING in attrs and not any(key.startswith("flag_") for key in attrs)
    whole = dtype.kind in "iu" and dtype.itemsize > 1 and measured and UNSIGNED not in attrs
    if "_FillValue" in attrs or not (dtype.kind == "f" or whole):
        return {}
    defined = data.id.get_create_plist().fill_value_defined()
    if defined != h5py.h5d.FILL_VALUE_USER_DEFINED or data.fillvalue != _default(dtype):
        return {}
    if MISSING in attrs:
        return {MISSING: [*np.atleast_1d(attrs[MISSING]).tolist(), data.fillvalue.item()]}
    return {"_FillValue": data.fillvalue}


def _default(dtype: np.dtype[Any]) -> Any:
    """Return the number that NetCDF's library puts where nothing was written."""
    if dtype.kind == "f":
        return dtype.type(_UNWRITTEN_FLOAT)
    limits, size = np.iinfo(dtype), dtype.itemsize
    spare = 1 if size < _LONG_BYTES else 2
    return limits.min + spare if dtype.kind == "i" else limits.max - spare + 1


def _read_storage(data: Any) -> dict[str, Any]:
    """Return how a data set is stored."""
    design = data.id.get_create_plist()
    if design.get_layout() != h5py.h5d.CHUNKED:
        return {"compressors": Codec("none").to_configs()}
    filters = {}
    for number in range(design.get_nfilters()):
        code, _, options, _ = design.get_filter(number)
        filters[code] = options
    codec = Codec("none")
    if _DEFLATE in filters:
        codec = Codec("zlib", int(filters[_DEFLATE][0]), "byte" if _SHUFFLE in filters else "none")
    return {"chunks": tuple(design.get_chunk()), "compressors": codec.to_configs()}
