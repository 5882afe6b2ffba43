"""The records of a simulated Sentinel-1 product: orbit, geolocation, calibration, noise."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.simulate.sentinel_1.backscatter import model_nesz, model_scalloping
from skerry.simulate.sentinel_1.orbit import LIGHT_M_S, Array, Image, Places

BETA = 237.0
"""Calibration constant A of beta nought, the same in the whole image."""
SWATHS = ("IW1", "IW2", "IW3")
POLYNOMIAL_TERMS = 9
BURSTS = 9
"""Number of bursts along the image, for every size."""
ANTENNA_POINTS = 21
NODES = (10, 21)
"""Ground control points along and across."""
VECTORS = 9
"""Calibration and noise vectors along the image."""
LARGEST_STEP = 40
"""Samples between the numbers of a calibration vector, as in real products. Small products have
narrow sub-swaths and therefore a smaller step."""


@dataclass(frozen=True)
class Recorder:
    """Makes the records of one image.

    Attributes
    ----------
    image
        Its geometry.
    moment
        The time of its middle.
    """

    image: Image
    moment: datetime

    def instants(self, seconds: npt.ArrayLike) -> npt.NDArray[np.datetime64]:
        """Return times, in whole microseconds as documents write them."""
        middle = np.datetime64(self.moment.replace(tzinfo=None), "us")
        steps = np.rint(np.asarray(seconds, np.float64) * 1e6).astype("timedelta64[us]")
        return np.asarray(middle + steps).astype("datetime64[ns]")

    @property
    def first(self) -> datetime:
        """The time of the first line."""
        return self.moment + timedelta(seconds=round(float(self.image.time_of(np.array(0))), 6))

    @property
    def last(self) -> datetime:
        """The time of the last line."""
        seconds = float(self.image.time_of(np.array(self.image.lines - 1)))
        return self.moment + timedelta(seconds=round(seconds, 6))

    @cached_property
    def bounds(self) -> npt.NDArray[np.int32]:
        """First and last sample of each sub-swath, ``(swath, 2)``."""
        edges = np.linspace(0, self.image.samples, len(SWATHS) + 1).astype(np.int32)
        return np.stack([edges[:-1], edges[1:] - 1], axis=-1)

    @cached_property
    def lines(self) -> npt.NDArray[np.int32]:
        """Lines of the calibration and noise vectors."""
        return np.linspace(0, self.image.lines - 1, VECTORS).astype(np.int32)

    @cached_property
    def pixels(self) -> npt.NDArray[np.int32]:
        """Samples of the calibration vectors, the last one too."""
        last = self.image.samples - 1
        step = max(1, min(LARGEST_STEP, last // (20 * len(SWATHS))))
        return np.unique(np.append(np.arange(0, last, step), last)).astype(np.int32)

    def incidence(self, line: Places, sample: Places) -> Array:
        """Return incidence angles in radians."""
        return self.image.see(line, sample).incidence

    def noise_over_range(self, line: Places, sample: Places) -> Array:
        """Return the noise power at the middle of bursts, in squared digital numbers."""
        first, last = self.bounds[self._swath_of(sample)].T
        place = 2 * (sample - first) / (last - first) - 1
        sigma = BETA**2 / np.sin(self.incidence(line, sample))
        return np.asarray(sigma * model_nesz(place))

    def noise_over_azimuth(self, line: Places, swath: int) -> Array:
        """Return the noise's factor; bursts of neighbouring sub-swaths are shifted by a third."""
        phase = np.asarray(line, np.float64) * BURSTS / self.image.lines + swath / len(SWATHS)
        return model_scalloping(phase)

    def noise(self, line: Places, sample: Places) -> Array:
        """Return the noise power, in squared digital numbers; `sample` is 1-D, `line` a column."""
        factors = np.stack([self.noise_over_azimuth(line[:, 0], index) for index in range(3)])
        return self.noise_over_range(line, sample) * factors[self._swath_of(sample)].T

    def _swath_of(self, sample: Places) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.bounds[:, 0], sample, side="right") - 1

    def record(self) -> dict[str, xr.Dataset]:
        """Return all groups except the image, by path below the member."""
        return {
            "conditions/orbit": self._orbit(),
            "conditions/attitude": self._attitude(),
            "conditions/gcp": self._points(),
            "conditions/coordinate_conversion": self._conversion(),
            "conditions/antenna_pattern": self._antenna(),
            "quality/calibration": self._calibration(),
            "quality/noise_range": self._noise_range(),
            "quality/noise_azimuth": self._noise_azimuth(),
            **self._constants(),
        }

    def _orbit(self) -> xr.Dataset:
        seconds = np.arange(-80.0, 81.0, 10.0)
        axis = ("azimuth_time", "axis")
        return _series(
            self.instants(seconds),
            position=(axis, self.image.orbit.position(seconds)),
            velocity=(axis, self.image.orbit.velocity(seconds)),
        )

    def _attitude(self) -> xr.Dataset:
        """Return the attitude of a platform that points without error."""
        seconds = np.arange(-12.0, 13.0)
        names = ("q0", "q1", "q2", "q3", "wx", "wy", "wz", "roll", "pitch", "yaw")
        values = dict.fromkeys(names, 0.0) | {"q0": 1.0}
        filled = {name: np.full(seconds.size, item) for name, item in values.items()}
        return _series(self.instants(seconds), **filled)

    def _points(self) -> xr.Dataset:
        line = np.linspace(0, self.image.lines - 1, NODES[0]).astype(np.uint32)
        pixel = np.linspace(0, self.image.samples - 1, NODES[1]).astype(np.uint32)
        sight = self.image.see(line[:, None].astype(float), pixel.astype(float))
        shape = sight.slant_range.shape
        times = self.instants(self.image.time_of(line))
        look = np.broadcast_to(self.image.look_of(pixel), shape)
        grid = {
            "azimuth_time_gcp": np.broadcast_to(times[:, None], shape),
            "slant_range_time_gcp": 2 * sight.slant_range / LIGHT_M_S,
            "latitude": sight.latitude,
            "longitude": sight.longitude,
            "height": np.zeros(shape),
            "incidence_angle": np.degrees(sight.incidence),
            "elevation_angle": np.degrees(look),
        }
        dims = ("azimuth_time", "ground_range")
        data = {name: (dims, item) for name, item in grid.items()}
        return xr.Dataset(
            data, {"line": ("azimuth_time", line), "pixel": ("ground_range", pixel)}
        )  # fmt: skip

    def _conversion(self) -> xr.Dataset:
        lines = np.linspace(0, self.image.lines - 1, 3)
        sample = np.linspace(0, self.image.samples - 1, 101)
        slant = self.image.see(lines[:, None], sample).slant_range
        ground = sample * self.image.spacing_m
        degree = ("azimuth_time", "degree")
        return _series(
            self.instants(self.image.time_of(lines)),
            slant_range_time=2 * slant[:, 0] / LIGHT_M_S,
            sr0=slant[:, 0],
            gr0=np.zeros(lines.size),
            srgr_coefficients=(degree, np.stack([_fit(item - item[0], ground) for item in slant])),
            grsr_coefficients=(degree, np.stack([_fit(ground, item) for item in slant])),
        )

    def _antenna(self) -> xr.Dataset:
        seconds = np.zeros(len(SWATHS))
        sample = np.stack([np.linspace(first, last, ANTENNA_POINTS) for first, last in self.bounds])
        sight = self.image.see(np.full((3, 1), (self.image.lines - 1) / 2), sample)
        count = ("azimuth_time", "count")
        return _series(
            self.instants(seconds),
            swath=np.array(SWATHS),
            slant_range_time_ap=(count, 2 * sight.slant_range / LIGHT_M_S),
            elevation_angle=(count, np.degrees(self.image.look_of(sample))),
            incidence_angle=(count, np.degrees(sight.incidence)),
            terrain_height=seconds,
            roll=seconds,
        )

    def _calibration(self) -> xr.Dataset:
        incidence = self.incidence(self.lines[:, None], self.pixels.astype(float))
        sigma = BETA / np.sqrt(np.sin(incidence))
        dims = ("azimuth_time", "ground_range")
        flat = np.full(sigma.shape, BETA)
        luts = {
            "sigma_nought": sigma,
            "beta_nought": flat,
            "gamma": sigma * np.sqrt(np.cos(incidence)),
            "dn": flat,
        }
        return _series(
            self.instants(self.image.time_of(self.lines)),
            **{name: (dims, item.astype(np.float32)) for name, item in luts.items()},
        ).assign_coords(line=("azimuth_time", self.lines), pixel=("ground_range", self.pixels))

    def _noise_range(self) -> xr.Dataset:
        """Both edges of each sub-swath are among the samples: the noise jumps there."""
        pixel = np.unique(np.concatenate([self.pixels, self.bounds.ravel()]))
        power = self.noise_over_range(self.lines[:, None], pixel)
        dims = ("azimuth_time", "ground_range")
        return _series(
            self.instants(self.image.time_of(self.lines)),
            noise_range_lut=(dims, power.astype(np.float32)),
        ).assign_coords(
            line=("azimuth_time", self.lines),
            pixel=(dims, np.broadcast_to(pixel, power.shape)),
        )

    def _noise_azimuth(self) -> xr.Dataset:
        last = self.image.lines - 1
        # Thirty numbers a burst follow the parabola to a thousandth.
        step = max(1, self.image.lines // (30 * BURSTS))
        line = np.unique(np.append(np.arange(0, last, step), last)).astype(np.int32)
        factors = np.stack([self.noise_over_azimuth(line, index) for index in range(len(SWATHS))])
        dims = ("swath", "azimuth_time")
        lengths = np.full(len(SWATHS), last, np.int32)
        return xr.Dataset(
            {"noise_azimuth_lut": (dims, factors.astype(np.float32))},
            {
                "swath": list(SWATHS),
                "first_azimuth_time": ("swath", np.zeros_like(lengths)),
                "last_azimuth_time": ("swath", lengths),
                "first_range_sample": ("swath", self.bounds[:, 0]),
                "last_range_sample": ("swath", self.bounds[:, 1]),
                "line": (dims, np.broadcast_to(line, factors.shape)),
            },
        )

    def _constants(self) -> dict[str, xr.Dataset]:
        """Return plausible data that no processor of Skerry reads, the same in all products."""
        times = self.instants(np.array([-1.0, 0.0, 1.0]))
        three = np.zeros(3)
        degree = ("azimuth_time", "degree")
        start, stop = self.instants(np.full(3, -1.5)), self.instants(np.full(3, 1.5))
        true = np.ones(3, bool)
        replica = dict.fromkeys(
            ("cross_correlation_peak_location", "internal_time_delay", "pg_product_phase"), three
        ) | dict.fromkeys(("pg_product_amplitude", "model_pg_product_amplitude"), three + 1)
        return {
            "conditions/terrain_height": _series(times, terrain_height=three),
            "conditions/azimuth_fm_rate": _series(
                times,
                t0=three + 0.0055,
                azimuth_fm_rate_polynomial=(degree, np.tile([-2300.0, 4.5e5, -8.0e7], (3, 1))),
            ),
            "conditions/doppler_centroid": _series(
                times,
                t0=three + 0.0055,
                geometry_dc_polynomial=(degree, np.zeros((3, 3))),
                data_dc_polynomial=(degree, np.zeros((3, 3))),
                data_dc_rms_error=three,
                data_dc_rms_error_above_threshold=~true,
                fine_dce_azimuth_start_time=start,
                fine_dce_azimuth_stop_time=stop,
            ),
            "conditions/reference_replica": _series(
                times,
                reference_replica_amplitude_coefficients=(degree, np.tile([1.0, 0, 0, 0], (3, 1))),
                reference_replica_phase_coefficients=(degree, np.zeros((3, 4))),
            ),
            "conditions/replica": _series(
                times,
                **replica,
                model_pg_product_phase=three,
                cross_correlation_pslr=three - 21.0,
                absolute_pg_product_valid_flag=true,
                relative_pg_product_valid_flag=true,
                reconstructed_replica_valid_flag=true,
            ),
            "quality/noise": _series(
                times,
                noise_power_correction_factor=three + 1,
                number_of_noise_lines=np.full(3, 10),
            ),
        }


def _series(times: npt.NDArray[np.datetime64], **variables: Any) -> xr.Dataset:
    """Return a dataset with the dimension time; plain arrays have only this dimension."""
    data = {
        name: item if isinstance(item, tuple) else ("azimuth_time", item)
        for name, item in variables.items()
    }
    return xr.Dataset(data, {"azimuth_time": times})


def _fit(x: Array, y: Array) -> Array:
    """Return the coefficients of a polynomial, lowest first, zeros behind the fifth."""
    coefficients = np.polynomial.Polynomial.fit(x, y, 4).convert().coef
    return np.asarray(np.pad(coefficients, (0, POLYNOMIAL_TERMS - coefficients.size)))
