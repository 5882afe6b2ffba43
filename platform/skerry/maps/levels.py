"""The resolution levels of one variable of a GeoZarr, as the zarr conventions describe them.

Source: the zarr conventions ``multiscales`` (layout), ``spatial`` (``spatial:transform``) and
``proj`` (``proj:code``, ``proj:wkt2``), Zarr v3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import InvalidInputError, NotFoundError, UnavailableError
from skerry.storage.objects import check_key

_PLANE = 2  # a raster has two dimensions: y, x
_TRANSFORM = 6  # the coefficients of an affine transform, in Affine order
_REMEDY = "Import the product again: Skerry writes the zarr conventions multiscales, spatial, proj."


@dataclass(frozen=True)
class Packing:
    """How stored numbers become physical ones: ``physical = stored * scale + offset``.

    Attributes
    ----------
    scale, offset
        Of the variable's units.
    nodata
        The stored number that means "no data"; None if only NaN does.
    """

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None


@dataclass(frozen=True, eq=False)
class Level:
    """One resolution of a variable.

    Attributes
    ----------
    path
        Of the array inside the store.
    transform
        Pixel edges to coordinates in Affine order ``(a, b, c, d, e, f)``; ``b`` and ``d`` are 0.
    height, width
        Cells in y and x.
    chunk_height, chunk_width
        Cells of one stored chunk.
    array
        The open Zarr array, dimensions (y, x), read lazily.
    """

    path: str
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int
    chunk_height: int
    chunk_width: int
    array: Any

    @property
    def resolution(self) -> float:
        """Size of a cell along x, in units of the coordinate reference system."""
        return abs(self.transform[0])

    def read_chunk(self, row: int, column: int) -> NDArray[Any]:
        """Read and decode one chunk (dims y, x, stored dtype); edge chunks are cut to the array.

        Raises
        ------
        UnavailableError
            If its bytes are damaged.
        """
        top, left = row * self.chunk_height, column * self.chunk_width
        try:
            window = self.array[top : top + self.chunk_height, left : left + self.chunk_width]
        except (OSError, RuntimeError, ValueError) as error:
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
        Names content, not place: another content version has another identity.
    crs
        Coordinate reference system as pyproj reads it: ``EPSG:32632`` or WKT.
    dtype
        Of the stored numbers.
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
        a, _, c, _, e, f = finest.transform
        xs = sorted((c, c + a * finest.width))
        ys = sorted((f, f + e * finest.height))
        return xs[0], ys[0], xs[1], ys[1]

    @property
    def geographic_bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees (WGS 84); west > east across the antimeridian."""
        from pyproj import Transformer

        transformer = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
        return transformer.transform_bounds(*self.bounds)


@lru_cache(maxsize=256)
def open_pyramid(store: Path, variable: str, version: str) -> Pyramid:
    """Open the levels of one variable; only metadata is read.

    Parameters
    ----------
    store
        The GeoZarr's folder.
    variable
        ``<multiscale group path>/<name>``, or ``<name>`` when the root is the multiscale group.
    version
        The content version; opened again when it changes.

    Raises
    ------
    NotFoundError
        If there is no such store, group or variable.
    InvalidInputError
        If the group is no multiscale group with a transform and a projection.
    """
    group_path, _, name = variable.rpartition("/")
    try:
        group = _open_group(store, group_path)
        levels, crs = _read_levels(group, name, variable)
        _check_crs(crs)
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
    array = levels[0].array
    return Pyramid(
        identity=f"{version}:{store.name}:{variable}",
        crs=crs,
        dtype=array.dtype,
        packing=_read_packing(array.attrs, array.dtype),
        levels=levels,
    )


def _open_group(store: Path, path: str) -> Any:
    import zarr

    root = zarr.open_group(store, mode="r", use_consolidated=False)
    return root[path] if path else root


def _check_crs(crs: str) -> None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        CRS.from_user_input(crs)
    except CRSError as error:
        raise ValueError(error) from None


def _read_levels(group: Any, name: str, variable: str) -> tuple[tuple[Level, ...], str]:
    layout = cast("Mapping[str, Any]", group.attrs.get("multiscales", {})).get("layout")
    if not layout:
        raise InvalidInputError(f"The group of {variable!r} has no 'multiscales'.", remedy=_REMEDY)
    levels, crs = [], _read_crs(group.attrs)
    for entry in layout:
        asset = check_key(str(entry["asset"]))  # a product may come from anywhere
        path = f"{asset}/{name}"
        if path not in group:  # coarse bands have no fine levels
            continue
        array, level_group = group[path], group[asset]
        crs = crs or _read_crs(level_group.attrs) or _read_crs(array.attrs)
        transform = next(
            (
                attributes["spatial:transform"]
                for attributes in (entry, level_group.attrs, array.attrs)
                if "spatial:transform" in attributes
            ),
            None,
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


def _make_level(array: Any, path: str, transform: Any, variable: str) -> Level:
    if transform is None or len(transform) < _TRANSFORM:
        raise InvalidInputError(
            f"The level {path!r} of {variable!r} has no 'spatial:transform'.", remedy=_REMEDY
        )
    a, b, c, d, e, f = (float(number) for number in transform[:_TRANSFORM])
    if array.ndim != _PLANE or b or d or not a or not e:
        raise InvalidInputError(
            f"{variable!r} has shape {array.shape} and transform {transform}: no plain map raster.",
            remedy="Draw variables with dimensions (y, x) and no rotation.",
        )
    height, width = array.shape
    chunk_height, chunk_width = array.chunks
    return Level(path, (a, b, c, d, e, f), height, width, chunk_height, chunk_width, array)


def _read_crs(attributes: Mapping[str, Any]) -> str | None:
    found = attributes.get("proj:code") or attributes.get("proj:wkt2")
    return str(found) if found else None


def _read_packing(attributes: Mapping[str, Any], dtype: np.dtype[Any]) -> Packing:
    fill = attributes.get("_FillValue")
    if dtype.kind == "f" and not isinstance(fill, int | float):
        fill = None  # xarray writes a float's fill value in base64; with us it is always NaN
    return Packing(
        scale=float(attributes.get("scale_factor", 1.0)),
        offset=float(attributes.get("add_offset", 0.0)),
        nodata=None if fill is None else float(fill),
    )
