"""Simulate a Sentinel-3 SLSTR L1 RBT product in SAFE form: both views, all grids, all channels."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.progress import Progress
from skerry.core.time import format_time
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.atmosphere import Air, Geometry, sensor_noise
from skerry.simulate.noise import make_noise
from skerry.simulate.orders import check_place, check_size, find_moment
from skerry.simulate.scene import Scene, SceneFields
from skerry.simulate.slstr import solar_channels, thermal
from skerry.simulate.slstr.annotations import annotate, row_span
from skerry.simulate.slstr.flags import flag_exceptions, flag_surface
from skerry.simulate.slstr.grids import Angles, Swath, view_angles
from skerry.simulate.slstr.manifest import (
    SlstrNames,
    describe,
    describe_file,
    finish_product,
)
from skerry.simulate.slstr.tree import GRIDS, Values, build_tree
from skerry.simulate.sun import sun_distance_factor
from skerry.simulate.truth import place_truth

DEFAULT_SIZE = 600
"""Pixels of the 500 m grids: a fifth of a real swath's width."""
DEFAULT_DAY = date(2026, 5, 1)
OVERPASS = time(9, 31, tzinfo=UTC)
SMALLEST, LARGEST = 40, 3000
EDGE = 0.03
"""Legs of the corner without measurements, as fractions of the side."""
VAPOUR_KG_M2, VAPOUR_RANGE = 18.0, 5.0
GROUPS = {grid: group for group, grid in GRIDS.items()}
"""Grid to its group's name."""
CHANNELS = {
    "a": ("s1", "s2", "s3", "s4", "s5", "s6"), "b": ("s4", "s5", "s6"),
    "i": ("s7", "s8", "s9", "f2"), "f": ("f1",),
}  # fmt: skip
"""Grid's first letter to its channels."""

Field = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pass:
    """A pass of the sensor: swath, scene and time.

    Attributes
    ----------
    seed
        The place.
    swath
        Positions of the grids.
    scene
        What is there.
    """

    seed: int
    swath: Swath
    scene: Scene

    def vapour(self, longitude: Field, latitude: Field) -> Field:
        """Return the column of water vapour, kg m-2."""
        noise = make_noise(2, 2, self.seed, 3, self.swath.moment.toordinal())
        x, y = self.scene.locate(longitude, latitude)
        return VAPOUR_KG_M2 + VAPOUR_RANGE * noise.at(x, y).astype(np.float64)


@dataclass(frozen=True)
class Look:
    """One view of one grid: fields, directions, and column of water vapour (kg m-2)."""

    fields: SceneFields
    angles: Angles
    vapour: Field

    @property
    def geometry(self) -> Geometry:
        """The directions in the form that `solar_view` needs."""
        angles = self.angles
        return Geometry(
            angles.solar_zenith, angles.solar_azimuth, angles.sat_zenith, angles.sat_azimuth
        )


