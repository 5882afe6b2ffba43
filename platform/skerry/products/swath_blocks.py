"""Fill a grid from a swath, block by block: find the pixels of each block, and their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox

EARTH_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""
STEP: Final = 8
"""Step between the swath's coordinates that are read to plan blocks."""
REACH: Final = 0.75
"""Reach as a share of a pixel's diagonal: 0.5 is a corner, the rest allows for bent orbits."""
_LATTICE = 9
_SINGULAR = 1e-3
"""Smallest share of the spacings' product that the area they span may have."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Neighbours:
    """For each pixel of a block: the nearest pixel of the swath's window, and the place in it.

    Attributes
    ----------
    valid
        Whether there is a pixel within the radius.
    row, column
        The nearest pixel.
    down, right
        The place relative to it, -0.5 to 0.5 pixels; NaN where the spacing tells nothing.
    """

    valid: npt.NDArray[np.bool_]
    row: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    down: npt.NDArray[np.float32]
    right: npt.NDArray[np.float32]


def map_swath(
    latitude: xr.DataArray,
    longitude: xr.DataArray,
    variables: Mapping[str, tuple[xr.DataArray, bool, Any]],
    target: GeoBox,
    *,
    radius_m: float | None,
    chunk: int,
) -> dict[str, Any]:
    """Return a lazy array of the target's shape for each variable.

    Parameters
    ----------
    latitude, longitude
        Degrees, ``(row, column)``.
    variables
        Name to values of the same shape, whether to interpolate linearly, and the fill value.
    target
        The grid.
    radius_m
        How far a pixel reaches; if None, `REACH` times its diagonal.
    chunk
        Edge of the blocks.
    """
    import dask
    import dask.array as da

    together: Any = da  # untyped
    thin = thin_swath(latitude, longitude)
    diagonal = _measure_diagonal(latitude, longitude) or thin.diagonal_m
    radius = radius_m or REACH * diagonal
    plan: dict[str, list[list[Any]]] = {name: [] for name in variables}
    for rows in _split(target.shape[0], chunk):
        for blocks in plan.values():
            blocks.append([])
        for columns in _split(target.shape[1], chunk):
            block = target[rows, columns]
            window = _find_window(thin, block, radius)
            near = None
            if window is not None:
                near = dask.delayed(find_neighbours, pure=True)(  # type: ignore[attr-defined]
                    latitude[window].data, longitude[window].data, block, radius
                )
            for name, (values, linear, fill) in variables.items():
                if window is None or near is None:
                    pixels = together.full(tuple(block.shape), fill, dtype=values.dtype, chunks=-1)
                else:
                    delayed = dask.delayed(take_values, pure=True)(  # type: ignore[attr-defined]
                        values[window].data, near, linear, fill
                    )
                    pixels = together.from_delayed(delayed, tuple(block.shape), dtype=values.dtype)
                plan[name][-1].append(pixels)
    return {name: together.block(blocks) for name, blocks in plan.items()}


def find_neighbours(
    latitude: Numbers, longitude: Numbers, block: GeoBox, radius_m: float
) -> Neighbours:
    """Return the nearest pixel of a swath's window for each pixel of a block.

    Parameters
    ----------
    latitude, longitude
        Degrees, ``(row, column)``, NaN = no pixel.
    block
        Part of the target's grid.
    radius_m
        How far a pixel reaches.
    """
    from pyresample import geometry, kd_tree

    grids: Any = geometry  # untyped
    trees: Any = kd_tree
    here_longitude, here_latitude = locate_pixels(block)
    finite = np.isfinite(latitude) & np.isfinite(longitude)
    source = grids.SwathDefinition(
        np.where(finite, longitude, 0.0)[finite], np.where(finite, latitude, 0.0)[finite]
    )
    inside = np.isfinite(here_longitude) & np.isfinite(here_latitude)
    grid = grids.GridDefinition(
        np.where(inside, here_longitude, 0.0), np.where(inside, here_latitude, 0.0)
    )
    valid_in, valid_out, index, _ = trees.get_neighbour_info(source, grid, radius_m, neighbours=1)
    flat = np.full(block.shape[0] * block.shape[1], -1, np.int64)
    exists = index < np.count_nonzero(valid_in)
    places = np.flatnonzero(finite)[np.flatnonzero(valid_in)]
    flat[np.flatnonzero(valid_out)[exists]] = places[index[exists]]
    nearest = np.where(inside, flat.reshape(block.shape), -1)
    has_neighbour = nearest >= 0
    row, column = np.divmod(np.maximum(nearest, 0), latitude.shape[1])
    down, right = _refine(
        to_vectors(latitude, longitude), to_vectors(here_latitude, here_longitude), row, column
    )
    return Neighbours(has_neighbour, row.astype(np.int32), column.astype(np.int32), down, right)


def take_values(values: Numbers, near: Neighbours, linear: bool, fill: Any) -> Numbers:
    """Return the values of a block, nearest or between the four pixels around each place."""
    result = values[near.row, near.column]
    if linear:
        rows, columns = values.shape
        row = np.clip(near.row + np.where(near.down < 0, -1, 1), 0, rows - 1)
        column = np.clip(near.column + np.where(near.right < 0, -1, 1), 0, columns - 1)
        down, right = np.abs(near.down), np.abs(near.right)
        mixed = (
            result * (1 - down) * (1 - right)
            + values[row, near.column] * down * (1 - right)
            + values[near.row, column] * (1 - down) * right
            + values[row, column] * down * right
        )
        # A gap at the place stays a gap; a neighbouring gap does not spread.
        result = np.where(np.isfinite(mixed), mixed, result).astype(values.dtype)
    return np.where(near.valid, result, values.dtype.type(fill))


def locate_pixels(block: GeoBox) -> tuple[Numbers, Numbers]:
    """Return longitude and latitude of the pixels' centres, degrees."""
    from pyproj import Transformer

    columns, rows = np.meshgrid(np.arange(block.shape[1]) + 0.5, np.arange(block.shape[0]) + 0.5)
    x, y = _apply(block, columns, rows)
    transform = Transformer.from_crs(str(block.crs), "EPSG:4326", always_xy=True).transform
    longitude, latitude = transform(x, y)
    # A geographic grid may continue beyond the antimeridian.
    return (np.asarray(longitude) + 180) % 360 - 180, np.asarray(latitude)


