"""What satpy reads of a Sentinel-1 product; answers questions (see answer.py)."""

from pathlib import Path

import numpy as np
from satpy import DataQuery, Scene

CALIBRATIONS = {"sigma": "sigma_nought", "beta": "beta_nought", "gamma": "gamma"}


def read(path: str) -> dict[str, np.ndarray]:
    """Return linear backscatter (noise removed, as satpy always does), latitude and longitude."""
    files = [str(item) for item in Path(path).rglob("*") if item.is_file()]
    found = {}
    for polarisation in ("vv", "vh"):
        wanted = {
            f"{name}_nought_{polarisation}": {
                "name": "measurement", "calibration": calibration, "quantity": "natural",
            }
            for name, calibration in CALIBRATIONS.items()
        }  # fmt: skip
        wanted |= {f"{name}_{polarisation}": {"name": name} for name in ("latitude", "longitude")}
        for name, query in wanted.items():
            scene = Scene(filenames=files, reader="sar-c_safe")
            asked = DataQuery(polarization=polarisation, **query)
            scene.load([asked])
            found[name] = np.asarray(scene[asked])
    return found
