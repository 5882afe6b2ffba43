"""The resolution levels of one variable of a GeoZarr (Zarr 3), open for tiles."""

import math
import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from skerry.core.errors import InvalidInputError, NotFoundError, SkerryError, UnavailableError
from skerry.maps.store import FolderReader, bounded_codecs, check_array, open_folder
from skerry.products.coding.packing import Packing
from skerry.products.coding.stored_numbers import read_packing
from skerry.products.coding.zarr_conventions import (
    PIXEL,
    REGISTRATION,
    read_crs,
    read_layout,
    read_transform,
)
from skerry.storage.objects import check_key

_PLANE = 2  # a raster has two dimensions: y, x
_MOST_LEVELS = 64
_HALF = 180.0  # degrees
_REMEDY = "Import the product again: Skerry writes the zarr conventions multiscales, spatial, proj."


@dataclass(frozen=True, eq=False)
class Level:
    """A resolution of a variable.

    Attributes
    ----------
    path
        Of the array inside the store.
    transform
        Pixel edges to coordinates, without rotation.
    height, width
        Cells in y and x.
    chunk_height, chunk_width
        Cells of one stored chunk.
    array
        The open Zarr array, dimensions (y, x), read lazily.
    """

    path: str
    transform: Affine
    height: int
    width: int
    chunk_height: int
    chunk_width: int
    array: Any

    @property
    def resolution(self) -> float:
        """Size of a cell along x, in units of the coordinate reference system."""
        return abs(float(self.transform.a))

    def read_chunk(self, row: int, column: int) -> NDArray[Any]:
        """Read and decode one chunk (dims y, x, stored dtype); edge chunks are cut to the array.

        Raises
        ------
        UnavailableError
            If its bytes are damaged.
        ForbiddenError, InvalidInputError
            If it is behind a symbolic link, or would be too large when decoded.
        """
        top, left = row * self.chunk_height, column * self.chunk_width
        try:
            window = self.array[top : top + self.chunk_height, left : left + self.chunk_width]
        except SkerryError as error:
            where = f"chunk {row}/{column} of {self.path!r}"
            raise type(error)(f"{error.what} It is the {where}.", remedy=error.remedy) from None
        except (OSError, RuntimeError, ValueError, EOFError, zlib.error) as error:
            raise UnavailableError(
                f"The chunk {row}/{column} of {self.path!r} cannot be read: {error}.",
                remedy="Import the product again: its bytes are damaged or gone.",
            ) from error
        return np.ascontiguousarray(window)


@dataclass(frozen=True, eq=False)
class Pyramid:
    """All resolutions of one variable, finest first.

    Attributes
    ----------
    identity
        Identifies the content, not the place: each content version has its own identity.
    crs
        Coordinate reference system as pyproj reads it: ``EPSG:32632`` or WKT.
    dtype
        Of the numbers as the store has them.
    packing
        Says what they mean: values in the variable's units.
    """

    identity: str
    crs: str
    dtype: np.dtype[Any]
    packing: Packing
    levels: tuple[Level, ...]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the finest level's pixel edges, in `crs`."""
        finest = self.levels[0]
        a, _, left, _, e, top = finest.transform[:6]
        right, bottom = left + a * finest.width, top + e * finest.height
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)

    @cached_property
    def circle(self) -> float | None:
        """Length of the whole Earth along x, in units of `crs`; None unless x is a longitude."""
        from pyproj import CRS

        crs = CRS.from_user_input(self.crs)
        return 2 * math.pi / crs.axis_info[0].unit_conversion_factor if crs.is_geographic else None

    @property
    def geographic_bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees (WGS 84); west > east across the antimeridian."""
        from pyproj import Transformer

        transformer = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
        west, south, east, north = transformer.transform_bounds(*self.bounds)
        if self.circle is None or (west >= -_HALF and east <= _HALF):
            return west, south, east, north
        if east - west >= 2 * _HALF:
            return -_HALF, south, _HALF, north
        west, east = ((edge + _HALF) % (2 * _HALF) - _HALF for edge in (west, east))
        return west, south, east if east > -_HALF else _HALF, north


@lru_cache(maxsize=256)
def open_pyramid(store: Path, variable: str, version: str, *, root: Path | None = None) -> Pyramid:
    """Open the levels of one variable; only metadata is read.

    Parameters
    ----------
    store
        The GeoZarr's folder.
    variable
        ``<multiscale group path>/<name>``, or ``<name>`` when the root is the multiscale group.
    version
        The content version; the levels are opened again when it changes.
    root
        A folder above `store` below which no symbolic link is followed; if None, the folder right
        above it.

    Raises
    ------
    NotFoundError
        If there is no such store, group or variable.
    InvalidInputError
        If the group is not a multiscale group with a transform and a projection, or its chunks
        are too large.
    ForbiddenError
        If a symbolic link stands on the way.
    """
    group_path, _, name = variable.rpartition("/")
    try:
        root = store.parent if root is None else root
        folder = FolderReader(root, store.relative_to(root).as_posix())
        with bounded_codecs():
            levels, crs = _read_levels(open_folder(folder, group_path), name, variable)
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
        identity=f"{version}:{store.name}:{variable}",
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
    check_array(array)
    height, width = array.shape
    chunk_height, chunk_width = array.chunks
    return Level(path, transform, height, width, chunk_height, chunk_width, array)
