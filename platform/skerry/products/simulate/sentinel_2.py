"""Simulate a small Sentinel-2 L2A product in SAFE form."""

import shutil
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.time import parse_day
from skerry.products.simulate.landscape import Landscape, make_landscape
from skerry.products.simulate.naming import SafeNames
from skerry.products.simulate.optics import BAND_OPTICS, model_reflectance
from skerry.products.simulate.safe import ResolutionFiles, write_safe

DEFAULT_SIZE = 1098
"""Pixels of the 10 m grid: a tenth of a real tile's side."""
DEFAULT_DAY = date(2026, 5, 1)
DEFAULT_TILE = "T33UVV"
"""Szczecin Lagoon and the Pomeranian Bay."""
SENSING = time(10, 6, 1, tzinfo=UTC)
OFFSET = 1000
QUANTIFICATION = 10_000
NOISE = 0.0004
"""Standard deviation of the noise added to reflectances."""
BANDS = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12"),
}
_LARGEST = 10_980
_COMMON = 6


def simulate_s2_l2a(
    out: Path | str,
    *,
    size: int = DEFAULT_SIZE,
    seed: int = 1,
    day: date | str = DEFAULT_DAY,
    tile: str = DEFAULT_TILE,
) -> Path:
    """Write a simulated Sentinel-2 L2A product: lake and coast, plume, bloom, clouds, shadows.

    Deterministic: the same arguments give the same bytes. The product says that it is simulated
    in its name (``_SIM``), metadata and quicklook. Beside it ``<name>.truth.npz`` keeps what the
    water held: ``turbidity`` (FNU) and ``chlorophyll`` (mg m-3) on the 20 m grid, and ``water``,
    true where nothing hides the water.

    Parameters
    ----------
    out
        The folder in which the product is made.
    size
        Pixels of the 10 m grid, a multiple of 6, 60 to 10980.
    seed
        The place. Several days of one seed show one place.
    day
        The day of sensing, which decides plume, bloom and clouds.
    tile
        MGRS tile name in the product's name; the place stays in the southern Baltic.

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
    if size % _COMMON or not 60 <= size <= _LARGEST:  # noqa: PLR2004 -- one 60 m chunk at least
        raise InvalidInputError(
            f"The size {size} is no multiple of 6 between 60 and {_LARGEST}.",
            remedy="The 10, 20 and 60 m grids must cover the same ground; try 1098.",
        )
    moment = datetime.combine(parse_day(day) if isinstance(day, str) else day, SENSING)
    names = SafeNames(moment=moment, tile=_check_tile(tile))
    target = Path(out) / names.product
    if target.exists():
        raise ConflictError(f"{target} exists already.", remedy="Choose another folder or day.")
    landscape = make_landscape(size, seed, moment.date())
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    noise = np.random.default_rng([seed, 2, moment.date().toordinal()])
    write_safe(partial, names, _render(landscape, size, noise), landscape)
    _write_truth(target.with_name(f"{names.product.removesuffix('.SAFE')}.truth.npz"), landscape)
    partial.rename(target)
    return target


def _check_tile(tile: str) -> str:
    name = tile.upper().removeprefix("T")
    if len(name) != 5 or not name[:2].isdigit() or not name[2:].isalpha() or not name.isascii():  # noqa: PLR2004
        raise InvalidInputError(
            f"{tile!r} is no MGRS tile name.", remedy="Write it as T33UVV or 33UVV."
        )
    return f"T{name}"


def _render(
    landscape: Landscape, size: int, noise: np.random.Generator
) -> dict[int, ResolutionFiles]:
    """Return the numbers of every file, by resolution in metres."""
    finest = {name: _render_band(landscape, name) for name in BAND_OPTICS}
    classes = landscape.classify()
    rendered = {}
    for resolution, bands in BANDS.items():
        factor = resolution // 10
        step = size // factor
        gap = _thin(landscape.nodata, factor)
        numbers = {}
        for name in bands:
            mean = finest[name].reshape(step, factor, step, factor).mean(axis=(1, 3))
            mean += noise.normal(0, NOISE, mean.shape).astype(np.float32)
            numbers[name] = _pack(mean, gap)
        rendered[resolution] = ResolutionFiles(
            bands=numbers,
            classes=_thin(classes, factor),
            cloud=_thin(landscape.cloud | landscape.cirrus, factor).astype(np.uint8) * 90,
            aerosol=np.where(gap, 0, 120).astype(np.uint16),
            vapour=np.where(gap, 0, 1500).astype(np.uint16),
        )
    return rendered


def _render_band(landscape: Landscape, name: str) -> npt.NDArray[np.float32]:
    optics = BAND_OPTICS[name]
    water = model_reflectance(optics, landscape.turbidity, landscape.chlorophyll)
    land = optics.soil + (optics.vegetation - optics.soil) * landscape.vegetation
    surface = np.where(landscape.water, water, land)
    surface = np.where(landscape.shadow, 0.35 * surface, surface)
    surface = np.where(landscape.cirrus, surface + 0.06, surface)
    return np.where(landscape.cloud, optics.cloud, surface).astype(np.float32)


def _pack(
    reflectance: npt.NDArray[np.float32], gap: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint16]:
    numbers = np.rint(reflectance * QUANTIFICATION + OFFSET)
    return np.where(gap, 0, np.clip(numbers, 1, 65534)).astype(np.uint16)


def _thin(field: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    """Return the pixel beside the centre of each block."""
    return field[factor // 2 :: factor, factor // 2 :: factor]


def _write_truth(path: Path, landscape: Landscape) -> None:
    size = landscape.water.shape[0] // 2
    hidden = landscape.cloud | landscape.cirrus | landscape.shadow | landscape.nodata
    seen = (landscape.water & ~hidden).reshape(size, 2, size, 2).all(axis=(1, 3))
    means = {
        name: getattr(landscape, name).reshape(size, 2, size, 2).mean(axis=(1, 3))
        for name in ("turbidity", "chlorophyll")
    }
    np.savez_compressed(path, water=seen, **means)
