"""Files as providers write them, made with netCDF4 or zarr from one description."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt
import zarr


@dataclass(frozen=True)
class Axis:
    """A dimension with its coordinate."""

    name: str
    values: npt.NDArray[Any]
    attrs: dict[str, Any]


@dataclass(frozen=True)
class CfFile:
    """A variable ``v`` on two axes, its attributes, and further variables without dimensions."""

    numbers: npt.NDArray[Any]
    attrs: dict[str, Any]
    rows: Axis
    columns: Axis
    others: dict[str, dict[str, Any]] = field(default_factory=dict)


PLAIN_ROWS = Axis("y", 6_000_000.0 - 30 * np.arange(4) - 15, {"units": "m"})
PLAIN_COLUMNS = Axis("x", 500_000.0 + 30 * np.arange(5) + 15, {"units": "m"})


def describe(numbers: npt.NDArray[Any], attrs: dict[str, Any]) -> CfFile:
    """Return a file whose places do not matter."""
    return CfFile(numbers, attrs, PLAIN_ROWS, PLAIN_COLUMNS)


def write_netcdf4(path: Path, file: CfFile) -> Path:
    """Write a file with netCDF4."""
    with netCDF4.Dataset(path, "w") as sink:
        for axis in (file.rows, file.columns):
            sink.createDimension(axis.name, len(axis.values))
            result = sink.createVariable(axis.name, axis.values.dtype, (axis.name,))
            result.setncatts(axis.attrs)
            result[:] = axis.values
        attrs = dict(file.attrs)
        fill = attrs.pop("_FillValue", None)
        dims = (file.rows.name, file.columns.name)
        result = sink.createVariable("v", file.numbers.dtype, dims, fill_value=fill)
        result.set_auto_maskandscale(False)
        result[...] = file.numbers
        result.setncatts(attrs)
        for name, own in file.others.items():
            sink.createVariable(name, "i4", ()).setncatts(own)
    return path


def write_zarr(path: Path, file: CfFile, zarr_format: int, fill_value: Any = None) -> Path:
    """Write a file with zarr; `fill_value` is the array's own."""
    root: Any = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    arrays = {
        file.rows.name: ((file.rows.name,), file.rows.values, file.rows.attrs),
        file.columns.name: ((file.columns.name,), file.columns.values, file.columns.attrs),
        "v": ((file.rows.name, file.columns.name), file.numbers, file.attrs),
    } | {name: ((), np.array(0, np.int32), own) for name, own in file.others.items()}
    for name, (dims, values, own) in arrays.items():
        options = {"dimension_names": dims} if zarr_format == 3 else {}
        own_fill = fill_value if name == "v" else None
        if zarr_format == 2 or own_fill is not None:
            options["fill_value"] = own_fill
        result = root.create_array(name, shape=values.shape, dtype=values.dtype, **options)
        result[...] = values
        names = {"_ARRAY_DIMENSIONS": list(dims)} if zarr_format == 2 else {}
        result.attrs.update({key: _to_json(item) for key, item in own.items()} | names)
    return path


def _to_json(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
