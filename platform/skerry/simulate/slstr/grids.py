"""The grids of a simulated SLSTR product: positions, and directions of sun and satellite.

The pass descends over a sphere of the ellipsoid's size. Rows run along the track, columns across it
from west to east. As in real products, the track is not at the centre of the nadir swath, and the
narrower oblique swath is inside the nadir swath (proportions: 1500 and 900 columns of 1 km, the
track at columns 998 and 548). The two views and both stripes see the same ground.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from skerry.simulate.sun import solar_position

Field = npt.NDArray[np.float64]

CENTRE = (14.3, 53.7)
"""Longitude and latitude of the image's centre: the place of the other simulated products."""
HEADING = 194.0
"""Direction of flight at the centre, degrees from north over east."""
ORBIT_M = 814_500.0
EARTH_M = 6_371_000.0
FRAME_M = 13_800_000.0
"""Distance of the image's first row from the orbit's start, along the track."""
OBLIQUE_ZENITH = 55.0
TRACK = 998 / 1500
"""Position of the track in the nadir swath."""
OBLIQUE = (450 / 1500, 1350 / 1500)
"""Share of the nadir swath that the oblique swath covers."""
TIE_M = 16_000.0
"""Distance of tie points across the track; along it they are as dense as the 1 km grid."""
MOST_TIE_M = 1 / 8
"""Largest distance of tie points, as a share of the swath: small images need tie points too."""
SUN_M = 149_597_870_700.0


@dataclass(frozen=True)
class Swath:
    """One image.

    Attributes
    ----------
    size
        Pixels of each side of the 500 m nadir grids, even.
    moment
        Time of its middle row.
    """

    size: int
    moment: datetime

    def columns(self, grid: str) -> tuple[int, int]:
        """Return the first column and the one after the last, counted in the nadir swath."""
        count = self.size if grid[0] in "ab" else self.size // 2
        if grid[1] == "n":
            return 0, count
        edges = [2 * round(part * self.size / 4) for part in OBLIQUE]
        scale = 1 if grid[0] in "ab" else 2
        return 2 * edges[0] // scale, 2 * edges[1] // scale

    def shape(self, grid: str) -> tuple[int, int]:
        """Return rows and columns of a grid such as ``an``, or of the tie points ``tx``."""
        if grid[0] == "t":
            return self.size // 2, self._tie_columns().size
        first, end = self.columns(grid)
        return (self.size if grid[0] in "ab" else self.size // 2), end - first

    def track_column(self, grid: str) -> int:
        """Return the column of the track in a grid."""
        if grid[0] == "t":
            return int(np.abs(self._tie_columns()).argmin())
        per_km = 2 if grid[0] in "ab" else 1
        return round(TRACK * (self.size // 2)) * per_km - self.columns(grid)[0]

    def positions(self, grid: str) -> tuple[Field, Field]:
        """Return metres across and along the track, both ``(rows, columns)``.

        As in real products, across is positive to the right of the flight: on a descending pass
        west, at the first column.
        """
        if grid[0] == "t":
            across, rows, metres = self._tie_columns(), self.size // 2, 1000.0
        else:
            metres = 500.0 if grid[0] in "ab" else 1000.0
            rows, count = self.shape(grid)
            across = np.asarray((self.track_column(grid) - np.arange(count) - 0.5) * metres)
        along = FRAME_M + (np.arange(rows) + 0.5) * metres
        x, y = np.meshgrid(across, along)
        return x, y

    def _tie_columns(self) -> Field:
        width = self.size * 500.0
        step = min(TIE_M, width * MOST_TIE_M)
        west = round(TRACK * (self.size // 2)) * 1000.0
        return np.asarray(west + step - step * np.arange(int(np.ceil(width / step)) + 3))

    def locate(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Return longitude and latitude, degrees, of positions across and along the track."""
        right = x - self.size * 250.0 * (2 * TRACK - 1)
        forward = y - FRAME_M - self.size * 250.0
        # Great circles: forward along the track, then at a right angle to it.
        longitude, latitude, heading = _travel(*CENTRE, HEADING, forward)
        longitude, latitude, _ = _travel(longitude, latitude, heading + 90, right)
        return (longitude + 180) % 360 - 180, latitude


def _travel(
    longitude: npt.ArrayLike, latitude: npt.ArrayLike, heading: npt.ArrayLike, metres: Field
) -> tuple[Field, Field, Field]:
    """Return the end of a great circle, and the heading there; all in degrees."""
    angle, course = metres / EARTH_M, np.radians(heading)
    phi = np.radians(latitude)
    sine = np.sin(phi) * np.cos(angle) + np.cos(phi) * np.sin(angle) * np.cos(course)
    there = np.arcsin(np.clip(sine, -1, 1))
    turned = np.arctan2(
        np.sin(course) * np.sin(angle) * np.cos(phi), np.cos(angle) - np.sin(phi) * sine
    )
    # Clairaut: cos(latitude) sin(heading) stays; the quadrant follows from the derivative.
    onward = np.arctan2(
        np.cos(phi) * np.sin(course),
        np.cos(phi) * np.cos(angle) * np.cos(course) - np.sin(phi) * np.sin(angle),
    )
    return np.asarray(longitude) + np.degrees(turned), np.degrees(there), np.degrees(onward)


@dataclass(frozen=True)
class Angles:
    """Zenith and azimuth (from north over east) of satellite and sun, degrees; metres."""

    sat_zenith: Field
    sat_azimuth: Field
    sat_path: Field
    solar_zenith: Field
    solar_azimuth: Field
    solar_path: Field


def view_angles(swath: Swath, grid: str, *, view: str) -> Angles:
    """Return the angles on a grid.

    Parameters
    ----------
    swath
        The image.
    grid
        Its grid.
    view
        ``n`` (nadir: across the track) or ``o`` (oblique: 55 degrees, looking back).
    """
    x, y = swath.positions(grid)
    longitude, latitude = swath.locate(x, y)
    sun_zenith, sun_azimuth = solar_position(swath.moment, longitude, latitude)
    if view == "n":
        zenith, azimuth = _look_across(x)
    else:
        zenith = np.full(x.shape, OBLIQUE_ZENITH)
        azimuth = (HEADING - np.degrees(np.arcsin(np.clip(x / 1e6, -1, 1)))) % 360
    return Angles(
        zenith, azimuth, _path(zenith), sun_zenith, sun_azimuth, np.full(x.shape, SUN_M)
    )  # fmt: skip


def _look_across(x: Field) -> tuple[Field, Field]:
    angle = x / EARTH_M
    height = np.cos(angle) - EARTH_M / (EARTH_M + ORBIT_M)
    zenith = np.degrees(np.arctan2(np.abs(np.sin(angle)), height))
    return zenith, np.where(x > 0, HEADING - 90, (HEADING + 90) % 360)


def _path(zenith: Field) -> Field:
    """Return the distance to the satellite, metres, by the law of cosines."""
    up = EARTH_M * np.cos(np.radians(zenith))
    return np.asarray(np.sqrt(up**2 + 2 * EARTH_M * ORBIT_M + ORBIT_M**2) - up)
