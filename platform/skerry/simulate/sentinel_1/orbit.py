"""The view of a side-looking radar: a circular orbit over the WGS84 ellipsoid.

The satellite runs on a circle of Sentinel-1's radius and inclination, at constant speed, while the
Earth turns below it; no perturbations, no terrain, the ground is the ellipsoid. At each instant
the radar sees the plane at right angles to its Earth-fixed velocity (zero Doppler), to the right.
A point is where a ray of that plane meets the ellipsoid; it gives slant range and incidence angle.

Source: orbit of the Sentinel-1 Product Definition, S1-RS-MDA-52-7440, section 2; zero-Doppler
geometry as in Curlander and McDonough (1991), Synthetic Aperture Radar, section 8.2.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Places = npt.NDArray[Any]
"""Times, lines or samples, whole or not."""

ORBIT_RADIUS_M = 7_071_000.0
INCLINATION = np.radians(98.18)
MEAN_MOTION = 2 * np.pi / 5924.6
"""Radians a second: 175 orbits in 12 days."""
EARTH_ROTATION = 7.292115e-5
SEMI_MAJOR_M, SEMI_MINOR_M = 6_378_137.0, 6_356_752.314245
LIGHT_M_S = 299_792_458.0
LOOK_ANGLES = (float(np.radians(22.0)), float(np.radians(46.0)))
"""Range of the tables below: more than the swaths of the interferometric wide mode."""


@dataclass(frozen=True)
class Orbit:
    """A passage over one place.

    Attributes
    ----------
    argument
        Angle from the ascending node at time 0, radians.
    node
        Longitude of the ascending node at time 0, Earth-fixed, radians.
    """

    argument: float
    node: float

    def position(self, time: Places) -> Array:
        """Return Earth-fixed positions in m, ``(time, 3)``, at seconds from time 0."""
        angle = self.argument + MEAN_MOTION * np.asarray(time, np.float64)
        node = self.node - EARTH_ROTATION * np.asarray(time, np.float64)
        along, across = np.cos(angle), np.sin(angle) * np.cos(INCLINATION)
        return ORBIT_RADIUS_M * np.stack(
            [
                along * np.cos(node) - across * np.sin(node),
                along * np.sin(node) + across * np.cos(node),
                np.sin(angle) * np.sin(INCLINATION),
            ],
            axis=-1,
        )

    def velocity(self, time: Places) -> Array:
        """Return Earth-fixed velocities in m/s, ``(time, 3)``."""
        step = 0.05  # of the order at which rounding and curvature (1e-9) are alike
        half = np.asarray(time, np.float64)
        return (self.position(half + step) - self.position(half - step)) / (2 * step)

    def see(self, time: Places, look: Places) -> "Sight":
        """Return the points that the radar sees at look angles from the nadir plane.

        Parameters
        ----------
        time, look
            Seconds and radians, of shapes that broadcast.
        """
        time, look = np.broadcast_arrays(time, look)
        position, velocity = self.position(time), self.velocity(time)
        forward = velocity / np.linalg.norm(velocity, axis=-1, keepdims=True)
        down = -position + (position * forward).sum(-1, keepdims=True) * forward
        down /= np.linalg.norm(down, axis=-1, keepdims=True)
        right = np.cross(down, forward)
        ray = np.cos(look)[..., None] * down + np.sin(look)[..., None] * right
        slant = _meet_ellipsoid(position, ray)
        point = position + slant[..., None] * ray
        scale = np.array([SEMI_MAJOR_M, SEMI_MAJOR_M, SEMI_MINOR_M])
        normal = point / scale**2
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        return Sight(point, slant, np.arccos(-(ray * normal).sum(-1)), normal)


@dataclass(frozen=True)
class Sight:
    """Points on the ground, in arrays of one shape.

    Attributes
    ----------
    point
        Earth-fixed, m, with a last dimension of 3.
    slant_range
        m.
    incidence
        Angle between ray and ellipsoid's normal, radians.
    normal
        Unit normals of the ellipsoid.
    """

    point: Array
    slant_range: Array
    incidence: Array
    normal: Array

    @property
    def longitude(self) -> Array:
        """Degrees."""
        return np.asarray(np.degrees(np.arctan2(self.normal[..., 1], self.normal[..., 0])))

    @property
    def latitude(self) -> Array:
        """Geodetic, degrees."""
        return np.asarray(np.degrees(np.arcsin(self.normal[..., 2])))


def _meet_ellipsoid(position: Array, ray: Array) -> Array:
    """Return the distance along each ray to the ellipsoid."""
    scale = np.array([SEMI_MAJOR_M, SEMI_MAJOR_M, SEMI_MINOR_M])
    start, step = position / scale, ray / scale
    square, product = (step * step).sum(-1), (start * step).sum(-1)
    rest = (start * start).sum(-1) - 1
    return np.asarray((-product - np.sqrt(product**2 - square * rest)) / square)


@dataclass(frozen=True)
class Image:
    """The grid of a ground range image: lines in time, samples at even distances on the ground.

    Attributes
    ----------
    orbit
        Time 0 is the middle of the image.
    lines, samples
        Its size.
    spacing_m
        Of lines and of samples.
    centre_incidence
        At its middle sample, radians.
    """

    orbit: Orbit
    lines: int
    samples: int
    spacing_m: float
    centre_incidence: float

    @cached_property
    def _ranges(self) -> tuple[Array, Array]:
        """Look angles, and distances of their ground points from the middle sample, at time 0."""
        look = np.linspace(LOOK_ANGLES[0], LOOK_ANGLES[1], 4001)
        sight = self.orbit.see(np.zeros(1), look)
        steps = np.linalg.norm(np.diff(sight.point, axis=0), axis=-1)
        ground = np.concatenate([[0.0], np.cumsum(steps)])
        return look, ground - np.interp(self.centre_incidence, sight.incidence, ground)

    @cached_property
    def line_interval(self) -> float:
        """Seconds between lines: the time in which the swath's middle moves by the spacing."""
        look = self.look_of(np.array([(self.samples - 1) / 2]))
        here = self.orbit.see(np.array([-0.5, 0.5]), look).point
        return float(self.spacing_m / np.linalg.norm(here[1] - here[0]))

    def time_of(self, line: Places) -> Array:
        """Return seconds from the image's middle."""
        return (np.asarray(line, np.float64) - (self.lines - 1) / 2) * self.line_interval

    def look_of(self, sample: Places) -> Array:
        """Return look angles in radians; the same for all lines."""
        ground = (np.asarray(sample, np.float64) - (self.samples - 1) / 2) * self.spacing_m
        look, table = self._ranges
        return np.interp(ground, table, look)

    def see(self, line: Places, sample: Places) -> Sight:
        """Return the ground points of lines and samples (which broadcast)."""
        return self.orbit.see(self.time_of(line), self.look_of(sample))


def fly_over(
    longitude: float, latitude: float, *, lines: int, samples: int, spacing_m: float,
    centre_incidence: float,
) -> Image:  # fmt: skip
    """Return the image of an ascending passage whose middle is at a place, in degrees."""
    argument, node = np.radians(latitude), np.radians(longitude)
    middle = np.array([(lines - 1) / 2]), np.array([(samples - 1) / 2])
    image = Image(Orbit(argument, node), lines, samples, spacing_m, centre_incidence)
    for _ in range(30):  # each step makes the miss about ten times smaller
        sight = image.see(*middle)
        argument += np.radians(latitude - float(sight.latitude[0]))
        node += np.radians(longitude - float(sight.longitude[0]))
        image = Image(Orbit(argument, node), lines, samples, spacing_m, centre_incidence)
    return image
