"""NetCDF-4 files of SAFE products: read variables lazily and write them by the same mapping.

The file's own packing, valid range and flags count first, because packings differ between bands
and processing baselines; the mapping says what the file does not. Group options:

``dimensions``
    Name of a dimension in the tree to its name in the files, if the two differ.
``file_dims``
    NetCDF variable to its dimensions in the file's order, by the names of the tree, if they
    differ from the kind's. A dimension that the kind lacks has length 1 and is left out of the
    tree.

A kind without ``dtype`` is a dimension that the file counts but gives no values: the tree gets
its indices as int64. A kind whose ``units`` say ``<unit> since <moment>`` is time.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import DamagedError, InvalidInputError
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.hdf5 import Header, read_headers, read_window, version_of
from skerry.products.safe.numbers import Coding, choose_coding
from skerry.products.sensors.records import Group, Kind, Mapping, Variable

if TYPE_CHECKING:
    from skerry.products.safe.product import SafeFolder, SafeProduct

READ_PIXELS = 2048
"""Approximate edge of computed windows; the real edge is a multiple of the file's chunks."""

_FROM_FILE = ("valid_min", "valid_max", "flag_masks", "flag_values", "flag_meanings")
"""Attributes that describe the numbers of a file; for others the mapping counts first."""
_PACKING = ("scale_factor", "add_offset", "_FillValue")


@dataclass(frozen=True)
class NetcdfWindows:
    """An array that reads and decodes windows of a file on request.

    Attributes
    ----------
    files, name, source
        The product's files, the file's name and the variable's name in it.
    axes
        For each dimension of the file its position in the array, None if it is left out.
    shape, packing
        Shape of the array, and how numbers become its values.
    """

    files: ProductFiles
    name: str
    source: str
    axes: tuple[int | None, ...]
    shape: tuple[int, ...]
    coding: Coding

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.coding.dtype

    def __getitem__(self, key: tuple[slice | int, ...]) -> npt.NDArray[Any]:
        """Read a window; a number selects one position and removes the dimension.

        Raises
        ------
        InvalidInputError
            If the file is damaged there.
        """
        window = tuple(item if isinstance(item, slice) else slice(item, item + 1) for item in key)
        selection = tuple(0 if axis is None else window[axis] for axis in self.axes)
        numbers = read_window(self.files, self.name, self.source, selection)
        order = [axis for axis in self.axes if axis is not None]
        values = self.coding.decode(numbers.transpose(np.argsort(order)))
        places = tuple(slice(None) if isinstance(item, slice) else 0 for item in key)
        return np.asarray(values[places])


@dataclass(frozen=True)
class _Place:
    """Where a variable is: file, name and dimensions there, and its kind."""

    file: str
    source: str
    dims: tuple[str, ...]
    kind: Kind

    @classmethod
    def of(cls, mapping: Mapping, group: Group, variable: Variable, file: str) -> "_Place":
        kind = mapping.kind_of(group, variable)
        dims = group.options.get("file_dims", {}).get(variable.source, kind.dims)
        return cls(file, variable.source, tuple(dims), kind)


def read(product: "SafeProduct", group: Group) -> xr.Dataset:
    """Read a group: open each file once for its headers; read no values except indices.

    A damaged file counts as missing.

    Raises
    ------
    InvalidInputError
        If sizes or dimensions contradict each other or the mapping.
    """
    sources: dict[str, list[tuple[str, Variable]]] = defaultdict(list)
    for name, variable in group.variables.items():
        sources[_file_pattern(group, variable)].append((name, variable))
    variables: dict[str, xr.Variable] = {}
    for pattern, places in sources.items():
        file = pattern if pattern in product.files.sizes else product.files.find(pattern)
        if file is None:
            continue
        try:
            headers = read_headers(product.files, file, [item.source for _, item in places])
        except DamagedError as error:
            product.damaged.append(error.what)
            continue
        for name, variable in places:
            if variable.source in headers:
                place = _Place.of(product.mapping, group, variable, file)
                variables[name] = _read_variable(product, place, name, headers[variable.source])
                _check_sizes(product, file, name, variables)
    if not group.optional:
        product.missing.extend(
            f"{group.path}/{name}" for name in group.variables if name not in variables
        )
    ordered = {name: variables[name] for name in group.variables if name in variables}
    coordinates = {name for name in ordered if group.variables[name].coordinate}
    return xr.Dataset(
        {name: item for name, item in ordered.items() if name not in coordinates},
        coords={name: item for name, item in ordered.items() if name in coordinates},
    )


