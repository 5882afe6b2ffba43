"""How a canonical variable is stored: numbers, chunks, codec and attributes of its array."""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import Codec
from skerry.products.coding.packing import Packing, packing_of
from skerry.products.coding.times import Clock, choose_clock
from skerry.products.eopf.attributes import describe_attributes
from skerry.products.eopf.form import Form
from skerry.products.filling.layout import Layout
from skerry.products.filling.loop import Filling
from skerry.products.filling.sources import find_source
from skerry.products.filling.zarr_files import ZarrFiles
from skerry.products.stores.stored import coding_behind

DEFAULT_CHUNKS = {
    "y": 1830, "x": 1830, "rows": 1024, "columns": 1024, "azimuth_time": 2048,
    "ground_range": 4096,
}  # fmt: skip
"""Chunks by dimension, as in the products of 2025; other dimensions have a single chunk."""
DEFAULT_CODEC = Codec("blosc-zstd", 3, "bit")
PACKED_FAMILIES = ("S02",)
"""Families of product types that the profile ``2025`` keeps packed; others are decoded there."""
ZARR_2 = 2
EPOCH = "nanoseconds since 1970-01-01"


@dataclass(frozen=True)
class ArrayPlan:
    """One array to make and what goes into it.

    Attributes
    ----------
    path
        Of the array in the product.
    variable
        Canonical values.
    coding
        How values become numbers; None if they are stored as they are.
    layout
        How the numbers are stored; without a fill value only in Zarr 2.
    attrs
        Attributes of the array, JSON values.
    """

    path: str
    variable: xr.Variable
    coding: Packing | Clock | None
    layout: Layout
    attrs: dict[str, Any]

    def encode(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the numbers to store."""
        if self.coding is not None:
            return self.coding.encode(np.asarray(values))
        return np.asarray(values).astype(self.layout.dtype)

    def fill(self, array: Any) -> Filling:
        """Return the array's content, lazily."""
        data, dtype = self.variable.data, self.layout.dtype
        source = find_source(self.variable, self.coding, dtype)
        if isinstance(data, da.Array):
            data = da.map_blocks(  # type: ignore[no-untyped-call]
                self.encode, data, dtype=dtype, meta=np.empty((0,) * data.ndim, dtype)
            )
        else:
            data = self.encode(self.variable.values)
        numbers = xr.Variable(self.variable.dims, data)
        return Filling(self.path, numbers, ZarrFiles(array, self.layout), source)


def plan_array(
    path: str,
    variable: xr.Variable,
    coordinates: list[str],
    form: Form,
    *,
    decoded: bool = False,
) -> ArrayPlan:
    """Decide how a variable is stored.

    Parameters
    ----------
    path
        Path of the variable in the product.
    variable
        Canonical: values decoded, the packing in the encoding.
    coordinates
        Names of the group's coordinates that belong to it and are not its dimensions'.
    form
        The caller's options.
    decoded
        Whether to store values instead of packed numbers.

    Raises
    ------
    InvalidInputError
        If the variable holds objects that are not text, or an option does not fit.
    """
    kind = form.model.kind_of(path) if form.model is not None else None
    if form.profile != "cpm-2.8":
        kind = None
    packing = packing_of(variable, path)
    stored = not decoded and _keep_packed(packing, kind, form)
    coding = _choose_clock(variable, kind) or (packing if stored else None)
    dtype = _choose_dtype(path, variable, kind) if coding is None else coding.stored
    attrs = describe_attributes(
        path,
        variable,
        coordinates,
        dtype=dtype,
        packing=packing,
        kind=kind,
        packed=stored,
        clock=coding if isinstance(coding, Clock) else None,
        form=form,
    )
    layout = _lay_out(variable, dtype, _choose_fill(dtype, attrs.fill, form.zarr_format), form)
    return ArrayPlan(path, variable, coding, layout, attrs.values)


def _lay_out(variable: xr.Variable, dtype: np.dtype[Any], fill: Any, form: Form) -> Layout:
    shape, wishes = variable.shape, form.wishes
    chunks = wishes.choose_chunks(variable, shape, DEFAULT_CHUNKS.get)
    shards = None
    if form.zarr_format == ZARR_2:
        if wishes.shard:
            raise InvalidInputError(
                "Zarr 2 has no shards.", remedy="Write zarr_format=3 or leave shards out."
            )
    else:
        shards = wishes.choose_shards(variable, shape, chunks)
    codec = Codec("none")
    if variable.ndim:
        codec = wishes.choose_codec(
            variable.encoding, DEFAULT_CODEC, lambda item: spell_codec(item, form.zarr_format)
        )
    return Layout(shape, dtype, chunks, shards, codec, fill)


def _keep_packed(packing: Packing | None, kind: Any, form: Form) -> bool:
    if packing is None:
        return False
    if kind is not None:
        integer = np.dtype(kind.dtype).kind in "iu"
        return integer or bool({"scale_factor", "fill_value"} & kind.attrs)
    return (
        form.profile != "2025"
        or form.product_type.startswith(PACKED_FAMILIES)
        or (not form.product_type.startswith(("S01", "S03")))
    )


def _choose_clock(variable: xr.Variable, kind: Any) -> Clock | None:
    """Return how times are stored: as in their source array, else as all values need."""
    if variable.dtype.kind not in "mM":
        return None
    encoding = dict(variable.encoding)
    coding = coding_behind(variable.data)
    if kind is not None:
        encoding["dtype"] = np.dtype(np.int64)
        if np.isnat(variable.to_numpy()).any():
            encoding.pop("_FillValue", None)  # the model has none: CPM knows the usual one only
    if isinstance(coding, Clock) and not coding.further:
        counted = coding.encoding
        if all(encoding.get(key) == counted.get(key) for key in (*counted, "_FillValue")):
            return coding
    usual = EPOCH if variable.dtype.kind == "M" else EPOCH.partition(" ")[0]
    return choose_clock(variable.to_numpy(), encoding, usual)


def _choose_dtype(path: str, variable: xr.Variable, kind: Any) -> np.dtype[Any]:
    if variable.dtype.kind == "O":
        return _find_text_dtype(path, variable)
    dtype: np.dtype[Any] = variable.dtype
    if kind is not None and dtype.kind in "iuf" and np.dtype(kind.dtype).kind in "iuf":
        dtype = np.dtype(kind.dtype)
    return dtype


def _find_text_dtype(path: str, variable: xr.Variable) -> np.dtype[Any]:
    values = np.asarray(variable.values)
    if all(isinstance(item, str) for item in values.flat):
        return values.astype(str).dtype
    raise InvalidInputError(
        f"The variable {path} holds objects, which cannot be written.",
        remedy="Turn it into numbers, times or text, or leave it out.",
    )


def _choose_fill(dtype: np.dtype[Any], fill: Any, zarr_format: int) -> Any:
    if fill is not None:
        return fill
    if dtype.kind == "f":
        return float("nan")
    if zarr_format == ZARR_2:
        return None
    return "" if dtype.kind in "UT" else dtype.type(0)


def spell_codec(codec: Codec, zarr_format: int) -> Any:
    """Return compressors as `zarr.Group.create_array` takes them."""
    return codec.to_zarr2() if zarr_format == ZARR_2 else codec.to_zarr3() or None
