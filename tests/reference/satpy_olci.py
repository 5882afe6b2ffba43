"""What satpy reads of an OLCI product; answers questions (see answer.py)."""

from pathlib import Path

import numpy as np
from satpy import Scene


def read(path: str) -> dict[str, np.ndarray]:
    """Return radiances, coordinates, angles and weather at every pixel, and flags."""
    scene = Scene(reader="olci_l1b", filenames=[str(item) for item in Path(path).glob("*.nc")])
    bands = [f"Oa{number:02d}" for number in range(1, 22)]
    scene.load(bands, calibration="radiance")
    others = [
        "latitude", "longitude", "altitude", "quality_flags", "solar_zenith_angle",
        "solar_azimuth_angle", "satellite_zenith_angle", "satellite_azimuth_angle",
        "total_ozone", "sea_level_pressure", "humidity", "total_columnar_water_vapour",
    ]  # fmt: skip
    scene.load(others)
    return {name: np.asarray(scene[name]) for name in bands + others}
