"""Interpolate coarse grids of angles and weather linearly to the image's pixels."""

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError

_ROUNDING = 1e-6
"""Tolerance, in tie points, for a pixel's place after rounding."""
REACH = 1.0
"""Tie points off the first and last ones up to which values are continued: the pixels of a fine
image stand around its tie points, so that half a step of pixels lies outside of them (SLSTR)."""


def interpolate_tie_points(
    values: xr.DataArray, rows: xr.DataArray, columns: xr.DataArray
) -> xr.DataArray:
    """Interpolate linearly between tie points, and on for up to one step beyond the outermost.

    Parameters
    ----------
    values
        Values at tie points, 2-D, NaN = no data.
    rows, columns
        Where the pixels are, in tie points from the first one: ``(row,)`` and ``(column,)`` where
        each row and column of pixels has one place, ``(row, column)`` where each pixel has its
        own. As lazy as the result shall be.

    Returns
    -------
    xarray.DataArray
        float32 on the pixels' grid, NaN farther off the tie points than one step and beside a gap
        in them. Azimuths (`is_azimuth`) are interpolated over their jump at 180 or 360 degrees, as
        directions, and lie in the half-open range that the tie points have.
    """
    kernel = _interpolate_azimuths if is_azimuth(values) else _interpolate
    # Tie points have dimensions of their own, even where the product calls them rows and columns.
    dims = ["tie_row", "tie_column"]
    table = xr.DataArray(values.data, dims=dims, name=values.name)
    points = table.chunk(dict.fromkeys(dims, -1)) if table.chunks is not None else table
    result: xr.DataArray = xr.apply_ufunc(
        kernel,
        points,
        rows,
        columns,
        input_core_dims=[dims, [], []],
        join="exact",
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=False,
    )
    result.name = values.name
    result.attrs = {key: values.attrs[key] for key in ("long_name", "units") if key in values.attrs}
    return result


def is_azimuth(variable: xr.DataArray) -> bool:
    """Tell whether a variable is an azimuth: by its standard name, else by its name."""
    standard = str(variable.attrs.get("standard_name", ""))
    name = str(variable.name).lower()
    return standard.endswith("azimuth_angle") or "azimuth" in name or name in {"saa", "oaa"}


def locate_evenly(
    like: xr.DataArray, tie_points: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return where an image's rows and columns are among tie points that span it evenly.

    The first and last tie points are those of the first and last pixels, as in OLCI products.
    """
    places = []
    for dim, count in zip(like.dims, tie_points.shape, strict=True):
        pixels = like.sizes[dim]
        scale = (count - 1) / max(pixels - 1, 1)
        places.append(_count(like, str(dim)) * scale)
    return places[0], places[1]


def locate_by_coordinates(
    rows: xr.DataArray, columns: xr.DataArray, tie_rows: xr.DataArray, tie_columns: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return where pixels are among tie points by coordinates, in tie points.

    Parameters
    ----------
    rows, columns
        The pixels' coordinates: 1-D, or 2-D.
    tie_rows, tie_columns
        The tie points' coordinates in the same units, evenly spaced, 1-D.

    Raises
    ------
    InvalidInputError
        If the tie points are not evenly spaced.
    """
    places = []
    for pixels, points in ((rows, tie_rows), (columns, tie_columns)):
        numbers = np.asarray(points, np.float64)
        steps = np.diff(numbers)
        if numbers.ndim != 1 or len(numbers) < 2 or not np.allclose(steps, steps[0], rtol=1e-3):  # noqa: PLR2004
            raise InvalidInputError(
                f"The tie points' coordinate {points.name} is not evenly spaced.",
                remedy="Give a product whose tie points are complete.",
            )
        places.append((pixels - numbers[0]) / steps.mean())
    return places[0], places[1]


def spread_lazily(coordinate: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Return a 1-D coordinate as values, in chunks of `like` where that is lazy."""
    dim = str(coordinate.dims[0])
    plain = xr.DataArray(coordinate.to_numpy(), dims=dim)
    return plain if like.chunks is None else plain.chunk({dim: like.chunksizes[dim]})


def pick_detectors(values: xr.DataArray, detectors: xr.DataArray) -> xr.DataArray:
    """Return each pixel's value of a per-detector table.

    Parameters
    ----------
    values
        ``(detector,)``.
    detectors
        Detector number of each pixel, from 0; NaN or negative = none.

    Returns
    -------
    xarray.DataArray
        float32 of the shape of `detectors`, NaN where there is no detector.
    """
    dim = str(values.dims[0])
    in_one_chunk = values.chunk({dim: -1}) if values.chunks is not None else values
    result: xr.DataArray = xr.apply_ufunc(
        _pick,
        in_one_chunk.drop_vars(in_one_chunk.coords),
        detectors,
        input_core_dims=[[dim], []],
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=False,
    )
    return result


def _count(like: xr.DataArray, dim: str) -> xr.DataArray:
    size = like.sizes[dim]
    if like.chunks is None:
        return xr.DataArray(np.arange(size, dtype=np.float64), dims=dim)
    counted: Any = da.arange(size, chunks=(like.chunksizes[dim],), dtype=np.float64)
    return xr.DataArray(counted, dims=dim)


def _interpolate(
    values: npt.NDArray[Any], rows: npt.NDArray[Any], columns: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    # The tie points get a leading dimension of size one for each loop dimension of the pixels.
    height, width = int(values.shape[-2]), int(values.shape[-1])
    table: Any = values.reshape((height, width)).astype(np.float32)
    above, row_weight, in_rows = _split(rows, height)
    before, column_weight, in_columns = _split(columns, width)
    below, after = np.minimum(above + 1, height - 1), np.minimum(before + 1, width - 1)
    upper = table[above, before] * (1 - column_weight) + table[above, after] * column_weight
    lower = table[below, before] * (1 - column_weight) + table[below, after] * column_weight
    mixed = upper * (1 - row_weight) + lower * row_weight
    return np.where(in_rows & in_columns, mixed, np.float32(np.nan))


def _interpolate_azimuths(
    degrees: npt.NDArray[Any], rows: npt.NDArray[Any], columns: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    angles = np.radians(degrees.astype(np.float64))
    east, north = (_interpolate(item, rows, columns) for item in (np.sin(angles), np.cos(angles)))
    azimuths = np.degrees(np.arctan2(east, north))  # -180 to 180
    signed = bool((np.nan_to_num(degrees) < 0).any())
    return azimuths if signed else np.where(azimuths < 0, azimuths + np.float32(360), azimuths)


def _split(
    places: npt.NDArray[Any], count: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the tie point before each place, the weight of the next one, and what is in reach.

    Beyond the outermost tie points the weight is negative, or larger than 1.
    """
    reach = REACH if count > 1 else 0.0  # one tie point has no slope to continue
    inside = (places >= -reach - _ROUNDING) & (places <= count - 1 + reach + _ROUNDING)
    clipped = np.clip(np.nan_to_num(places), -reach, count - 1 + reach)
    first = np.clip(np.floor(clipped).astype(np.intp), 0, max(count - 2, 0))
    return first, (clipped - first).astype(np.float32), inside


def _pick(values: npt.NDArray[Any], detectors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    table = np.append(values.reshape(-1).astype(np.float32), np.float32(np.nan))
    there = (detectors >= 0) & (detectors < len(table) - 1)
    return table[np.where(there, detectors, len(table) - 1).astype(np.intp)]
