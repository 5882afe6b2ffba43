"""Interpolate tables of Sentinel-1 annotation from some lines and samples to every pixel."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.selection import find_variable, has_variable

Float32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Numbers at the samples of some lines.

    Attributes
    ----------
    lines
        In rising order.
    samples, values
        Of each line, in rising order of samples; no NaN.
    """

    lines: npt.NDArray[np.float64]
    samples: tuple[npt.NDArray[np.float64], ...]
    values: tuple[npt.NDArray[np.float64], ...]

    def at(self, line: Numbers, pixel: Numbers, dtype: npt.DTypeLike = np.float32) -> Numbers:
        """Interpolate bilinearly; outside of the table use the values at its edge.

        Parameters
        ----------
        line, pixel
            Lines as a column or a vector, samples as a row or a vector, both rising.
        dtype
            Of the result.

        Returns
        -------
        numpy.ndarray
            ``(line, pixel)``.
        """
        place = np.interp(line.ravel(), self.lines, np.arange(len(self.lines)))
        above = np.minimum(place.astype(np.intp), max(len(self.lines) - 2, 0))
        pixels = pixel.ravel()
        result = np.empty((len(place), len(pixels)), dtype)
        for row in np.unique(above):
            # Lines rise, so those between two lines of the table follow each other.
            part = slice(*np.searchsorted(above, [row, row + 1]))
            low, high = (
                np.interp(pixels, self.samples[item], self.values[item])
                for item in (row, min(row + 1, len(self.lines) - 1))
            )
            weight = (place[part] - row)[:, None].astype(dtype)
            np.multiply(weight, (high - low).astype(dtype), out=result[part])
            result[part] += low.astype(dtype)
        return result


@dataclass(frozen=True)
class AzimuthBlock:
    """The noise's factor over azimuth in a part of the image.

    Attributes
    ----------
    lines, samples
        First and last.
    at_lines, factors
        The factor at some lines.
    """

    lines: tuple[int, int]
    samples: tuple[int, int]
    at_lines: npt.NDArray[np.float64]
    factors: npt.NDArray[np.float64]

    def scale(self, noise: Float32, line: Numbers, pixel: Numbers) -> Float32:
        """Multiply the noise in the block by the factor, in place."""
        rows = np.flatnonzero((line >= self.lines[0]) & (line <= self.lines[1]))
        columns = np.flatnonzero((pixel >= self.samples[0]) & (pixel <= self.samples[1]))
        if rows.size and columns.size:
            factors = np.interp(line[rows], self.at_lines, self.factors).astype(np.float32)
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            noise[part] *= factors[:, None]
        return noise


@dataclass(frozen=True)
class NoiseTable:
    """Thermal noise power, in squared digital numbers.

    Attributes
    ----------
    over_range
        The power.
    over_azimuth
        Its factor in blocks of lines and samples; none in products before 2018.
    """

    over_range: Table
    over_azimuth: tuple[AzimuthBlock, ...]

    def at(self, line: Numbers, pixel: Numbers) -> Float32:
        """Return the power at lines and samples, both rising, ``(line, pixel)``."""
        rows, columns = line.ravel(), pixel.ravel()
        return reduce(
            lambda noise, block: block.scale(noise, rows, columns),
            self.over_azimuth,
            self.over_range.at(rows, columns),
        )


@dataclass(frozen=True)
class PlaceTable:
    """Unit vectors of the ellipsoid's vertical, by component."""

    components: tuple[Table, Table, Table]

    def at(self, line: Numbers, pixel: Numbers) -> Numbers:
        """Return vectors, ``(3, line, pixel)``, float64, not of unit length."""
        return np.stack([component.at(line, pixel, np.float64) for component in self.components])


def read_place(member: xr.DataTree) -> PlaceTable:
    """Return where lines and samples are; raises `InvalidInputError` without control points."""
    latitude, longitude = (
        read_table(member, f"conditions/gcp/{name}") for name in ("latitude", "longitude")
    )
    phi, lam = (np.radians(np.stack(item.values)) for item in (latitude, longitude))
    vectors = (np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi))
    x, y, z = (Table(latitude.lines, latitude.samples, tuple(vector)) for vector in vectors)
    return PlaceTable((x, y, z))


def read_table(member: xr.DataTree, path: str) -> Table:
    """Return the table at a path below a polarisation's node, whole numbers of lines and samples.

    Raises
    ------
    InvalidInputError
        If it is not there, or holds nothing.
    """
    table = find_variable(member, path).load()
    group = table.coords
    lines = group["line"].to_numpy().astype(np.float64)
    samples = np.broadcast_to(group["pixel"].to_numpy(), table.shape).astype(np.float64)
    values = table.to_numpy().astype(np.float64)
    order = [int(item) for item in np.argsort(lines) if np.isfinite(values[item]).any()]
    if not order:
        raise InvalidInputError(
            f"{path} of {member.name} holds no number.",
            remedy="Fetch the product again from its provider.",
        )
    there = [np.isfinite(values[item]) & (samples[item] >= 0) for item in order]
    return Table(
        lines[order],
        tuple(samples[item][good] for item, good in zip(order, there, strict=True)),
        tuple(values[item][good] for item, good in zip(order, there, strict=True)),
    )


def read_noise(member: xr.DataTree) -> NoiseTable:
    """Return the noise of a polarisation; raises `InvalidInputError` where it has none."""
    path = "quality/noise_azimuth/noise_azimuth_lut"
    if not has_variable(member, "quality/noise_range/noise_range_lut"):
        raise InvalidInputError(
            f"{member.name} has no noise table.", remedy="Ask for remove_noise=false."
        )
    over_range = read_table(member, "quality/noise_range/noise_range_lut")
    if not has_variable(member, path):
        return NoiseTable(over_range, ())
    table = find_variable(member, path).load()
    return NoiseTable(over_range, tuple(_read_block(table[n]) for n in range(table.shape[0])))


def _read_block(row: xr.DataArray) -> AzimuthBlock:
    def bound(name: str) -> int:
        return int(row[name])

    lines = row["line"].to_numpy()
    there = np.isfinite(row.to_numpy()) & (lines >= 0)
    return AzimuthBlock(
        (bound("first_azimuth_time"), bound("last_azimuth_time")),
        (bound("first_range_sample"), bound("last_range_sample")),
        lines[there].astype(np.float64),
        row.to_numpy()[there].astype(np.float64),
    )
