"""Open the resolution levels of one variable of a GeoZarr (Zarr 3); its metadata is not trusted."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import zarr
from affine import Affine

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.maps.levels import Level, Pyramid
from skerry.maps.store import (
    MAX_CHUNK_BYTES,
    REWRITE,
    GeoZarrReader,
    bounded_codecs,
    refuse_size,
)
from skerry.products.coding.stored_numbers import read_packing
from skerry.products.coding.zarr_conventions import (
    PIXEL,
    REGISTRATION,
    read_crs,
    read_layout,
    read_transform,
)
from skerry.storage.objects import Objects, check_key
from skerry.storage.reading_store import ReadingStore

MAX_SHARD_CHUNKS = 2**18
"""Most chunks of a shard: its index then has 4 MiB."""

_PLANE = 2  # a raster has two dimensions: y, x
_MOST_LEVELS = 64
_ALLOWED = {"bytes", "crc32c", "sharding_indexed", "transpose", "zstd", "gzip", "blosc"}
_REMEDY = "Import the product again: Skerry writes the zarr conventions multiscales, spatial, proj."


@lru_cache(maxsize=256)
def open_pyramid(objects: Objects, key: str, variable: str, version: str) -> Pyramid:
    """Open the levels of one variable; only metadata is read.

    Parameters
    ----------
    objects, key
        The object store, and the GeoZarr in it.
    variable
        ``<multiscale group path>/<name>``, or ``<name>`` when the root is the multiscale group.
    version
        The content version; the levels are opened again when it changes.

    Raises
    ------
    NotFoundError
        If there is no such store, group or variable.
    InvalidInputError
        If the group is not a multiscale group with a transform and a projection, or its chunks
        are too large.
    ForbiddenError
        If the path contains a symbolic link.
    """
    group_path, _, name = variable.rpartition("/")
    try:
        files = ReadingStore(GeoZarrReader(objects, key))
        with bounded_codecs():
            group = zarr.open_group(
                files, mode="r", path=group_path, zarr_format=3, use_consolidated=False
            )
            levels, crs = _read_levels(group, name, variable)
        _check_crs(crs)
        array = levels[0].array
        packing = read_packing(array.dtype, array.attrs, repr(variable))
    except (FileNotFoundError, KeyError) as error:
        raise NotFoundError(
            f"The store has no group for {variable!r}: {error}.",
            remedy="Look the item up again: it may have been deleted or replaced.",
        ) from None
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"The metadata of {variable!r} are not what the zarr conventions say: {error}.",
            remedy=_REMEDY,
        ) from None
    return Pyramid(
        identity=f"{version}:{key.rpartition('/')[2]}:{variable}",
        crs=crs,
        dtype=array.dtype,
        packing=packing,
        levels=levels,
    )


def _check_crs(crs: str) -> None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_user_input(crs)
    except CRSError as error:
        raise ValueError(error) from None


def _read_levels(group: Any, name: str, variable: str) -> tuple[tuple[Level, ...], str]:
    layout = read_layout(group.attrs)
    if not layout:
        raise InvalidInputError(
            f"The group of {variable!r} has no 'multiscales' with levels.", remedy=_REMEDY
        )
    levels, crs = [], read_crs(group.attrs)
    registration = str(group.attrs.get(REGISTRATION, PIXEL))
    for entry in layout[:_MOST_LEVELS]:
        path = f"{check_key(entry.asset)}/{name}"  # products are not trusted
        if path not in group:  # coarse bands lack fine levels
            continue
        array, level_group = group[path], group[entry.asset]
        crs = crs or read_crs(level_group.attrs, array.attrs)
        transform = read_transform(
            entry.attributes, level_group.attrs, array.attrs, registration=registration
        )
        levels.append(_make_level(array, path, transform, variable))
    if not levels:
        raise NotFoundError(
            f"There is no variable {variable!r} in the product.",
            remedy="Ask the item for its 'skerry:variables'.",
        )
    if crs is None:
        raise InvalidInputError(f"The group of {variable!r} has no 'proj:code'.", remedy=_REMEDY)
    return tuple(sorted(levels, key=lambda level: level.resolution)), crs


def _make_level(array: Any, path: str, transform: Affine | None, variable: str) -> Level:
    if transform is None:
        raise InvalidInputError(
            f"The level {path!r} of {variable!r} has no 'spatial:transform'.", remedy=_REMEDY
        )
    rotated = transform.b or transform.d or not transform.a or not transform.e
    if array.ndim != _PLANE or rotated or not np.isfinite(np.array(transform[:6])).all():
        raise InvalidInputError(
            f"{variable!r} has shape {array.shape} and transform {tuple(transform[:6])}: no plain "
            "map raster.",
            remedy="Draw variables with dimensions (y, x) and no rotation.",
        )
    _check_array(array)
    height, width = array.shape
    chunk_height, chunk_width = array.chunks
    return Level(path, transform, height, width, chunk_height, chunk_width, array)


def _check_array(array: "zarr.Array[Any]") -> None:
    """Refuse an array whose chunks are too large to be read for a tile, before one is read.

    Raises
    ------
    InvalidInputError
        If it holds no numbers, tiles do not read its codecs, or a chunk or a shard is too large.
    """
    dtype = array.dtype
    if dtype.kind not in "iufb" or dtype.itemsize > 8:  # noqa: PLR2004 -- bytes
        raise InvalidInputError(f"{array.path!r} holds {dtype}, not numbers.", remedy=REWRITE)
    size = math.prod(array.chunks) * dtype.itemsize
    if size > MAX_CHUNK_BYTES:
        raise refuse_size(f"A chunk of {array.path!r}", size, MAX_CHUNK_BYTES)
    if array.shards is not None:
        count = math.prod(array.shards) // max(1, math.prod(array.chunks))
        if count > MAX_SHARD_CHUNKS:
            raise InvalidInputError(
                f"A shard of {array.path!r} has {count:,} chunks; at most {MAX_SHARD_CHUNKS:,} "
                "are drawn.",
                remedy=REWRITE,
            )
    unknown = _list_codecs(array.metadata.to_dict().get("codecs", ())) - _ALLOWED
    if unknown:
        raise InvalidInputError(
            f"{array.path!r} is coded with {', '.join(sorted(unknown))}, which tiles do not read.",
            remedy="Use zstd, gzip or blosc.",
        )


def _list_codecs(codecs: Any) -> set[str]:
    """Return the names of codecs, including those inside shards."""
    names = set()
    for codec in codecs:
        names.add(str(codec["name"]))
        inner = codec.get("configuration") or {}
        names |= _list_codecs(inner.get("codecs", ())) | _list_codecs(inner.get("index_codecs", ()))
    return names
