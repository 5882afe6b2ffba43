"""What satpy reads of an SLSTR product; answers questions (see answer.py)."""

from pathlib import Path

import numpy as np
from satpy import DataQuery, Scene

SOLAR = [f"S{number}" for number in range(1, 7)]
THERMAL = ["S7", "S8", "S9", "F1", "F2"]
ANGLES = [
    "solar_zenith_angle", "solar_azimuth_angle", "satellite_zenith_angle",
    "satellite_azimuth_angle",
]  # fmt: skip


def read(path: str) -> dict[str, np.ndarray]:
    """Return what satpy gives for both views and all grids, as ``name@view@stripe``."""
    product = Path(path)
    # Factors by which satpy corrects real radiances are set to 1; files of other kinds refuse them.
    factors = {f"{name}_{view}": 1.0 for name in SOLAR for view in ("nadir", "oblique")}
    solar = {"reader_kwargs": {"user_calibration": factors}}
    result = _load(product, "S?_radiance_??.nc", "ab", _solar_channels, solar)
    result |= _load(product, "*.nc", "abif", _other_names, {})
    return result | _load_angles(product)


def _load_angles(product: Path) -> dict[str, np.ndarray]:
    """Return angles on the 1 km grid, as ``name@view``."""
    scene = Scene(reader="slstr_l1b", filenames=[str(path) for path in product.glob("*.nc")])
    expected = {
        f"{name}@{view}": DataQuery(name=name, view=view, resolution=1000)
        for name in ANGLES
        for view in ("nadir", "oblique")
    }
    scene.load(list(expected.values()))
    return {key: np.asarray(scene[query]) for key, query in expected.items()}


def _load(product, pattern, stripes, list_names, options) -> dict[str, np.ndarray]:
    files = [str(path) for path in product.glob(pattern)]
    scene = Scene(reader="slstr_l1b", filenames=files, **options)
    expected = {
        f"{name}@{view}@{stripe}": DataQuery(name=name, view=view, stripe=stripe, **more)
        for view in ("nadir", "oblique")
        for stripe in stripes
        for name, more in list_names(stripe)
    }
    scene.load(list(expected.values()))
    return {key: np.asarray(scene[query]) for key, query in expected.items()}


def _solar_channels(stripe: str) -> list[tuple[str, dict[str, str]]]:
    names = SOLAR if stripe == "a" else SOLAR[3:]
    return [(name, {"calibration": "radiance"}) for name in names]


def _other_names(stripe: str) -> list[tuple[str, dict[str, object]]]:
    """Return thermal channels, flags and places of one stripe's grid."""
    thermal = {"i": [*THERMAL[:3], "F2"], "f": ["F1"]}.get(stripe, [])
    channels = [(name, {"calibration": "brightness_temperature"}) for name in thermal]
    resolution = {"resolution": 500 if stripe in "ab" else 1000}
    plain = ["latitude", "longitude", "elevation", "cloud", "confidence", "pointing"]
    return channels + [(name, resolution) for name in plain]
