"""How a canonical variable is stored: numbers, chunks, codec and attributes of its array."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.coding.codecs import Codec, codec_of
from skerry.products.coding.packing import Packing, packing_of
from skerry.products.coding.times import Clock, choose_clock
from skerry.products.eopf.attributes import describe_attributes
from skerry.products.healing.profiles import Model
from skerry.products.stores.stored import coding_behind

DEFAULT_CHUNKS = {
    "y": 1830, "x": 1830, "rows": 1024, "columns": 1024, "azimuth_time": 2048,
    "ground_range": 4096,
}  # fmt: skip
"""Chunks by dimension, as the products of 2025 have them; other dimensions are one chunk."""
DEFAULT_CODEC = Codec("blosc-zstd", 3, "bit")
PACKED_FAMILIES = ("S02",)
"""Families of product types that the profile ``2025`` keeps packed; others are decoded there."""
ZARR_2 = 2
EPOCH = "nanoseconds since 1970-01-01"


@dataclass(frozen=True)
class Form:
    """What the caller chose: profile, format, and options that replace the source's."""

    profile: str
    zarr_format: int
    product_type: str
    model: Model | None
    chunks: Mapping[str, int] | None = None
    shards: Mapping[str, int] | None = None
    codec: Codec | None = None


@dataclass(frozen=True)
class Storage:
    """How one variable is stored.

    Attributes
    ----------
    path
        Of the array in the product.
    dims, shape
        Of the variable.
    dtype
        Of the stored numbers.
    coding
        How values become numbers; None if they are stored as they are.
    fill
        Fill value of the array; None only in Zarr 2.
    chunks, shards
        Lengths; shards only in Zarr 3.
    compressors
        As `zarr.Group.create_array` takes them.
    attrs
        Attributes of the array, JSON values.
    """

    path: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    coding: Packing | Clock | None
    fill: Any
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    compressors: Any
    attrs: dict[str, Any]

    @property
    def unit(self) -> tuple[int, ...]:
        """What is written as one object."""
        return self.shards or self.chunks

    def encode(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the numbers to store."""
        if self.coding is not None:
            return self.coding.encode(values)
        return values.astype(self.dtype)


def design_storage(
    path: str,
    variable: xr.Variable,
    coordinates: list[str],
    form: Form,
    *,
    decoded: bool = False,
) -> Storage:
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
        What the caller chose.
    decoded
        Whether its values are stored, whatever its packing.

    Raises
    ------
    InvalidInputError
        If the variable holds objects that are no text, or an option does not fit.
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
    chunks = _choose_chunks(variable, form.chunks)
    shards = _choose_shards(variable, chunks, form)
    return Storage(
        path=path,
        dims=tuple(str(dim) for dim in variable.dims),
        shape=variable.shape,
        dtype=dtype,
        coding=coding,
        fill=_choose_fill(dtype, attrs.fill, form.zarr_format),
        chunks=chunks,
        shards=shards,
        compressors=_choose_compressors(variable, form),
        attrs=attrs.values,
    )


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
    """Return how times are counted: as in the array that they come from, else by all of them."""
    if variable.dtype.kind not in "mM":
        return None
    encoding = dict(variable.encoding)
    known = coding_behind(variable.data)
    if kind is not None:
        encoding["dtype"] = np.dtype(np.int64)
        if np.isnat(variable.to_numpy()).any():
            encoding.pop("_FillValue", None)  # the model has none: CPM knows the usual one only
    if isinstance(known, Clock) and not known.further:
        counted = known.encoding
        if all(encoding.get(key) == counted.get(key) for key in (*counted, "_FillValue")):
            return known
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


def _choose_chunks(variable: xr.Variable, wanted: Mapping[str, int] | None) -> tuple[int, ...]:
    known = variable.encoding.get("chunks")
    usable = known is not None and len(known) == variable.ndim
    chunks = []
    for axis, (dim, size) in enumerate(variable.sizes.items()):
        if wanted is not None and dim in wanted:
            length = int(wanted[str(dim)])
        elif usable:
            length = int(known[axis])  # type: ignore[index]
        else:
            length = DEFAULT_CHUNKS.get(str(dim), size)
        if length < 1 and size:
            raise InvalidInputError(
                f"A chunk of {dim} cannot have {length} elements.", remedy="Give at least 1."
            )
        chunks.append(max(1, min(length, size)))
    return tuple(chunks)


def _choose_shards(
    variable: xr.Variable, chunks: tuple[int, ...], form: Form
) -> tuple[int, ...] | None:
    if form.zarr_format == ZARR_2:
        if form.shards:
            raise InvalidInputError(
                "Zarr 2 has no shards.", remedy="Write zarr_format=3 or leave shards out."
            )
        return None
    if form.shards is None:
        known = variable.encoding.get("shards")
        fits = known is not None and len(known) == len(chunks)
        if fits and all(item % chunk == 0 for item, chunk in zip(known, chunks, strict=True)):  # type: ignore[arg-type]
            return tuple(known)  # type: ignore[arg-type]
        return None
    if not set(form.shards) & {str(item) for item in variable.dims}:
        return None
    shards = []
    for (dim, size), chunk in zip(variable.sizes.items(), chunks, strict=True):
        wanted = int(form.shards.get(str(dim), chunk))
        if variable.ndim == 1 and chunk >= size:
            return None  # a coordinate in one piece, whose chunks were not asked for
        if wanted < 1 or (wanted % chunk and wanted < size):
            raise InvalidInputError(
                f"A shard of {wanted} along {dim} is not a whole number of chunks of {chunk}.",
                remedy=f"Give a multiple of {chunk}.",
            )
        shards.append(chunk * -(-min(wanted, size) // chunk))
    return tuple(shards)


def _choose_fill(dtype: np.dtype[Any], fill: Any, zarr_format: int) -> Any:
    if fill is not None:
        return fill
    if dtype.kind == "f":
        return float("nan")
    if zarr_format == ZARR_2:
        return None
    return "" if dtype.kind in "UT" else dtype.type(0)


def _choose_compressors(variable: xr.Variable, form: Form) -> Any:
    """Return the codec asked for, else the source's, else (no such codec in Zarr) the usual."""
    if not variable.ndim:
        return None
    if form.codec is not None:
        return _spell(form.codec, form.zarr_format)
    source = codec_of(variable.encoding)
    try:
        return _spell(DEFAULT_CODEC if source is None else source, form.zarr_format)
    except InvalidInputError:
        return _spell(DEFAULT_CODEC, form.zarr_format)


def _spell(codec: Codec, zarr_format: int) -> Any:
    return codec.to_zarr2() if zarr_format == ZARR_2 else codec.to_zarr3() or None
