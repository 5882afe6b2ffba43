"""Simulate a Sentinel-1 IW GRDH product in SAFE form."""

from dataclasses import dataclass
from datetime import UTC, date, time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.safe.members import unfold
from skerry.products.safe.product import SafeFolder
from skerry.products.safe.sentinel_1 import members_of_tree
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.orders import check_place, check_size, find_moment
from skerry.simulate.scene import CORNER, Scene, SceneFields
from skerry.simulate.sentinel_1.annotation import BETA, Recorder
from skerry.simulate.sentinel_1.backscatter import draw_numbers, model_sigma
from skerry.simulate.sentinel_1.documents import CLASSES, Documents, complete
from skerry.simulate.sentinel_1.orbit import fly_over
from skerry.simulate.truth import place_truth

DEFAULT_SIZE = 1024
DEFAULT_DAY = date(2026, 5, 1)
SENSING = time(16, 52, 0, tzinfo=UTC)
"""Time of an ascending passage over the southern Baltic."""
CENTRE = (CORNER[0] + 0.83, CORNER[1] - 0.49)
"""Centre of the image: the middle of the scene's tile."""
SPACING_M = 10.0
CENTRE_INCIDENCE = float(np.radians(39.2))
SMALLEST, LARGEST = 60, 25_000
BLOCK_LINES = 2048
NODE_STEP = 64
"""Pixels between the points whose coordinates are computed; linear between them (to 0.01 m)."""


def simulate_s1_iw_grd(
    out: Path | str,
    *,
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    polarisations: tuple[str, ...] = ("VV", "VH"),
    progress: Progress | None = None,
) -> Path:
    """Write a simulated Sentinel-1 IW GRDH product: backscatter of the scene, speckle, noise.

    Deterministic: the same arguments give the same pixels. The product says that it is simulated
    in its name (``_SIM``) and its documents. Ascending, pixels of 10 m; the three sub-swaths and
    nine bursts of the noise are spread over the image whatever its size. Beside it
    ``<name>.truth.nc`` keeps sigma nought without speckle and noise, incidence angle, wind, place
    and masks.

    Parameters
    ----------
    out
        The folder in which the product is made.
    size
        Lines and samples, 60 to 25000.
    seed
        The place. Several days of one seed show one place.
    day
        The day of sensing, which decides the wind.
    polarisations
        VV alone or VV and VH; HH alone or HH and HV.
    progress
        Called with the finished fraction and the name of the current step.

    Returns
    -------
    pathlib.Path
        The SAFE folder.

    Raises
    ------
    InvalidInputError
        If `size`, `day` or `polarisations` is not acceptable.
    ConflictError
        If the product exists already.
    """
    check_size(size, SMALLEST, LARGEST, usual=DEFAULT_SIZE)
    if tuple(sorted(polarisations)) not in CLASSES:
        raise InvalidInputError(
            f"No product has the polarisations {', '.join(polarisations) or '(none)'}.",
            remedy="Name VV, VV and VH, HH, or HH and HV.",
        )
    moment = find_moment(day, SENSING)
    image = fly_over(
        *CENTRE, lines=size, samples=size, spacing_m=SPACING_M, centre_incidence=CENTRE_INCIDENCE
    )
    recorder = Recorder(image, moment)
    ordered = tuple(sorted(polarisations, key=lambda item: item[0] != item[1]))
    documents = Documents(recorder, ordered)
    target = Path(out) / documents.product
    check_place(target)
    pixels = Pixels(recorder, seed, moment.date(), ordered)
    with place_truth(target) as truth:
        _write_truth(truth, pixels)
        _write_product(target, pixels, documents, progress)
    return target