def _apply(block: GeoBox, columns: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
    a, b, c, d, e, f = tuple(block.affine)[:6]
    return a * columns + b * rows + c, d * columns + e * rows + f


def _refine(
    source: Numbers, here: Numbers, row: Numbers, column: Numbers
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the offsets of places from their nearest pixels, in pixels down and right.

    The spacing of the swath around the pixel spans a plane; the place is projected on it. On the
    side where the place is, the neighbour's spacing counts, so that places between two pixels get
    the same share from either.
    """
    offset = here - source[row, column]
    down = _central(source, row, column, axis=0)
    right = _central(source, row, column, axis=1)
    for _ in range(2):  # first by central spacing, then by the side's spacing
        share_down, share_right = _solve(offset, down, right)
        down = _sided(source, row, column, share_down, axis=0)
        right = _sided(source, row, column, share_right, axis=1)
    share_down, share_right = _solve(offset, down, right)
    usable = (np.abs(share_down) <= 1) & (np.abs(share_right) <= 1)
    return (
        np.where(usable, share_down, np.nan).astype(np.float32),
        np.where(usable, share_right, np.nan).astype(np.float32),
    )


def _solve(offset: Numbers, down: Numbers, right: Numbers) -> tuple[Numbers, Numbers]:
    """Solve ``offset = p down + q right`` in the least squares sense."""
    dd, rr, dr = (down * down).sum(-1), (right * right).sum(-1), (down * right).sum(-1)
    od, or_ = (offset * down).sum(-1), (offset * right).sum(-1)
    area = dd * rr - dr * dr
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.where(area > _SINGULAR * dd * rr, area, np.nan)
        return (od * rr - or_ * dr) / area, (or_ * dd - od * dr) / area


def _central(source: Numbers, row: Numbers, column: Numbers, *, axis: int) -> Numbers:
    place = row if axis == 0 else column
    low = np.maximum(place - 1, 0)
    high = np.minimum(place + 1, source.shape[axis] - 1)
    step = np.maximum(high - low, 1)[..., None]
    if axis == 0:
        return np.asarray((source[high, column] - source[low, column]) / step)
    return np.asarray((source[row, high] - source[row, low]) / step)


def _sided(source: Numbers, row: Numbers, column: Numbers, share: Numbers, *, axis: int) -> Numbers:
    place = row if axis == 0 else column
    last = source.shape[axis] - 1
    side = np.where(share < 0, -1, 1)
    side = np.where((place + side < 0) | (place + side > last), -side, side)
    other = np.clip(place + side, 0, last)
    if axis == 0:
        return np.asarray((source[other, column] - source[row, column]) * side[..., None])
    return np.asarray((source[row, other] - source[row, column]) * side[..., None])


def to_vectors(latitude: Numbers, longitude: Numbers) -> Numbers:
    """Return unit vectors from the earth's centre: no antimeridian, no pole."""
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def to_degrees(vectors: Numbers) -> tuple[Numbers, Numbers]:
    """Return longitude and latitude, degrees, of vectors ``(..., 3)`` of any length."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


@dataclass(frozen=True)
class Thin:
    """Some of a swath's places: where they are, and their rows and columns."""

    vectors: Numbers
    rows: Numbers
    columns: Numbers
    spacing: float
    """Largest chord between neighbours of the thinned grid, in earth radii."""

    @property
    def diagonal_m(self) -> float:
        """About the diagonal of a pixel, for a swath whose middle has no places."""
        return self.spacing / STEP * float(np.sqrt(2)) * EARTH_M

    def find_window(self, centre: Numbers, reach: float) -> tuple[slice, slice] | None:
        """Return the rows and columns that may hold pixels near a place, None if no pixel is near.

        Parameters
        ----------
        centre
            Vector to the place.
        reach
            How far pixels may be from it: the chord, in earth radii.
        """
        near = np.linalg.norm(self.vectors - centre, axis=-1) <= reach + self.spacing
        if not near.any():
            return None
        window = []
        for axis, numbers in enumerate((self.rows, self.columns)):
            near_numbers = numbers[near.any(axis=1 - axis)]
            start, stop = int(near_numbers[0]) - STEP, int(near_numbers[-1]) + STEP + 1
            window.append(slice(max(start, 0), min(stop, int(numbers[-1]) + 1)))
        return window[0], window[1]


def thin_swath(latitude: xr.DataArray, longitude: xr.DataArray) -> Thin:
    """Read every `STEP`-th place of a swath, and the last places."""
    rows, columns = (_pick(size) for size in latitude.shape)
    places = xr.Dataset({"lat": latitude.drop_vars(latitude.coords),
                         "lon": longitude.drop_vars(longitude.coords)})  # fmt: skip
    down, across = latitude.dims
    some = places.isel({down: rows, across: columns}).compute()
    vectors = to_vectors(some["lat"].to_numpy(), some["lon"].to_numpy())
    gaps = [np.linalg.norm(np.diff(vectors, axis=axis), axis=-1) for axis in (0, 1)]
    spacing = max((float(np.nanmax(gap)) for gap in gaps if gap.size and np.isfinite(gap).any()),
                  default=0.0)  # fmt: skip
    return Thin(vectors, rows, columns, spacing)


def _pick(size: int) -> npt.NDArray[np.intp]:
    return np.unique(np.append(np.arange(0, size, STEP), size - 1))


def _measure_diagonal(latitude: xr.DataArray, longitude: xr.DataArray) -> float:
    """Return the largest diagonal, m, of sample pixels in the middle and at the edges."""
    down, across = latitude.dims
    rows, columns = latitude.shape
    largest = 0.0
    for column in {0, max(columns // 2 - 1, 0), max(columns - 2, 0)}:
        window = {
            down: slice(max(rows // 2 - 1, 0), rows // 2 + 1),
            across: slice(column, column + 2),
        }
        vectors = to_vectors(latitude.isel(window).to_numpy(), longitude.isel(window).to_numpy())
        if vectors.shape[:2] == (2, 2):
            crossing = (
                np.linalg.norm(vectors[1, 1] - vectors[0, 0]),
                np.linalg.norm(vectors[1, 0] - vectors[0, 1]),
            )
            largest = max(largest, *(float(np.nan_to_num(item)) for item in crossing))
    return largest * EARTH_M


def _find_window(thin: Thin, block: GeoBox, radius_m: float) -> tuple[slice, slice] | None:
    """Return the rows and columns of a swath that a block may need, None without any."""
    lattice = block.zoom_to((_LATTICE, _LATTICE))
    longitude, latitude = locate_pixels(lattice)
    vectors = to_vectors(latitude, longitude).reshape(-1, 3)
    vectors = vectors[np.isfinite(vectors).all(axis=1)]
    if not len(vectors):
        return None
    centre = vectors.mean(axis=0)
    reach = float(np.linalg.norm(vectors - centre, axis=1).max()) * _LATTICE / (_LATTICE - 1)
    return thin.find_window(centre, reach + 2 * radius_m / EARTH_M)


def _split(size: int, chunk: int) -> list[slice]:
    return [slice(start, min(start + chunk, size)) for start in range(0, size, chunk)]
