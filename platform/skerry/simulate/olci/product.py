"""Simulate a Sentinel-3 OLCI Level 1 product, full (EFR) or reduced resolution (ERR)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, time, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.atmosphere import Geometry, sensor_noise
from skerry.simulate.olci.bands import BANDS, Band
from skerry.simulate.olci.conditions import make_conditions, make_solar_flux
from skerry.simulate.olci.flags import make_flags
from skerry.simulate.olci.grid import RESOLUTIONS, Grid
from skerry.simulate.olci.manifest import (
    list_files,
    make_attributes,
    make_skeleton,
    make_texts,
)
from skerry.simulate.olci.optics import model_toa_reflectance, model_water
from skerry.simulate.orders import check_place, check_size, find_moment
from skerry.simulate.scene import Scene, SceneFields
from skerry.simulate.truth import place_truth

Field = npt.NDArray[Any]

DEFAULT_SIZE = 513
DEFAULT_DAY = date(2026, 5, 1)
SENSING = time(9, 20, 30, tzinfo=UTC)
SMALLEST, LARGEST = 33, {"efr": 4865, "err": 1217}
INVALID_COLUMNS = 1 / 64
"""Share of the columns, at the eastern edge, that the instrument did not see."""
ORPHANS_PER_ROW = 1 / 32
HELD_BYTES = 512 * 2**20
"""Cache limit for bands while a product is written."""
UNCERTAINTY = 0.02
"""Relative uncertainty of radiance."""


@dataclass(frozen=True)
class Image:
    """A simulated image: the scene and its measurement.

    Attributes
    ----------
    grid
        The image's place and time.
    seed
        The place.
    """

    grid: Grid
    seed: int

    @cached_property
    def coordinates(self) -> tuple[Field, Field]:
        """Longitude and latitude, degrees."""
        return self.grid.locate(self.grid.columns)

    @cached_property
    def scene(self) -> SceneFields:
        """The fields of the scene."""
        day = self.grid.moment.date()
        return Scene.over(self.seed, day, *self.coordinates).sample(*self.coordinates)

    @cached_property
    def geometry(self) -> Geometry:
        """Angles at every pixel."""
        return self.grid.geometry()

    @cached_property
    def invalid(self) -> npt.NDArray[np.bool_]:
        """Pixels that the instrument did not see: a ragged eastern edge."""
        size = self.grid.size
        edge = size - 1 - np.round(size * INVALID_COLUMNS * (1 + np.sin(np.arange(size) / 9)) / 2)
        return np.asarray(self.grid.columns[np.newaxis] > edge[:, np.newaxis])

    @cached_property
    def duplicated(self) -> npt.NDArray[np.bool_]:
        """Columns with the same detector as the column before: they repeat its measurement."""
        return np.asarray(np.diff(self.grid.detectors(), prepend=-1) == 0)

    def measure(self, band: Band) -> Field:
        """Return radiance in mW m-2 sr-1 nm-1 with the instrument's noise, NaN where invalid."""
        across_m = self.grid.resolution.across_m
        reflectance = model_toa_reflectance(band, self.scene, self.geometry, across_m)
        flux = make_solar_flux(band, self.grid)[self.grid.detectors()]
        radiance = reflectance * flux * self.geometry.sun_cosine / np.pi
        day = self.grid.moment.toordinal()
        noise = np.random.default_rng([self.seed, 3, day, BANDS.index(band)])
        # Pixels of ERR are means of 16 measurements, which have a quarter of the noise of one.
        ratio = band.signal_to_noise * across_m / RESOLUTIONS["err"].across_m
        radiance += sensor_noise(radiance, band.reference_radiance, ratio, noise)
        sources = np.arange(self.grid.size) - self.duplicated
        return np.where(self.invalid, np.nan, radiance[:, sources]).astype(np.float32)

    @cached_property
    def orphans(self) -> tuple[Field, Field]:
        """Column from which each orphan pixel was removed, ``(rows, removed)``, and their count."""
        size = self.grid.size
        most = max(2, round(size * ORPHANS_PER_ROW))
        choice = np.random.default_rng([self.seed, 4, self.grid.moment.toordinal()])
        count = choice.integers(0, most + 1, size)
        count[0] = most
        columns = np.sort(choice.integers(0, size - size // 8, (size, most)), axis=1)
        return columns, count

    def take_orphans(self, plane: Field) -> Field:
        """Return a plane's values at the orphan pixels, NaN past a row's count."""
        columns, count = self.orphans
        orphans = np.take_along_axis(np.broadcast_to(plane, (self.grid.size,) * 2), columns, axis=1)
        beyond = np.arange(columns.shape[1]) >= count[:, np.newaxis]
        return np.where(beyond, np.nan, orphans)


def simulate_olci(
    out: Path | str,
    *,
    kind: Literal["efr", "err"] = "efr",
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated OLCI Level 1 product: coast, lake, plume, bloom, clouds, shadows, glint.

    Deterministic: the same arguments give the same values. The product says that it is simulated
    in its name (``_SIM``), its manifest and its files. Beside it ``<name>.truth.nc`` keeps what
    the scene held.

    Parameters
    ----------
    out
        The folder in which the product is made.
    kind
        ``efr``: pixels of 270 m; ``err``: of 1080 m.
    size
        Rows and columns of the image, 33 to 4865 (``efr``) or 1217 (``err``).
    seed
        The place. Several days of one seed show one place.
    day
        The day of sensing, which decides plume, bloom and clouds.
    progress
        Called with the finished fraction and the name of the current step.

    Returns
    -------
    pathlib.Path
        The SAFE folder.

    Raises
    ------
    InvalidInputError
        If `kind`, `size` or `day` is not acceptable.
    ConflictError
        If the product exists already.
    """
    if kind not in RESOLUTIONS:
        raise InvalidInputError(f"OLCI has no {kind!r}.", remedy="Choose efr or err.")
    check_size(size, SMALLEST, LARGEST[kind], usual=DEFAULT_SIZE)
    moment = find_moment(day, SENSING)
    image = Image(Grid(size, RESOLUTIONS[kind], moment), seed)
    name = _name_product(kind, image.grid)
    target = Path(out) / name
    check_place(target)
    tree = make_tree(image, kind)
    tree.attrs = make_attributes(image.grid, name.removesuffix(".SEN3"), tree)
    with place_truth(target) as truth:
        write_truth(truth, image)
        write_safe(
            tree,
            target,
            load_mapping(f"sentinel_3_olci_{kind}"),
            {},
            skeletons={"manifest": make_skeleton(image.grid)},
            texts={"manifest": make_texts(image.grid, kind)},
            finish=list_files,
            progress=progress,
        )
    return target


def _name_product(kind: str, grid: Grid) -> str:
    created = grid.end + timedelta(hours=2)
    duration = round((grid.end - grid.moment).total_seconds())
    times = "_".join(f"{item:%Y%m%dT%H%M%S}" for item in (grid.moment, grid.end, created))
    return f"S3A_OL_1_{kind.upper()}____{times}_{duration:04d}_140_122_1980_SIM_D_NR_SIM.SEN3"


def make_tree(image: Image, kind: str) -> xr.DataTree:
    """Return the product as a tree; radiances are computed band by band on request."""
    # Radiances, uncertainties and orphan pixels come from one measurement, so cache it.
    fitting = max(1, HELD_BYTES // (4 * image.grid.size**2))
    measure = lru_cache(maxsize=fitting)(image.measure)
    flags = make_flags(image.scene, image.geometry, image.invalid, image.duplicated)
    radiances = {band: _lazily(measure, band, image.grid.size) for band in BANDS}
    longitude, latitude = image.coordinates
    coords = {
        "latitude": (("rows", "columns"), latitude),
        "longitude": (("rows", "columns"), longitude),
        "altitude": (("rows", "columns"), image.scene.altitude),
        "time_stamp": ("rows", image.grid.times),
    }
    simulated = {"comment": "SIMULATED by Skerry from a scene description"}
    groups = {
        "measurements": {f"{band.name}_radiance": _plane(item) for band, item in radiances.items()},
        "quality": {
            f"{band.name}_radiance_unc": _plane(_uncertainty(item))
            for band, item in radiances.items()
        }
        | {"quality_flags": _plane(flags)},
        "conditions/image": {
            "detector_index": _plane(np.where(image.invalid, np.nan, image.grid.detectors())),
            "frame_offset": _plane(np.where(image.invalid, np.nan, image.grid.frame_offsets())),
        },
    }
    datasets = {
        path: xr.Dataset(variables, coords, simulated) for path, variables in groups.items()
    } | make_conditions(image.grid, image.seed, simulated)
    if kind == "efr":
        datasets |= _make_orphans(image, radiances, flags, simulated)
    return xr.DataTree.from_dict(datasets)


def _plane(values: Any) -> tuple[tuple[str, str], Any]:
    return ("rows", "columns"), values


def _lazily(measure: Callable[[Band], Field], band: Band, size: int) -> Any:
    import dask
    import dask.array as da

    return da.from_delayed(  # type: ignore[no-untyped-call]
        dask.delayed(measure, pure=False)(band),  # type: ignore[attr-defined]
        (size, size),
        np.float32,
    )


def _uncertainty(radiance: Any) -> Any:
    """Return the decimal logarithm of the uncertainty, as in real products."""
    return np.log10(UNCERTAINTY * np.clip(radiance, 1e-3, None))


def _make_orphans(
    image: Image, radiances: dict[Band, Any], flags: Field, attrs: dict[str, str]
) -> dict[str, xr.Dataset]:
    import dask.array as da

    columns, count = image.orphans
    dims = ("rows", "removed_pixels")
    longitude, latitude = image.coordinates

    def take(plane: Any) -> Any:
        if isinstance(plane, da.Array):
            taken = da.map_blocks(  # type: ignore[no-untyped-call]
                image.take_orphans, plane, dtype=np.float32, chunks=columns.shape
            )
            return dims, taken
        return dims, image.take_orphans(plane)

    def unseen(values: Field) -> Any:
        beyond = np.arange(columns.shape[1]) >= count[:, np.newaxis]
        taken = np.take_along_axis(values, columns, axis=1)
        return dims, np.where(beyond, np.uint32(0), taken)

    coords = {
        "latitude": take(latitude),
        "longitude": take(longitude),
        "altitude": take(image.scene.altitude),
        "removed_pixels": np.arange(columns.shape[1]),
    }
    groups = {
        "measurements": {f"{band.name}_radiance": take(item) for band, item in radiances.items()},
        "conditions": {
            "detector_index": take(image.grid.detectors()[np.newaxis]),
            "frame_offset": take(image.grid.frame_offsets()[np.newaxis]),
            "sza": take(np.asarray(image.geometry.sun_zenith)),
            "nb_removed_pixels": ("rows", count.astype(np.uint16)),
        },
        "quality": {
            **{f"{band.name}_radiance_unc": take(_uncertainty(item))
               for band, item in radiances.items()},
            "quality_flags": unseen(flags),
        },
    }  # fmt: skip
    return {f"{name}/orphans": xr.Dataset(item, coords, attrs) for name, item in groups.items()}


def write_truth(path: Path, image: Image) -> None:
    """Write what the scene held as CF NetCDF: constituents, masks, water-leaving reflectance."""
    scene = image.scene
    longitude, latitude = image.coordinates
    planes = {
        "chlorophyll": (scene.chlorophyll, {
            "standard_name": "mass_concentration_of_chlorophyll_a_in_sea_water",
            "long_name": "chlorophyll-a", "units": "mg m-3"}),
        "tsm": (scene.tsm, {"long_name": "total suspended matter", "units": "g m-3"}),
        "cdom": (scene.cdom, {
            "long_name": "absorption of coloured dissolved organic matter at 443 nm",
            "units": "m-1"}),
    }  # fmt: skip
    variables: dict[str, Any] = {
        key: (("rows", "columns"), np.where(scene.water, values, np.nan), attrs)
        for key, (values, attrs) in planes.items()
    }
    for key in ("water", "lake", "land", "ice", "cloud", "cirrus", "shadow"):
        attrs = {"long_name": key, "flag_values": np.array([0, 1], np.uint8),
                 "flag_meanings": f"no_{key} {key}"}  # fmt: skip
        variables[key] = (("rows", "columns"), getattr(scene, key).astype(np.uint8), attrs)
    for band in BANDS:
        variables[f"{band.name}_water_reflectance"] = (
            ("rows", "columns"),
            np.where(scene.water, model_water(band, scene), np.nan),
            {"long_name": f"water-leaving reflectance pi Rrs at {band.centre_nm} nm",
             "units": "1", "wavelength_nm": band.centre_nm},
        )  # fmt: skip
    data = xr.Dataset(
        variables,
        coords={
            "latitude": (("rows", "columns"), latitude,
                         {"standard_name": "latitude", "units": "degrees_north"}),
            "longitude": (("rows", "columns"), longitude,
                          {"standard_name": "longitude", "units": "degrees_east"}),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": f"SIMULATED truth of {path.name.removesuffix('.truth.nc')}",
            "comment": "What the simulated scene held; no measurement.", "simulated": "true",
        },
    )  # fmt: skip
    packed = {"zlib": True, "complevel": 1}
    data.to_netcdf(path, engine="h5netcdf", encoding=dict.fromkeys(data.data_vars, packed))