def simulate_slstr_rbt(
    out: Path | str,
    *,
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated Sentinel-3A SLSTR L1 RBT product, every file and variable of it.

    Deterministic: the same arguments give the same values. The product says that it is simulated
    in its name (``_SIM``), manifest and files. Beside it ``<name>.truth.nc`` keeps, on the 1 km
    nadir grid, what was there: temperatures (K) of the sea and of all surfaces, and masks.

    Parameters
    ----------
    out
        The folder in which the product is made.
    size
        Pixels of each side of the 500 m nadir grids, even, 40 to 3000.
    seed
        The place. Several days of one seed show one place.
    day
        The day of sensing, which decides temperatures, wind and clouds.
    progress
        Called with the finished fraction and the name of the current step.

    Returns
    -------
    pathlib.Path
        The SAFE folder.

    Raises
    ------
    InvalidInputError
        If `size` or `day` is not acceptable.
    ConflictError
        If the product exists already.
    """
    check_size(size, SMALLEST, LARGEST, usual=DEFAULT_SIZE, step=2)
    moment = find_moment(day, OVERPASS)
    swath = Swath(size, moment)
    names = SlstrNames(moment, row_span(swath))
    longitude, latitude = swath.locate(*swath.positions("in"))
    overflight = Pass(seed, swath, Scene.over(seed, moment.date(), longitude, latitude))
    target = Path(out) / f"{names.product}.SEN3"
    check_place(target)
    mapping = load_mapping("sentinel_3_slstr_rbt")
    tree = build_tree(mapping, _observe(overflight), swath)
    tree.attrs = describe(names, swath)
    for node in tree.subtree:
        if node.data_vars:
            node.attrs = describe_file(names, swath, _grid_of(node.path))
    with place_truth(target) as truth:
        _write_truth(truth, overflight)
        write_safe(
            tree, target, mapping, {}, skeletons=names.skeletons(swath), progress=progress,
            finish=lambda folder: finish_product(folder, names),
        )  # fmt: skip
    return target


def _observe(overflight: Pass) -> Values:
    """Return what the sensor measures and notes: (group path, variable) to values."""
    values = annotate(overflight.swath, overflight.scene, overflight.vapour)
    for finer in ("ab", "if"):
        longitude, latitude = overflight.swath.locate(*overflight.swath.positions(f"{finer[0]}n"))
        fields = overflight.scene.sample(longitude, latitude)
        vapour = overflight.vapour(longitude, latitude)
        for letter in finer:
            for view in "no":
                grid = f"{letter}{view}"
                columns = slice(*overflight.swath.columns(grid))
                place = _crop(fields, columns)
                values |= _place(
                    grid, longitude[:, columns], latitude[:, columns], place, overflight
                )
                values |= _measure(grid, place, vapour[:, columns], overflight)
    return values


def _grid_of(path: str) -> str:
    return next((grid for group, grid in GRIDS.items() if group in path), "tn")


def _crop(fields: SceneFields, columns: slice) -> SceneFields:
    planes: dict[str, Any] = {
        name: item[:, columns]
        for name, item in vars(fields).items()
        if isinstance(item, np.ndarray)
    }
    return replace(fields, **planes)


def _place(
    grid: str, longitude: Field, latitude: Field, place: SceneFields, overflight: Pass
) -> Values:
    x, y = overflight.swath.positions(grid)
    variables: dict[str, npt.NDArray[Any]] = {
        "longitude": longitude, "latitude": latitude, "elevation": place.altitude, "x": x, "y": y
    }  # fmt: skip
    return {(f"measurements/{GROUPS[grid]}", name): item for name, item in variables.items()}


def _measure(grid: str, place: SceneFields, vapour: Field, overflight: Pass) -> Values:
    moment = overflight.swath.moment
    look = Look(place, view_angles(overflight.swath, grid, view=grid[1]), vapour)
    unfilled = _find_unfilled(place.land.shape)
    group = GROUPS[grid]
    values: Values = {}
    for channel in CHANNELS[grid[0]]:
        stream = [overflight.seed, moment.toordinal(), *f"{channel}{grid}".encode()]
        measurement = _sense(channel, look, np.random.default_rng(stream), moment)
        measurement[unfilled] = np.nan
        what = "radiance" if channel in solar_channels.CHANNELS else "bt"
        values["measurements/" + group, f"{channel}_{what}_{grid}"] = measurement.astype(np.float32)
        values["quality/" + group, f"{channel}_exception_{grid}"] = flag_exceptions(unfilled)
    glint = solar_channels.find_glint(place, look.geometry)
    flags = flag_surface(place, look.angles.solar_zenith, glint, unfilled)
    return values | {("quality/" + group, f"{name}_{grid}"): item for name, item in flags.items()}


def _sense(channel: str, look: Look, noise: np.random.Generator, moment: datetime) -> Field:
    """Return radiance (mW m-2 sr-1 nm-1) or brightness temperature (K), with noise."""
    if channel in solar_channels.CHANNELS:
        solar = solar_channels.CHANNELS[channel]
        distance = sun_distance_factor(moment)
        air = Air(water_cm=float(look.vapour.mean()) / 10)
        per_unit = solar_channels.to_radiance(
            solar, np.ones((), np.float32), look.geometry, distance
        )
        clean = solar_channels.model_radiance(
            solar, look.fields, look.geometry, air, distance=distance, pixel_m=500.0
        )
        reference = solar_channels.NOISE_REFERENCE
        grain = sensor_noise(clean / per_unit, reference, solar_channels.NOISE_RATIO, noise)
        return (clean + grain * per_unit).astype(np.float64)
    infrared = thermal.CHANNELS[channel]
    zeniths = look.angles.sat_zenith, look.angles.solar_zenith
    warm = thermal.model_temperature(infrared, look.fields, *zeniths, look.vapour)
    return warm + noise.normal(0, infrared.noise_k, warm.shape)


def _find_unfilled(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return a mask of the upper left corner, where the first scans have not begun."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.asarray(rows / shape[0] + columns / shape[1] < EDGE)


def _write_truth(path: Path, overflight: Pass) -> None:
    longitude, latitude = overflight.swath.locate(*overflight.swath.positions("in"))
    fields = overflight.scene.sample(longitude, latitude)
    kelvin = {"units": "K", "coordinates": "longitude latitude"}
    temperature = fields.surface_temperature
    dims = ("rows", "columns")
    data: dict[str, tuple[npt.NDArray[Any], dict[str, Any]]] = {
        "sea_surface_temperature": (
            np.where(fields.water & ~fields.ice, temperature, np.nan).astype(np.float32),
            kelvin | {"standard_name": "sea_surface_skin_temperature"},
        ),
        "surface_temperature": (temperature, kelvin | {"standard_name": "surface_temperature"}),
        "water_vapour": (
            overflight.vapour(longitude, latitude).astype(np.float32),
            {"units": "kg m-2", "standard_name": "atmosphere_mass_content_of_water_vapor"},
        ),
    }
    for name in ("cloud", "cirrus", "land", "lake", "ice"):
        meaning: dict[str, Any] = {"long_name": name, "flag_values": np.array([0, 1], np.uint8)}
        mask = getattr(fields, name).astype(np.uint8)
        data[name] = (mask, meaning | {"flag_meanings": f"clear {name}"})
    truth = xr.Dataset(
        {name: (dims, item, attrs) for name, (item, attrs) in data.items()},
        coords={
            "longitude": (dims, longitude, {"standard_name": "longitude", "units": "degrees_east"}),
            "latitude": (dims, latitude, {"standard_name": "latitude", "units": "degrees_north"}),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": f"SIMULATED truth of {path.name.removesuffix('.truth.nc')}",
            "comment": "Simulated, not measured.",
            "simulated": "true",
            "time_coverage_start": format_time(overflight.swath.moment),
        },
    )
    truth.to_netcdf(path, engine="h5netcdf")
