"""Sun and view angles of a Sentinel-2 tile."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skerry.products.safe.documents import Document


@dataclass(frozen=True)
class Angles:
    """Sun and view angles in degrees on the 5 km grid; axis ``angle`` is zenith, azimuth.

    Attributes
    ----------
    sun
        ``(angle, y, x)``.
    view
        ``(band, detector, angle, y, x)``, bands in the order of `BANDS`; NaN where a detector
        does not look.
    detectors
        Detector numbers.
    mean_sun
        ``(angle,)``.
    mean_view
        ``(band, angle)``.
    step_m
        Grid step.
    """

    sun: npt.NDArray[np.float32]
    view: npt.NDArray[np.float32]
    detectors: tuple[int, ...]
    mean_sun: npt.NDArray[np.float32]
    mean_view: npt.NDArray[np.float32]
    step_m: float


def read_angles(granule: Document, bands: int) -> Angles:
    """Read the sun and view angle grids of a tile's metadata.

    Raises
    ------
    InvalidInputError
        If they are missing or malformed.
    """
    with granule.reading("sun or view angles"):
        return _read_grids(granule, bands)


def _read_grids(granule: Document, bands: int) -> Angles:
    sun_grid = granule.root.find(".//Sun_Angles_Grid")
    if sun_grid is None:
        raise granule.refuse("lacks Sun_Angles_Grid")
    sun = _read_pair(sun_grid)
    views = granule.all("Viewing_Incidence_Angles_Grids")
    detectors = tuple(sorted({int(one.get("detectorId")) for one in views}))
    view = np.full((bands, len(detectors), *sun.shape), np.nan, np.float32)
    for one in views:
        view[int(one.get("bandId")), detectors.index(int(one.get("detectorId")))] = _read_pair(one)
    mean_view = np.full((bands, 2), np.nan, np.float32)
    for one in granule.all("Mean_Viewing_Incidence_Angle"):
        mean_view[int(one.get("bandId"))] = _read_mean(granule, one)
    mean_sun = _read_mean(granule, granule.root.find(".//Mean_Sun_Angle"))
    step = granule.parse_number(sun_grid.find("Zenith/COL_STEP"))
    return Angles(sun, view, detectors, mean_sun, mean_view, step)


def _read_pair(grid: Any) -> npt.NDArray[np.float32]:
    return np.stack(
        [
            np.array([row.text.split() for row in grid.iterfind(f"{name}/Values_List/VALUES")])
            for name in ("Zenith", "Azimuth")
        ]
    ).astype(np.float32)


def _read_mean(granule: Document, angle: Any) -> npt.NDArray[np.float32]:
    return np.array(
        [granule.parse_number(angle.find(f"{name}_ANGLE")) for name in ("ZENITH", "AZIMUTH")],
        np.float32,
    )