def write(folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
    """Write the variables of `data` to their files; files that exist are extended.

    A variable that a file already has stays as it is: groups may share it. The group's
    attributes become attributes of the files.
    """
    import h5netcdf  # type: ignore[import-untyped]

    files: dict[str, list[tuple[str, Variable]]] = defaultdict(list)
    for name, variable in group.variables.items():
        if name in data.variables:
            pattern = _file_pattern(group, variable)
            files[folder.names.get(pattern, pattern)].append((name, variable))
    for file, members in files.items():
        path = folder.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5netcdf.File(path, "a") as sink:
            sink.attrs.update(data.attrs)
            for name, variable in members:
                place = _Place.of(folder.mapping, group, variable, file)
                if place.source not in sink.variables:
                    _write_variable(sink, place, data[name], group.options.get("dimensions", {}))


def _file_pattern(group: Group, variable: Variable) -> str:
    return (variable.file or group.file).replace("{source}", variable.source)


def _read_variable(product: "SafeProduct", place: _Place, name: str, header: Header) -> xr.Variable:
    kind, dims = place.kind, place.dims
    if not kind.dtype:
        indices = np.arange(header.shape[0], dtype=np.int64)
        return xr.Variable(kind.dims, indices, kind.attrs, {"dtype": "int64"})
    _check_dims(product, place, header)
    coding = choose_coding(kind, header.attrs, header.dtype)
    windows = NetcdfWindows(
        files=product.files,
        name=place.file,
        source=place.source,
        axes=tuple(kind.dims.index(dim) if dim in kind.dims else None for dim in dims),
        shape=tuple(header.shape[dims.index(dim)] for dim in kind.dims),
        coding=coding,
    )
    attrs, encoding = _describe(kind, header, coding)
    if header.chunks:
        encoding["chunks"] = tuple(header.chunks[dims.index(dim)] for dim in kind.dims)
        encoding["compressors"] = header.compressors
    # An index is read now: xarray needs it, and it is short.
    values = windows[(slice(None),)] if kind.dims == (name,) else _read_lazily(windows, encoding)
    return xr.Variable(kind.dims, values, attrs, encoding)


def _read_lazily(windows: NetcdfWindows, encoding: dict[str, Any]) -> Any:
    import dask.array as da
    from dask.base import tokenize

    version = version_of(windows.files, windows.name)
    token = tokenize(version, windows.source, windows.axes, str(windows.coding))
    return da.from_array(  # type: ignore[no-untyped-call]
        windows,
        chunks=_window_shape(windows.shape, encoding.get("chunks")),
        name=f"netcdf-{windows.source}-{token}",
        asarray=False,
        lock=False,
        meta=np.empty((0,) * windows.ndim, windows.dtype),
    )


def _window_shape(shape: tuple[int, ...], chunks: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return a window of whole chunks, about `READ_PIXELS` long in the last two dimensions."""
    planes = len(shape) - 2
    return tuple(
        min(length, chunk * max(1, round(READ_PIXELS / chunk)) if axis >= planes else length)
        for axis, (length, chunk) in enumerate(
            zip(shape, chunks or (READ_PIXELS,) * len(shape), strict=True)
        )
    )


def _describe(kind: Kind, header: Header, coding: Coding) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a variable's attributes and encoding."""
    own_attrs = {key: item for key, item in header.attrs.items() if key not in _PACKING}
    attrs = {
        **own_attrs,
        **kind.attrs,
        **{key: own_attrs[key] for key in _FROM_FILE if key in own_attrs},
    }
    encoding: dict[str, Any] = {"dtype": header.dtype.name}
    if coding.dtype.kind == "f" and (header.dtype.kind != "f" or coding.scale is not None):
        encoding["scale_factor"] = 1.0 if coding.scale is None else coding.scale
        encoding["add_offset"] = coding.offset or 0.0
    fill = coding.fills[0] if coding.fills else header.attrs.get("_FillValue")
    if fill is not None:
        encoding["_FillValue"] = fill
    if coding.since:
        attrs.pop("units", None)
        encoding["units"] = coding.since
        encoding["calendar"] = attrs.pop("calendar", "proleptic_gregorian")
    return attrs, encoding


def _check_dims(product: "SafeProduct", place: _Place, header: Header) -> None:
    left_out = [
        length
        for dim, length in zip(place.dims, header.shape, strict=False)
        if dim not in place.kind.dims
    ]
    if len(place.dims) != len(header.shape) or any(length != 1 for length in left_out):
        raise InvalidInputError(
            f"{place.file} in {product.files.path} has {place.source} of shape {header.shape}; a "
            f"{product.mapping.title} product has it with dimensions {', '.join(place.dims)}.",
            remedy="Fetch the product again from its provider.",
        )


def _check_sizes(
    product: "SafeProduct", file: str, name: str, variables: dict[str, xr.Variable]
) -> None:
    sizes = {dim: size for item in variables.values() for dim, size in item.sizes.items()}
    for item in variables.values():
        for dim, size in item.sizes.items():
            if sizes[dim] != size:
                raise InvalidInputError(
                    f"{file} in {product.files.path} has {name} with {dim} = {sizes[dim]}; "
                    f"other files of the group have {size}.",
                    remedy="Fetch the product again from its provider.",
                )


def _write_variable(sink: Any, place: _Place, data: xr.DataArray, names: dict[str, str]) -> None:
    kind, dims = place.kind, place.dims
    for dim in dims:
        _add_dimension(sink, names.get(dim, dim), data.sizes.get(dim, 1))
    if not kind.dtype:
        return
    encoding = data.encoding
    dtype = np.dtype(encoding.get("dtype", kind.dtype))
    packing = {key: encoding[key] for key in _PACKING if encoding.get(key) is not None}
    coding = choose_coding(kind, packing, dtype)
    numbers = coding.encode(data.transpose(*kind.dims).to_numpy(), dtype)
    order = [kind.dims.index(dim) for dim in dims if dim in kind.dims]
    shape = tuple(data.sizes[dim] if dim in kind.dims else 1 for dim in dims)
    stored = sink.create_variable(
        place.source,
        tuple(names.get(dim, dim) for dim in dims),
        dtype,
        numbers.transpose(order).reshape(shape),
        fillvalue=dtype.type(coding.fills[0]) if coding.fills else None,
        **_storage(shape),
    )
    stored.attrs.update(_stored_attributes(kind, data.attrs, coding, dtype))


def _add_dimension(sink: Any, name: str, size: int) -> None:
    if name not in sink.dimensions:
        sink.dimensions[name] = size
    elif len(sink.dimensions[name]) != size:
        raise InvalidInputError(
            f"{name} has {size} elements here and {len(sink.dimensions[name])} in another variable "
            "of its file.",
            remedy="Give all variables of one product the same dimensions.",
        )


def _storage(shape: tuple[int, ...]) -> dict[str, Any]:
    if len(shape) < 2:  # noqa: PLR2004 -- a plane at least is worth compressing
        return {}
    chunks = tuple(min(length, READ_PIXELS // 2) for length in shape)
    return {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}


def _stored_attributes(
    kind: Kind, attrs: dict[Any, Any], coding: Coding, dtype: np.dtype[Any]
) -> dict[str, Any]:
    """Return a variable's attributes as the file has them: numbers in the stored type."""
    merged = {**kind.attrs, **{key: item for key, item in attrs.items() if item is not None}}
    merged = {key: item for key, item in merged.items() if not key.startswith("display_")}
    merged.pop("colormap", None)
    if coding.scale is not None or coding.offset is not None:
        merged["scale_factor"] = 1.0 if coding.scale is None else coding.scale
        merged["add_offset"] = coding.offset or 0.0
    typed = ("valid_min", "valid_max", "flag_masks", "flag_values")
    return {
        key: np.asarray(item, dtype) if key in typed else item
        for key, item in merged.items()
        if isinstance(item, str | int | float | list)
    }


def read_scalar(product: "SafeProduct", pattern: str, source: str) -> Any:
    """Return the first value of a variable as a plain Python value, None if it is not there.

    Raises
    ------
    InvalidInputError
        If the file is damaged.
    """
    file = product.files.find(pattern)
    if file is None:
        return None
    header = read_headers(product.files, file, [source]).get(source)
    if header is None or 0 in header.shape:
        return None
    value = read_window(product.files, file, source, (0,) * len(header.shape))
    return value.decode() if isinstance(value := value.item(), bytes) else value


def write_scalar(folder: "SafeFolder", file: str, source: str, value: float | str) -> None:
    """Write a number or text as a variable without dimensions; extend the file if it exists."""
    import h5netcdf
    import h5py  # type: ignore[import-untyped]

    path = folder.root / folder.names.get(file, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5netcdf.File(path, "a") as sink:
        if source not in sink.variables:
            dtype = h5py.string_dtype() if isinstance(value, str) else np.asarray(value).dtype
            stored = np.asarray(value, object if isinstance(value, str) else dtype)
            sink.create_variable(source, (), dtype, data=stored)
