"""Simulate small Sentinel-2 products, Level-1C and Level-2A, in SAFE form."""

from dataclasses import dataclass
from datetime import UTC, date, time
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.xr import xr_coords
from PIL import Image

from skerry.core.progress import Progress
from skerry.products.pictures.quicklook import write_caption
from skerry.products.safe.jp2 import write_jp2
from skerry.products.safe.product import SafeFolder
from skerry.products.safe.writing import write_safe
from skerry.products.sensors.mapping import load_mapping
from skerry.simulate.orders import check_place, check_size, find_moment
from skerry.simulate.scene import Scene
from skerry.simulate.sentinel_2.documents import list_files, load_skeletons, write_texts
from skerry.simulate.sentinel_2.names import CRS, LEFT_M, TOP_M, Names, check_tile, grid_at
from skerry.simulate.sentinel_2.picture import PREVIEW_EDGE, Picture
from skerry.simulate.sentinel_2.tree import build_tree
from skerry.simulate.truth import place_truth, write_truth

DEFAULT_SIZE = 1098
"""Pixels of the 10 m grid: a tenth of a real tile's side."""
DEFAULT_DAY = date(2026, 5, 1)
DEFAULT_TILE = "T33UVV"
"""Szczecin Lagoon and the Pomeranian Bay."""
SENSING = time(10, 6, 1, tzinfo=UTC)
_SMALLEST, _LARGEST = 60, 10_980
_COMMON = 6
_RENDERED = 0.5
"""Share of rendering in the work; the rest is writing."""


def simulate_s2_l2a(
    out: Path | str,
    *,
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    tile: str = DEFAULT_TILE,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated Sentinel-2 L2A product: lake and coast, plume, bloom, clouds, shadows.

    Deterministic: the same arguments give the same bytes. The product says that it is simulated
    in its name (``_SIM``), metadata and quicklook. Beside it ``<name>.truth.nc`` keeps what was
    there, on the 20 m grid (see `write_truth`).

    Parameters
    ----------
    out
        The folder in which the product is made.
    size
        Pixels of the 10 m grid, a multiple of 6, 60 to 10980.
    seed
        The place. Several days of one seed show one place.
    day
        The day of sensing, which decides plume, bloom, temperature, wind and clouds.
    tile
        MGRS tile name in the product's name; the place stays in the southern Baltic.
    progress
        Called with the finished fraction and the name of the current step.

    Returns
    -------
    pathlib.Path
        The SAFE folder.

    Raises
    ------
    InvalidInputError
        If `size`, `day` or `tile` is not acceptable.
    ConflictError
        If the product exists already.
    """
    return _simulate(_Order("L2A", Path(out), size, seed, day, tile), progress)


def simulate_s2_l1c(
    out: Path | str,
    *,
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    tile: str = DEFAULT_TILE,
    progress: Progress | None = None,
) -> Path:
    """Write a simulated Sentinel-2 L1C product of the same scene: see `simulate_s2_l2a`."""
    return _simulate(_Order("L1C", Path(out), size, seed, day, tile), progress)


@dataclass(frozen=True)
class _Order:
    """The arguments of a simulation."""

    level: str
    out: Path
    size: int
    seed: int
    day: date | str
    tile: str


def _simulate(order: _Order, progress: Progress | None) -> Path:
    size, level = order.size, order.level
    check_size(size, _SMALLEST, _LARGEST, usual=DEFAULT_SIZE, step=_COMMON)
    moment = find_moment(order.day, SENSING)
    names = Names(level, moment, check_tile(order.tile))
    target = order.out / f"{names.product}.SAFE"
    check_place(target)
    mapping = load_mapping(f"sentinel_2_{level.lower()}")
    picture = Picture(make_scene(size, order.seed, moment.date()), level, size, moment)
    picture.render(_part(progress, 0.0, _RENDERED))
    with place_truth(target) as truth:
        _write_truth(truth, picture)
        return write_safe(
            build_tree(picture, names, mapping),
            target,
            mapping,
            names.stars(),
            skeletons=load_skeletons(level),
            texts=write_texts(picture, names, mapping),
            finish=lambda folder: _finish(folder, picture, names),
            progress=_part(progress, _RENDERED, 1.0),
        )


def make_scene(size: int, seed: int, day: date) -> Scene:
    """Return the scene of a picture of `size` pixels of 10 m."""
    from pyproj import Transformer

    side = 10 * size
    transformer = Transformer.from_crs(CRS, 4326, always_xy=True)
    corners = (
        [LEFT_M, LEFT_M + side, LEFT_M, LEFT_M + side],
        [TOP_M, TOP_M, TOP_M - side, TOP_M - side],
    )
    longitude, latitude = transformer.transform(*corners)
    return Scene.over(seed, day, longitude, latitude)


def _part(progress: Progress | None, start: float, stop: float) -> Progress | None:
    if progress is None:
        return None
    return lambda done, what: progress(start + (stop - start) * done, what)


def _write_truth(path: Path, picture: Picture) -> None:
    grid = grid_at(20, picture.size)
    edge = grid.shape[0]
    fields = picture.fields_of(20, 0, edge)
    gap = picture.gap_of(20, 0, edge)
    coords = xr_coords(grid, "spatial_ref")
    frame = xr.Dataset(coords=coords)
    write_truth(path, fields, frame, ("y", "x"), gap=gap, scene=picture.scene)


def _finish(folder: SafeFolder, picture: Picture, names: Names) -> None:
    _write_previews(folder, picture, names)
    list_files(folder)


def _write_previews(folder: SafeFolder, picture: Picture, names: Names) -> None:
    """Write the preview with SIMULATED drawn in, as JPEG 2000 and as the browse image."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    resolution = 60 if picture.level == "L2A" else 10
    colours = np.moveaxis(picture.true_colour(resolution), 0, -1)
    image = Image.fromarray(colours).resize((PREVIEW_EDGE, PREVIEW_EDGE)).convert("RGBA")
    write_caption(image)
    opaque = image.convert("RGB")
    step = picture.side_m / PREVIEW_EDGE
    crs = grid_at(10, picture.size).crs
    affine = Affine(step, 0.0, LEFT_M, 0.0, -step, TOP_M)
    grid = GeoBox((PREVIEW_EDGE, PREVIEW_EDGE), affine, crs)
    place = folder.root / "GRANULE" / names.granule / "QI_DATA"
    file = place / f"{names.tile}_{names.sensed}_PVI.jp2"
    write_jp2(file, np.moveaxis(np.asarray(opaque), -1, 0), grid)
    opaque.save(folder.root / f"{names.product}-ql.jpg", quality=85)
