"""The grid of a simulated OLCI image: its position, times of rows, and view directions.

A descending pass over the southern Baltic. On a sphere, columns run across the track from west to
east, rows along it; a small image is the middle of the swath of a large one, with pixels of the
real size (columns of the full swath: 4865 of 270 m, or 1217 of 1080 m).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from skerry.simulate.atmosphere import Geometry
from skerry.simulate.sun import solar_position

Field = npt.NDArray[np.float64]

CENTRE = (14.3, 53.85)
"""Longitude and latitude of the image's centre."""
HEADING = 194.0
"""Direction of flight, degrees from north over east."""
EARTH_KM, ORBIT_KM = 6371.0, 814.5
KM_PER_DEGREE = 111.195
CENTRE_OFF_TRACK_KM = -200.0
"""The swath is tilted to the west, away from the glint."""
DETECTORS = 3700
CAMERAS = 5


@dataclass(frozen=True)
class Resolution:
    """The properties that differ between full and reduced resolution.

    Attributes
    ----------
    across_m, along_m
        Size of a pixel.
    columns
        Columns of the full swath.
    tie_columns
        Columns from one tie point to the next in real products; along the track every row has tie
        points.
    row_us
        Time from row to row.
    """

    across_m: int
    along_m: int
    columns: int
    tie_columns: int
    row_us: int


RESOLUTIONS = {
    "efr": Resolution(270, 294, 4865, 64, 44_002),
    "err": Resolution(1080, 1176, 1217, 16, 176_006),
}


@dataclass(frozen=True)
class Grid:
    """An image of `size` rows and columns."""

    size: int
    resolution: Resolution
    moment: datetime

    @property
    def columns(self) -> Field:
        """Numbers of the image's columns."""
        return np.arange(self.size, dtype=np.float64)

    @property
    def tie_step(self) -> int:
        """Columns from one tie point to the next.

        As in real products the first and the last column have tie points: this may need a smaller
        step.
        """
        last = self.size - 1
        return max(
            index for index in range(1, self.resolution.tie_columns + 1) if last % index == 0
        )

    @property
    def tie_columns(self) -> Field:
        """Columns of the tie points, first and last column included."""
        return np.asarray(np.arange(0.0, self.size, self.tie_step))

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Time of each row, datetime64[ns]."""
        elapsed = np.arange(self.size) * np.timedelta64(self.resolution.row_us, "us")
        start = np.datetime64(self.moment.replace(tzinfo=None), "ns")
        return np.asarray(start + elapsed.astype("timedelta64[ns]"))

    @property
    def end(self) -> datetime:
        """Time of the last row."""
        return self.moment + timedelta(microseconds=self.resolution.row_us * (self.size - 1))

    def locate(self, columns: Field) -> tuple[Field, Field]:
        """Return longitude and latitude of these columns in all rows, degrees, ``(rows, n)``."""
        middle = (self.size - 1) / 2
        across = (columns - middle) * self.resolution.across_m / 1000
        along = (np.arange(self.size) - middle) * self.resolution.along_m / 1000
        x, y = np.meshgrid(across, along)
        course = np.radians(HEADING)
        east = y * np.sin(course) - x * np.cos(course)
        north = y * np.cos(course) + x * np.sin(course)
        latitude = CENTRE[1] + north / KM_PER_DEGREE
        longitude = CENTRE[0] + east / (KM_PER_DEGREE * np.cos(np.radians(latitude)))
        return longitude, latitude

    def view(self, columns: Field) -> tuple[Field, Field]:
        """Return the satellite's zenith and azimuth in degrees at these columns, ``(n,)``."""
        middle = (self.size - 1) / 2
        across = (columns - middle) * self.resolution.across_m / 1000 + CENTRE_OFF_TRACK_KM
        centre_angle = across / EARTH_KM
        nadir_angle = np.arctan2(
            EARTH_KM * np.sin(centre_angle),
            ORBIT_KM + EARTH_KM * (1 - np.cos(centre_angle)),
        )
        zenith = np.degrees(np.abs(centre_angle + nadir_angle))
        azimuth = np.where(across < 0, HEADING - 90, HEADING + 90)
        return zenith, wrap_degrees(azimuth)

    def sun(self, columns: Field) -> tuple[Field, Field]:
        """Return the sun's zenith and azimuth in degrees, ``(rows, n)``."""
        middle = self.moment + (self.end - self.moment) / 2
        zenith, azimuth = solar_position(middle, *self.locate(columns))
        return zenith, wrap_degrees(azimuth)

    def geometry(self) -> Geometry:
        """Return the angles at every pixel."""
        sza, saa = self.sun(self.columns)
        return Geometry(sza, saa, *self.view(self.columns))

    def detectors(self) -> npt.NDArray[np.int64]:
        """Return the detector that saw each column; neighbours may share one."""
        full = self.resolution.columns
        swath = (full - self.size) / 2 + self.columns
        scaled = np.clip(swath, 0, full - 1) * DETECTORS / full
        return scaled.astype(np.int64)

    def frame_offsets(self) -> npt.NDArray[np.int64]:
        """Return how many rows each column was moved along the track to fit its neighbours."""
        camera = self.detectors() * CAMERAS // DETECTORS
        return camera - CAMERAS // 2


def wrap_degrees(angle: Field) -> Field:
    """Return an angle between -180 and 180 degrees."""
    return (np.asarray(angle) + 180) % 360 - 180