@dataclass(frozen=True)
class Pixels:
    """The pixels of an image, computed block by block.

    Attributes
    ----------
    recorder
        Geometry and noise.
    seed, day
        The scene.
    polarisations
        Polarisations to simulate.
    """

    recorder: Recorder
    seed: int
    day: date
    polarisations: tuple[str, ...]

    @cached_property
    def _nodes(self) -> npt.NDArray[np.float64]:
        """Longitude, latitude, incidence angle in degrees, ``(3, node line, node sample)``."""
        image = self.recorder.image
        line, sample = (
            np.linspace(0, length - 1, -(-length // NODE_STEP) + 1)
            for length in (image.lines, image.samples)
        )
        sight = image.see(line[:, None], sample)
        return np.stack([sight.longitude, sight.latitude, np.degrees(sight.incidence)])

    @cached_property
    def _scene(self) -> Scene:
        return Scene.over(self.seed, self.day, self._nodes[0], self._nodes[1])

    @cached_property
    def wind_angle(self) -> float:
        """Angle between look direction and wind, radians; it is the same for a whole day."""
        generator = np.random.default_rng([self.seed, 6, self.day.toordinal()])
        return float(generator.uniform(0, 2 * np.pi))

    def describe(self, first: int, count: int) -> tuple[SceneFields, npt.NDArray[np.float32]]:
        """Return the scene's fields, and longitude, latitude and incidence angle, of lines."""
        image = self.recorder.image
        geometry = _interpolate_nodes(
            self._nodes,
            np.arange(first, first + count) * (self._nodes.shape[1] - 1) / (image.lines - 1),
            np.arange(image.samples) * (self._nodes.shape[2] - 1) / (image.samples - 1),
        )
        return self._scene.sample(geometry[0], geometry[1]), geometry.astype(np.float32)

    def reveal(self, first: int, count: int) -> dict[str, npt.NDArray[Any]]:
        """Return the truth of lines, by name."""
        fields, (longitude, latitude, incidence) = self.describe(first, count)
        sigma = {
            f"sigma_nought_{polarisation.lower()}": model_sigma(
                fields, incidence, self.wind_angle, polarisation
            )
            for polarisation in self.polarisations
        }
        places = {"longitude": longitude, "latitude": latitude, "incidence_angle": incidence}
        masks = {name: getattr(fields, name) for name in ("water", "lake", "ice")}
        return sigma | places | {"wind_speed": fields.wind_speed} | masks

    def draw(self, first: int, count: int, polarisation: str) -> npt.NDArray[np.uint16]:
        """Return the digital numbers of lines."""
        fields, (_, _, incidence) = self.describe(first, count)
        sigma = model_sigma(fields, incidence, self.wind_angle, polarisation)
        line = np.arange(first, first + count)[:, None]
        sample = np.arange(self.recorder.image.samples)
        power = sigma * BETA**2 / np.sin(np.radians(incidence)) + self.recorder.noise(line, sample)
        chance = [self.seed, 7, self.day.toordinal(), first, ord(polarisation[1])]
        return draw_numbers(power.astype(np.float32), np.random.default_rng(chance))

    def blocks(self) -> list[tuple[int, int]]:
        """Return first line and number of lines of each block."""
        lines = self.recorder.image.lines
        return [(index, min(BLOCK_LINES, lines - index)) for index in range(0, lines, BLOCK_LINES)]

    def lazily(self, polarisation: str) -> Any:
        """Return the digital numbers as a Dask array."""
        from dask.delayed import delayed

        draw = delayed(self.draw, pure=False)
        samples = self.recorder.image.samples
        parts = [
            (draw(first, count, polarisation), (count, samples)) for first, count in self.blocks()
        ]
        return _stack_lazily(parts, np.dtype(np.uint16))


def _stack_lazily(parts: list[tuple[Any, tuple[int, int]]], dtype: np.dtype[Any]) -> Any:
    """Return one Dask array of delayed blocks of lines, each with its shape."""
    import dask.array as da

    make: Any = da.from_delayed
    join: Any = da.concatenate
    return join([make(block, shape, dtype) for block, shape in parts])


def _interpolate_nodes(
    nodes: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Interpolate ``(field, node row, node column)`` linearly at fractional rows and columns."""
    before = np.minimum(columns.astype(np.intp), nodes.shape[2] - 2)
    across = nodes[..., before] + (columns - before) * (nodes[..., before + 1] - nodes[..., before])
    above = np.minimum(rows.astype(np.intp), nodes.shape[1] - 2)
    weight = (rows - above)[:, None]
    return np.asarray(across[:, above] * (1 - weight) + across[:, above + 1] * weight)


def _write_product(
    target: Path, pixels: Pixels, documents: Documents, progress: Progress | None
) -> None:
    records = pixels.recorder.record()
    nodes: dict[str, xr.Dataset] = {}
    for polarisation in pixels.polarisations:
        member = f"S01SIWGRD_{polarisation}"
        grd = xr.Variable(("azimuth_time", "ground_range"), pixels.lazily(polarisation))
        nodes[f"{member}/measurements"] = xr.Dataset({"grd": grd})
        nodes |= {f"{member}/{path}": data for path, data in records.items()}
    tree = xr.DataTree.from_dict(nodes)
    mapping = load_mapping("sentinel_1_iw_grd")
    patterns = {group.file for group in unfold(mapping, members_of_tree(tree)).groups}
    names = {pattern: _name_file(pattern, documents) for pattern in patterns}

    def finish(folder: SafeFolder) -> None:
        (folder.root / "manifest.safe").write_bytes(documents.manifest)
        (folder.root / "support").mkdir()
        (folder.root / "support/s1-level-1-product.xsd").write_bytes(documents.schema())
        for polarisation in documents.polarisations:
            files = documents.files(polarisation)
            _pin(folder.root / files.pop("measurement"), records["conditions/gcp"])
            for document, path in files.items():
                complete(folder.root / path, documents.annotate(document, polarisation))

    write_safe(tree, target, mapping, names, finish=finish, progress=progress)


def _name_file(pattern: str, documents: Documents) -> str:
    """Return the text that replaces the stars of a pattern."""
    folder, _, part = pattern.rpartition("/")
    polarisation = next(item for item in documents.polarisations if f"-{item.lower()}-" in part)
    names = documents.files(polarisation).values()
    begin = part.partition("s1?")[0]
    return next(
        name
        for path in names
        if (name := path.rpartition("/")[2]).startswith(f"{begin}s1a") and path.startswith(folder)
    )


def _pin(path: Path, points: xr.Dataset) -> None:
    """Put ground control points into an image, at the middle of pixels as GDAL counts them."""
    import rasterio
    from rasterio.control import GroundControlPoint
    from rasterio.crs import CRS

    from skerry.products.safe.geotiff import expect_no_transform

    control_points = [
        GroundControlPoint(
            row=float(line) + 0.5, col=float(pixel) + 0.5, z=0.0,
            x=float(points.longitude[i, j]), y=float(points.latitude[i, j]),
        )
        for i, line in enumerate(points.line.to_numpy())
        for j, pixel in enumerate(points.pixel.to_numpy())
    ]  # fmt: skip
    with expect_no_transform(), rasterio.open(path, "r+") as image:
        image.gcps = (control_points, CRS.from_epsg(4326))
        image.update_tags(TIFFTAG_IMAGEDESCRIPTION="SIMULATED by Skerry: not a measurement")


def _write_truth(path: Path, pixels: Pixels) -> None:
    from dask.delayed import delayed

    samples = pixels.recorder.image.samples
    blocks: list[tuple[Any, int]] = [
        (delayed(pixels.reveal, pure=False)(first, count), count)
        for first, count in pixels.blocks()
    ]
    truth = xr.Dataset(
        attrs={
            "Conventions": "CF-1.11",
            "title": f"SIMULATED truth of {path.name.removesuffix('.truth.nc')}",
            "comment": "Simulated, not measured.",
            "simulated": "true",
            "wind_angle_degrees": float(np.degrees(pixels.wind_angle)),
        }
    )
    for name, example in pixels.reveal(0, 1).items():
        parts = [(block[name], (count, samples)) for block, count in blocks]
        attrs = TRUTH_ATTRS.get(name, {"long_name": f"true where there is {name}"})
        truth[name] = ("line", "pixel"), _stack_lazily(parts, example.dtype), attrs
    encoding = {name: {"zlib": True, "complevel": 1} for name in truth.data_vars}
    truth.to_netcdf(path, engine="h5netcdf", encoding=encoding)


_SIGMA = {"long_name": "sigma nought without speckle and noise", "units": "1"}
TRUTH_ATTRS = {
    **{f"sigma_nought_{item}": _SIGMA for item in ("vv", "vh", "hh", "hv")},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "incidence_angle": {"long_name": "incidence angle on the ellipsoid", "units": "degrees"},
    "wind_speed": {"standard_name": "wind_speed", "units": "m s-1"},
}
